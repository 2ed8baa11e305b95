"""What models are given and what runs say: examples, data sets, events."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_ANSWER = "(no answer)"  # the known answer where a question has none


@dataclass(frozen=True)
class Example:
    """One text with its known answers: a sentence, a context, a source, a history."""

    id: str
    text: str  # what is attacked
    answers: tuple[str, ...] = ()  # a class name, spans, translations, a reply; empty: none known
    beside: str = ""  # read with the text and never perturbed: a question
    place: int | None = None  # where the first answer begins in `text`, in characters
    more: tuple[tuple[str, str], ...] = ()  # further columns of its row, name and value

    @property
    def answer(self) -> str | None:
        """The first known answer."""
        return self.answers[0] if self.answers else None


@dataclass(frozen=True)
class Dataset:
    """Three disjoint splits of examples. `notes` says what the loader did or noticed."""

    name: str
    head: tuple[str, ...]  # the answers that a model's head must know, in order: class names
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    about: str = ""
    notes: tuple[str, ...] = ()
    tested: str = ""  # what `test` is of its source: "all 872 texts of dev.tsv"

    @property
    def majority(self) -> float:
        """Share of `test` that always giving its most frequent answer gets right."""
        return constant(self.test)

    @property
    def fingerprint(self) -> str:
        """12 hex digits of every text, its answers and its split."""
        digest = hashlib.sha256(repr(self.head).encode())
        for split in (self.train, self.validation, self.test):
            for example in split:
                row = "\x00".join(str(part) for part in key_of(example, self.head))
                digest.update(f"{row}\x01".encode("utf-8", "replace"))
            digest.update(b"\x02")
        return digest.hexdigest()[:12]


def constant(examples: tuple[Example, ...] | list[Example]) -> float:
    """Share of the examples that always giving the most frequent answer gets right.

    Of several known answers of an example each is right.
    """
    counts = Counter(answer for example in examples for answer in set(example.answers))
    return max(counts.values(), default=0) / max(len(examples), 1)


def key_of(example: Example, head: tuple[str, ...]) -> list[Any]:
    """What tells an example from others: its text and class number, or all that is read and known."""
    if head and not example.beside and set(example.answers[:1]) <= set(head):
        return [example.text, head.index(example.answers[0]) if example.answers else None]
    return [example.text, example.beside, *example.answers]


@dataclass(frozen=True)
class Event:
    """One line of a run's diary. `kind`: start, step, look, epoch, alarm, note or end."""

    kind: str
    step: int
    time: float  # seconds since 1970
    values: Mapping[str, Any] = field(default_factory=dict)
