"""Where the attacked vectors are: still their own tokens, or others; and what that reads as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, look


@dataclass(frozen=True)
class PlaceFacts:
    """The lesson's text under the plain model, then many texts."""

    clean: str
    attacked: str
    read_again: str  # what the text says that the vectors are nearest to
    tokens: int
    moved: int  # tokens whose vector is nearest to another one's
    factor: float  # so many times longer δ must be until the first token changes
    nearest: float  # δ as a share of the way to another token, on the token that is nearest to one
    texts: int
    flipped: int  # texts whose answer the attack changes
    by_words: int  # of these, with any token changed
    reverted: int  # of these, read as before once written as text

    @property
    def moved_band(self) -> str:
        """none, one or more tokens are nearest to another one."""
        return ("none", "one", "more")[min(self.moved, 2)]

    @property
    def again(self) -> str:
        """clean: read as text again, the first answer is back."""
        return "clean" if self.read_again == self.clean else "attacked"

    @property
    def outcome(self) -> str:
        """Whether the answer flips without any token becoming another."""
        if self.clean == self.attacked:
            return "holds"
        return "words" if self.moved else "no_sentence"


OUTCOMES = ("no_sentence", "words", "holds")


def observe(models: Models, lesson: Lesson) -> PlaceFacts:
    """One text looked at, some texts counted."""
    from advlab.attacks import PGD
    from advlab.explain.explore import explore

    record = look(models.plain, lesson, draws=1)
    moving = record.perturbable & (record.delta_norm > 0)
    ways = record.exit_radius[moving] / record.delta_norm[moving]
    factor = float(np.min(ways)) if ways.size else float("inf")
    texts = drawn(models.texts, lesson.texts)
    looked = [
        explore(models.plain, e.text, beside=e.beside, attack=PGD(lesson.eps), draws=1, points=2)
        for e in texts
    ]
    broken = [r for r in looked if r.flipped]
    return PlaceFacts(
        clean=record.clean.answers[0],
        attacked=record.attacked.answers[0],
        read_again=record.round_trip.answers[0],
        tokens=int(record.perturbable.sum()),
        moved=int(record.moved.sum()),
        factor=factor,
        nearest=1 / factor,
        texts=len(texts),
        flipped=len(broken),
        by_words=sum(bool(r.moved.any()) for r in broken),
        reverted=sum(not r.round_trip.broken[0] for r in broken),
    )
