"""A written answer under attack: what becomes of it, on both models, and beside noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, flip_of, look, right, written


@dataclass(frozen=True)
class AnswersFacts:
    """The lesson's text under both models, and many texts."""

    eps: float
    clean: str
    attacked: str
    robust_clean: str
    robust_attacked: str
    flip: float | None
    robust_flip: float | None
    flips: int  # of `draws` of noise, plain model
    draws: int
    texts: int
    plain_right: float  # exact answers under PGD
    robust_right: float
    clean_right: float  # of the plain model, not attacked

    @property
    def flip_eps(self) -> str:
        """Where the plain model's answer changes."""
        return written(self.flip, self.eps)

    @property
    def robust_flip_eps(self) -> str:
        """Where the other's does."""
        return written(self.robust_flip, self.eps)

    @property
    def gained(self) -> float:
        """Points of exact answers under attack."""
        return 100 * (self.robust_right - self.plain_right)

    @property
    def outcome(self) -> str:
        """Whose answer changes."""
        plain = self.clean != self.attacked
        robust = self.robust_clean != self.robust_attacked
        return {
            (True, False): "plain_only",
            (True, True): "both",
            (False, True): "robust_only",
            (False, False): "neither",
        }[plain, robust]


OUTCOMES = ("plain_only", "both", "robust_only", "neither")


def observe(models: Models, lesson: Lesson) -> AnswersFacts:
    """One text looked at under both models, some texts counted."""
    from advlab.attacks import PGD

    first, second = look(models.plain, lesson), look(models.robust, lesson, draws=1)
    texts = drawn(models.texts, lesson.texts)
    return AnswersFacts(
        eps=lesson.eps,
        clean=first.clean.answers[0],
        attacked=first.attacked.answers[0],
        robust_clean=second.clean.answers[0],
        robust_attacked=second.attacked.answers[0],
        flip=flip_of(first),
        robust_flip=flip_of(second),
        flips=int(np.sum(first.noise.broken)),
        draws=len(first.noise),
        texts=len(texts),
        plain_right=right(models.plain, texts, PGD(lesson.eps)),
        robust_right=right(models.robust, texts, PGD(lesson.eps)),
        clean_right=right(models.plain, texts),
    )
