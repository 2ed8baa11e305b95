"""Dates, times and numbers: every answer is right, and no split knows another."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from advlab.data import normal_forms as forms
from advlab.data import phrases
from advlab.records import Dataset

DATA = forms.build()
EVERY = (*DATA.train, *DATA.validation, *DATA.test)


def columns(example) -> dict[str, str]:
    return dict(example.more)


@pytest.mark.parametrize(
    ("data", "pinned"),
    [(DATA, "8a6df61c4758"), (phrases.build(), "b5e3458ee467")],
    ids=lambda d: str(d)[:8],
)
def test_fingerprints_are_pinned_and_no_source_stands_twice(data: Dataset, pinned: str) -> None:
    assert data.fingerprint == pinned
    texts = [e.text for split in (data.train, data.validation, data.test) for e in split]
    assert len(set(texts)) == len(texts)
    assert [e.id for e in data.test[:2]] == [f"{data.name}-test-1", f"{data.name}-test-2"]


def test_every_kind_has_its_share_in_every_split() -> None:
    for split, size in forms.SIZES.items():
        kinds = Counter(columns(e)["kind"] for e in getattr(DATA, split))
        assert sum(kinds.values()) == size
        assert kinds["date"] > kinds["number"] > kinds["time"] > 0.1 * size


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "zero"),
        (21, "twenty one"),
        (100, "one hundred"),
        (112, "one hundred and twelve"),
        (1000, "one thousand"),
        (1006, "one thousand and six"),
        (40_250, "forty thousand two hundred and fifty"),
        (300_000, "three hundred thousand"),
        (999_999, "nine hundred and ninety nine thousand nine hundred and ninety nine"),
    ],
)
def test_numbers_are_spoken_as_people_speak_them(n: int, words: str) -> None:
    assert " ".join(w for w, _ in forms.whole_number(n, range(len(str(n))))) == words


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (1800, "eighteen hundred"),
        (1905, "nineteen oh five"),
        (1984, "nineteen eighty four"),
        (2000, "two thousand"),
        (2007, "two thousand and seven"),
        (2013, "twenty thirteen"),
    ],
)
def test_years_are_spoken_as_people_speak_them(y: int, words: str) -> None:
    assert " ".join(w for w, _ in forms.year(y)) == words


def test_answers_are_dates_times_and_numbers() -> None:
    shapes = {
        "date": r"(1[89]|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])",
        "time": r"([01]\d|2[0-3]):[0-5]\d",
        "number": r"-?\d{1,6}(\.\d{1,2}|%|\.\d\dEUR)?",
    }
    for example in EVERY:
        answer = example.answers[0].replace(" ", "")
        assert re.fullmatch(shapes[columns(example)["kind"]], answer), example
        assert all(len(token) == 1 or token == "EUR" for token in example.answers[0].split())


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a quarter to .+ in the afternoon", r"1 [2-7] : 4 5"),
        ("half past .+ at night", r"(2 [23]|0 [0-4]) : 3 0"),
        ("twelve o'clock at night", "0 0 : 0 0"),
        (".+ hundred hours", ". . : 0 0"),
        ("minus .+", r"- .+"),
    ],
)
def test_wordings_mean_what_they_say(text: str, answer: str) -> None:
    found = [e for e in EVERY if re.fullmatch(text, e.text)]
    assert found
    for example in found:
        assert re.fullmatch(answer, example.answers[0]), example


def test_one_source_has_one_answer_and_no_answer_is_frequent() -> None:
    answers = defaultdict(set)
    for example in EVERY:
        answers[example.text].add(example.answers)
    assert all(len(known) == 1 for known in answers.values())
    assert DATA.majority < 0.01


def test_the_alignment_names_words_of_the_source_for_each_token_of_the_answer() -> None:
    hits = 0
    for example in EVERY:
        words, tokens = example.text.split(), example.answers[0].split()
        places = columns(example)["alignment"].split()
        assert len(places) == len(tokens)
        named = [[int(i) for i in p.split("+")] if p != "." else [] for p in places]
        assert all(0 <= i < len(words) for known in named for i in known)
        for token, known in zip(tokens, named, strict=True):
            if token.isdigit() and len(known) == 1 and words[known[0]] in forms.ONES[:10]:
                hits += forms.ONES.index(words[known[0]]) == int(token)
                assert columns(example)["kind"] == "time" or forms.ONES[int(token)] in words
    assert hits > 5000


def test_the_words_without_their_order_do_not_tell_the_answer() -> None:
    """Sources of the very same words have other answers: a bag of words cannot read them."""
    seen: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for example in EVERY:
        seen[tuple(sorted(example.text.split()))].add(example.answers[0])
    assert sum(len(answers) > 1 for answers in seen.values()) > 100


@pytest.mark.parametrize("corpus", [forms, phrases])
def test_what_is_shown_first_is_of_the_kind_and_not_among_the_training_texts(corpus) -> None:
    known = {e.text for e in corpus.build().train}
    words = {word for text in known for word in text.split()}
    for text in corpus.SHOWCASE:
        assert text not in known
        assert set(text.split()) <= words
