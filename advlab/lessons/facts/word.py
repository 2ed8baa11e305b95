"""Which word an attack needs: each word shielded in turn, then attacked alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, flip_of, look, written
from advlab.records import AttackRecord


@dataclass(frozen=True)
class WordFacts:
    """Of the lesson's text under the plain model. ε × mean norm."""

    eps: float
    flip: float | None
    word: str  # whose shielding costs the attack most
    without: float | None  # flip ε without it
    alone: float | None  # flip ε of an attack on it alone
    least: str  # whose shielding costs the attack least
    without_least: float | None
    longest: str  # with the longest δ
    tried: int

    @property
    def flip_eps(self) -> str:
        """With every word attacked."""
        return written(self.flip, self.eps)

    @property
    def without_eps(self) -> str:
        """With that word shielded."""
        return written(self.without, self.eps)

    @property
    def alone_eps(self) -> str:
        """With that word alone attacked."""
        return written(self.alone, self.eps)

    @property
    def least_eps(self) -> str:
        """With the least needed word shielded."""
        return written(self.without_least, self.eps)

    @property
    def outcome(self) -> str:
        """Whether the word with the longest δ is the one that the attack needs most."""
        if self.flip is None:
            return "holds"
        return "same" if self.longest == self.word else "other"


OUTCOMES = ("same", "other", "holds")


def observe(models: Models, lesson: Lesson) -> WordFacts:
    """As many attacks as there are words, and two more."""
    record = look(models.plain, lesson, draws=1)
    spans = _words(record)
    far = 4 * lesson.eps

    def attacked(shield: list[tuple[int, int]]) -> float | None:
        return flip_of(look(models.plain, lesson, draws=1, shield=shield))

    without = {span: attacked([span]) for span in spans}
    known = {span: far if flip is None else flip for span, flip in without.items()}
    needed = max(known, key=lambda span: known[span])
    least = min(known, key=lambda span: known[span])
    token = int(np.argmax(record.delta_norm))
    longest = tuple(map(int, record.spans[token]))
    return WordFacts(
        eps=lesson.eps,
        flip=flip_of(record),
        word=lesson.text[slice(*needed)],
        without=without[needed],
        alone=attacked([span for span in spans if span != needed]),
        least=lesson.text[slice(*least)],
        without_least=without[least],
        longest=lesson.text[slice(*longest)],
        tried=len(spans),
    )


def _words(record: AttackRecord) -> list[tuple[int, int]]:
    """The characters of each word that may be attacked, signs of punctuation left out."""
    found: dict[int, tuple[int, int]] = {}
    for t in np.flatnonzero(record.perturbable).tolist():
        start, end = (int(v) for v in record.spans[t])
        word = int(record.word_of[t])
        found[word] = (found[word][0] if word in found else start, end)
    return [s for s in found.values() if record.text[slice(*s)].strip(".,!?;:")]
