"""Dates, times and numbers in words, to be written in digits: a translation with one right answer.

    the third of march nineteen eighty four        ->  1 9 8 4 - 0 3 - 0 3
    a quarter to five in the afternoon             ->  1 6 : 4 5
    minus twelve thousand and six                  ->  - 1 2 0 0 6

Every answer is one that any reader can check, so an exact match means something. Digits stand alone,
since each is a decision of its own. The column `alignment` names, for each token of the answer, the
words of the source that it is due to, counted from 0 (`4`, `4+5`; `.` for none).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from advlab.data.grammar import shuffled
from advlab.language import N_
from advlab.records import Dataset, Example

T = TypeVar("T")
SEED = 21
SIZES = {"train": 8000, "validation": 400, "test": 800}
TITLE = N_("Normal forms: words to digits")
ABOUT = N_(
    "9,200 dates in six wordings, clock times and numbers to 999,999, in English words; each has one "
    "right answer in single digits, so that an exact match means something."
)
SHOWCASE = (
    "the third of may nineteen eighty four",
    "a quarter to seven in the evening",
    "minus twelve thousand and six",
    "forty two euros and seven cents",
)

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
    *("seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
FIRSTS = (
    *("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth"),
    *("seventeenth", "eighteenth", "nineteenth", "twentieth"),
)
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# a word of the source, with the places in the answer that it decides
Words = list[tuple[str, tuple[int, ...]]]
Written = tuple[Words, list[str]]


def plain(text: str, at: Sequence[int] = ()) -> Words:
    """Words that all decide the same places, or none."""
    return [(word, tuple(at)) for word in text.split()]


def below_hundred(n: int, at: Sequence[int]) -> Words:
    """`at`: the places of its tens and its ones."""
    if n < 10:
        return plain(ONES[n], at[1:])
    if n < 20:
        return plain(ONES[n], at)
    if n % 10 == 0:
        return plain(TENS[n // 10], at)
    return plain(TENS[n // 10], at[:1]) + plain(ONES[n % 10], at[1:])


def below_thousand(n: int, at: Sequence[int]) -> Words:
    """`at`: the places of its three digits."""
    if n < 100:
        return below_hundred(n, at[1:])
    rest = plain("and") + below_hundred(n % 100, at[1:]) if n % 100 else []
    return plain(ONES[n // 100], at[:1]) + plain("hundred", at if not rest else at[:1]) + rest


def whole_number(n: int, at: Sequence[int]) -> Words:
    """Below a million; `at`: the places of its digits, of which it has as many as are written."""
    at = (*[-1] * (6 - len(at)), *at)  # leading zeros are not written
    if n < 1000:
        return below_thousand(n, at[3:])
    high, low = divmod(n, 1000)
    words = below_thousand(high, at[:3]) + plain("thousand", at[2:3] if low else at[2:])
    if not low:
        return words
    return words + (plain("and") if low < 100 else []) + below_thousand(low, at[3:])


def day_of_month(n: int, at: Sequence[int]) -> Words:
    """The first to the thirty first."""
    if n <= 20:
        return plain(FIRSTS[n], at if n >= 10 else at[1:])
    if n == 30:
        return plain("thirtieth", at)
    return plain(TENS[n // 10], at[:1]) + plain(FIRSTS[n % 10], at[1:])


def year(n: int) -> Words:
    """1800 to 2039 at places 0 to 3, as they are spoken."""
    if 2000 <= n < 2010:
        rest = plain("and") + plain(ONES[n % 10], (3,)) if n % 10 else []
        return plain("two", (0,)) + plain("thousand", (1, 2)) + rest
    century, rest = divmod(n, 100)
    words = below_hundred(century, (0, 1))
    if rest == 0:
        return words + plain("hundred", (2, 3))
    if rest < 10:
        return words + plain("oh", (2,)) + plain(ONES[rest], (3,))
    return words + below_hundred(rest, (2, 3))


def dates(rng: random.Random) -> Written:
    """A date in one of six wordings, as 1 9 8 4 - 0 3 - 0 3."""
    y, m = 1800 + int(rng.random() * 240), 1 + int(rng.random() * 12)
    leap = m == 2 and y % 4 == 0 and y != 1800 and y != 1900
    d = 1 + int(rng.random() * (LENGTHS[m - 1] + leap))
    day, month = day_of_month(d, (8, 9)), plain(MONTHS[m - 1], (5, 6))
    said: tuple[Callable[[], Words], ...] = (
        lambda: plain("the") + day + plain("of") + month + year(y),
        lambda: month + plain("the") + day + year(y),
        lambda: (
            plain(f"{_pick(rng, DAYS)} the")
            + day
            + plain("of")
            + month
            + plain("in the year")
            + year(y)
        ),
        lambda: plain("in") + year(y) + plain("on the") + day + plain("of") + month,
        lambda: plain("on") + month + day + year(y),
        lambda: month + day + plain("in") + year(y),
    )
    return _pick(rng, said)(), list(f"{y:04d}-{m:02d}-{d:02d}")


def times(rng: random.Random) -> Written:
    """A clock time, in the twelve hours of conversation or the twenty-four of a timetable."""
    h = int(rng.random() * 24)
    m = int(rng.random() * 60) if rng.random() < 0.6 else 15 * int(rng.random() * 4)
    answer = list(f"{h:02d}:{m:02d}")
    hour, minute = (0, 1), (3, 4)
    if rng.random() < 1 / 3:
        words = plain(ONES[h], hour) if h < 20 else below_hundred(h, hour)
        if m == 0:
            return words + plain("hundred", minute) + plain("hours"), answer
        rest = plain("oh", (3,)) + plain(ONES[m], (4,)) if m < 10 else below_hundred(m, minute)
        return words + rest + plain("hours"), answer
    part = "in the morning" if 5 <= h < 12 else "in the afternoon" if 12 <= h < 18 else "at night"
    part = "in the evening" if 18 <= h < 22 else part
    near = plain(ONES[(h - (m <= 30)) % 12 + 1], hour)  # the hour that is named
    named = {0: "", 15: "a quarter past", 30: "half past", 45: "a quarter to"}
    if m in named:
        before = plain(named[m], minute)
        words = before + near + plain("o'clock" if m == 0 else "")
    else:
        count = m if m < 30 else 60 - m
        say = "minute" if count == 1 else "minutes"
        way = plain(f"{say} {'past' if m < 30 else 'to'}", minute)
        told = [(word, minute) for word, _ in below_hundred(count, minute)]
        words = told + way + near
    return words + plain(part, hour), answer


def numbers(rng: random.Random) -> Written:
    """A number to 999,999: bare, negative, with decimals, per cent or euros."""
    low, high = _pick(
        rng, ((0, 99), (100, 999), (1000, 9999), (1000, 9999), (10_000, 99_999), (100_000, 999_999))
    )
    n = low + int(rng.random() * (high - low + 1))
    digits = list(str(n))
    L = len(digits)
    words = whole_number(n, range(L))
    kind = int(rng.random() * 6)
    if kind == 0 and n:
        moved = [(word, tuple(i + 1 for i in at)) for word, at in words]
        return plain("minus", (0,)) + moved, ["-", *digits]
    if kind == 1:
        after = str(1 + int(rng.random() * 99))
        spoken = [(ONES[int(c)], (L + 1 + i,)) for i, c in enumerate(after)]
        return words + plain("point", (L,)) + spoken, [*digits, ".", *after]
    if kind == 2:
        return words + plain("per cent", (L,)), [*digits, "%"]
    if kind == 3:
        cents = int(rng.random() * 100)
        words = words + plain("euro" if n == 1 else "euros", (L + 3,))
        if cents:
            coin = plain("cent" if cents == 1 else "cents")
            words += plain("and") + below_hundred(cents, (L + 1, L + 2)) + coin
        return words, [*digits, ".", *f"{cents:02d}", "EUR"]
    return words, digits


KINDS = {"date": (dates, 0.45), "time": (times, 0.15), "number": (numbers, 0.4)}


@cache
def build() -> Dataset:
    """The corpus; no source stands in two splits."""
    rng = random.Random(SEED)
    seen: set[str] = set()
    pairs: list[Example] = []
    total = sum(SIZES.values())
    for kind, (write, share) in KINDS.items():
        wanted = len(pairs) + round(share * total)
        while len(pairs) < wanted:
            words, answer = write(rng)
            text = " ".join(word for word, _ in words)
            if text in seen:
                continue
            seen.add(text)
            more = (("kind", kind), ("alignment", alignment(words, len(answer))))
            pairs.append(Example("", text, (" ".join(answer),), more=more))
    pairs = shuffled(pairs, rng)
    splits: list[tuple[Example, ...]] = []
    for part, size in SIZES.items():
        mine, pairs = pairs[:size], pairs[size:]
        named = (
            Example(f"normal-forms-{part}-{i}", e.text, e.answers, more=e.more)
            for i, e in enumerate(mine, 1)
        )
        splits.append(tuple(named))
    return Dataset("normal-forms", (), *splits, about=ABOUT)


def alignment(words: Words, length: int) -> str:
    """For each token of the answer the words that decide it."""
    found: list[list[str]] = [[] for _ in range(length)]
    for place, (_, decided) in enumerate(words):
        for at in decided:
            if at >= 0:
                found[at].append(str(place))
    return " ".join("+".join(places) or "." for places in found)


def _pick(rng: random.Random, options: Sequence[T]) -> T:
    return options[int(rng.random() * len(options))]
