"""How does a list of templates become a data set? A small text generator and a fixed split.

A template is a sentence with slots: `{verdict}` is filled from the rule "verdict". A rule may
differ by class (`"verdict/0"`, `"verdict/1"`), and `{!verdict}` takes the other class's rule, so
that "{clause}, but {!clause}" is written once and serves both classes. A rule is a tuple of
templates, or a function of the writer and the class for what needs agreement.

Same seed, same texts, on every machine and Python: the only source of chance is
`random.Random(seed).random()`, the one method whose sequence Python promises to keep, and nothing
is ever taken from a set or a hash in order.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advlab.records import Dataset, Example
from advlab.records.script import pieces

Rule = Sequence[str] | Callable[["Writer", int], str]

_SLOT = re.compile(r"\{(!?)([a-z_]+)\}")
_ARTICLE = re.compile(r"\b([Aa])n?(?= (\w+))")
_START = re.compile(r"(^|[.!?] )([a-z])")
# spelt with a vowel, spoken with a consonant, and the reverse
_CONSONANT = ("use", "usu", "unif", "uniq", "unit", "univ", "eu", "one", "once")
_VOWEL = ("hour", "honest", "honour", "heir")


@dataclass(frozen=True)
class Kind:
    """Templates that show one phenomenon, and how many texts each class gets from them."""

    name: str
    count: int
    templates: tuple[str, ...]
    label: int | None = None  # None: the templates serve every class
    finish: Callable[[str, random.Random], str] | None = (
        None  # the last touch, on the polished text
    )


@dataclass(frozen=True)
class Sentence:
    """A finished text with its class and the phenomenon it came from."""

    text: str
    label: int
    kind: str


@dataclass
class Writer:
    """One text in the making. `notes` is where functional rules keep what must agree."""

    rules: Mapping[str, Rule]
    rng: random.Random
    label: int  # the text's class
    tally: Counter[Any] = field(default_factory=Counter)  # of `even`, shared by all texts
    used: set[str] = field(default_factory=set)
    notes: dict[str, Any] = field(default_factory=dict)

    def pick(self, options: Sequence[str]) -> str:
        """One option at random, none twice in a text while others are left."""
        fresh = [option for option in options if option not in self.used] or options
        choice = fresh[int(self.rng.random() * len(fresh))]
        self.used.add(choice)
        return choice

    def even(self, options: Sequence[str]) -> str:
        """As `pick`, but of eight the one that this class has least before the others, then least.

        So long lists wear evenly, and no rare word gives the class away by chance.
        """

        def worn(option: str) -> tuple[bool, int, int]:
            mine, every = self.tally[self.label, option], self.tally[None, option]
            return option in self.used, 2 * mine - every, every

        choice = min((options[int(self.rng.random() * len(options))] for _ in range(8)), key=worn)
        self.tally[self.label, choice] += 1
        self.tally[None, choice] += 1
        self.used.add(choice)
        return choice

    def fill(self, template: str, label: int) -> str:
        """`template` with its slots filled, left to right, recursively."""

        def slot(match: re.Match[str]) -> str:
            side = 1 - label if match[1] else label
            rule = self.rules.get(f"{match[2]}/{side}") or self.rules[match[2]]
            if callable(rule):
                return rule(self, side)
            return self.fill(self.pick(rule), side)

        return _SLOT.sub(slot, template)


def polish(text: str, *, capitals: bool = True) -> str:
    """Right articles before vowels, single spaces, capitals at sentence starts."""

    def article(match: re.Match[str]) -> str:
        word = match[2].lower()
        vowel = word.startswith(_VOWEL) or (word[0] in "aeiou" and not word.startswith(_CONSONANT))
        return match[1] + ("n" if vowel else "")

    text = _ARTICLE.sub(article, " ".join(text.split()))
    return _START.sub(lambda m: m[1] + m[2].upper(), text) if capitals else text


def normal_form(text: str) -> str:
    """What two texts must differ in: words without case, punctuation and spacing."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def write(
    rules: Mapping[str, Rule],
    kinds: Sequence[Kind],
    labels: int,
    *,
    seed: int,
    longest: int = 34,
    finish: Callable[[str, random.Random], str] = lambda text, rng: text,
) -> list[Sentence]:
    """`count` distinct texts of at most `longest` words for every kind and class.

    A Chinese character, or a sign of full width, is a word.

    Raises `RuntimeError` when the templates of a kind cannot yield so many distinct texts.
    """
    rng = random.Random(seed)
    seen: set[str] = set()
    tally: Counter[Any] = Counter()
    sentences: list[Sentence] = []
    for kind in kinds:
        for label in range(labels) if kind.label is None else (kind.label,):
            wanted, tries = len(sentences) + kind.count, 0
            while len(sentences) < wanted:
                tries += 1
                if tries > 60 * kind.count:
                    raise RuntimeError(f"the templates of {kind.name!r} yield too few texts")
                writer = Writer(rules, rng, label, tally)
                text = polish(finish(writer.fill(writer.pick(kind.templates), label), rng))
                text = kind.finish(text, rng) if kind.finish else text
                key = normal_form(text)
                if key in seen or len(pieces(text)) > longest:
                    continue
                seen.add(key)
                sentences.append(Sentence(text, label, kind.name))
    return sentences


def shuffled(items: Sequence[Any], rng: random.Random) -> list[Any]:
    """A Fisher-Yates shuffle on `rng.random()` alone."""
    items = list(items)
    for i in range(len(items) - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        items[i], items[j] = items[j], items[i]
    return items


def split(
    name: str,
    label_names: tuple[str, ...],
    sentences: Sequence[Sentence],
    *,
    seed: int,
    about: str,
    validation: float = 0.12,
    test: float = 0.18,
) -> Dataset:
    """A data set with the same share of every class in train, validation and test."""
    rng = random.Random(seed)
    parts: dict[str, list[Sentence]] = {"train": [], "validation": [], "test": []}
    for label in range(len(label_names)):
        mine = shuffled([s for s in sentences if s.label == label], rng)
        v, t = round(validation * len(mine)), round(test * len(mine))
        parts["validation"] += mine[:v]
        parts["test"] += mine[v : v + t]
        parts["train"] += mine[v + t :]
    done = {
        part: tuple(
            Example(
                f"{name}-{part}-{i}",
                s.text,
                (label_names[s.label],),
                more=(("construction", s.kind),),
            )
            for i, s in enumerate(shuffled(mine, rng), 1)
        )
        for part, mine in parts.items()
    }
    return Dataset(name, label_names, done["train"], done["validation"], done["test"], about=about)
