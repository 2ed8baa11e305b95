"""Whether robustness to δ is robustness to replaced words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, right
from advlab.records import Example

if TYPE_CHECKING:
    from advlab.model.victim import Victim


@dataclass(frozen=True)
class CarryFacts:
    """Shares of texts still read right, of both models."""

    eps: float
    texts: int
    plain_vectors: float  # under PGD-20
    robust_vectors: float
    plain_words: float  # with one word replaced (HotFlip)
    robust_words: float

    @property
    def vectors_gained(self) -> float:
        """Points under PGD-20."""
        return 100 * (self.robust_vectors - self.plain_vectors)

    @property
    def words_gained(self) -> float:
        """Points with one word replaced."""
        return 100 * (self.robust_words - self.plain_words)

    @property
    def outcome(self) -> str:
        """Whether less is gained under replaced words than under δ."""
        if self.vectors_gained <= 0:
            return "no_gain"
        return "less" if self.words_gained < self.vectors_gained / 2 else "carries"


OUTCOMES = ("less", "carries", "no_gain")


def observe(models: Models, lesson: Lesson) -> CarryFacts:
    """Both models under both kinds of attack."""
    from advlab.attacks import PGD

    texts = drawn(models.texts, lesson.texts)
    attack = PGD(lesson.eps, steps=20, step_size=0.2)
    return CarryFacts(
        eps=lesson.eps,
        texts=len(texts),
        plain_vectors=right(models.plain, texts, attack),
        robust_vectors=right(models.robust, texts, attack),
        plain_words=_replaced(models.plain, texts),
        robust_words=_replaced(models.robust, texts),
    )


def _replaced(victim: Victim, texts: list[Example]) -> float:
    """Share read right whatever single word is replaced."""
    from advlab.attacks.batches import by_length
    from advlab.attacks.hotflip import HotFlip

    standing = 0
    with victim.analysing():
        for _, batch in by_length(victim, texts, 64):
            standing += int((~HotFlip(1)(victim, batch).flipped).sum())
    return standing / len(texts)
