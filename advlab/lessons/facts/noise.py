"""A nudge that flips the answer, beside random nudges of the same length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, flip_of, look, right, written


@dataclass(frozen=True)
class NoiseFacts:
    """The lesson's text under both models, and many texts under the plain one."""

    clean: str
    clean_share: float
    attacked: str
    attacked_share: float
    flip: float | None  # × mean norm, plain model
    robust_flip: float | None
    eps: float
    flips: int  # of `draws` of noise
    draws: int
    texts: int
    clean_right: float
    noise_right: float  # of the texts, the worst of five draws
    attacked_right: float

    @property
    def flip_eps(self) -> str:
        """Where the plain model's answer flips."""
        return written(self.flip, self.eps)

    @property
    def robust_flip_eps(self) -> str:
        """Where the other's does."""
        return written(self.robust_flip, self.eps)

    @property
    def flip_at(self) -> float:
        """The plain model's flip as a number; twice ε where none was found."""
        return 2 * self.eps if self.flip is None else self.flip

    @property
    def noise_band(self) -> str:
        """none, some or most of the random nudges flip the answer."""
        if self.flips == 0:
            return "none"
        return "some" if self.flips <= self.draws / 2 else "most"

    @property
    def noise_share(self) -> float:
        """Share of the random nudges that flip the answer."""
        return self.flips / self.draws

    @property
    def outcome(self) -> str:
        """Whether the attack flips the answer, and noise does."""
        if self.clean == self.attacked:
            return "holds"
        return "attack_only" if self.flips == 0 else "noise_too"


OUTCOMES = ("attack_only", "noise_too", "holds")


def observe(models: Models, lesson: Lesson) -> NoiseFacts:
    """One text looked at, some texts counted."""
    from advlab.attacks import PGD, RandomNoise

    record, other = look(models.plain, lesson), look(models.robust, lesson, draws=1)
    texts = drawn(models.texts, lesson.texts)
    return NoiseFacts(
        clean=record.clean.answers[0],
        clean_share=float(record.clean.sure[0]),
        attacked=record.attacked.answers[0],
        attacked_share=float(record.attacked.sure[0]),
        flip=flip_of(record),
        robust_flip=flip_of(other),
        eps=lesson.eps,
        flips=int(np.sum(record.noise.broken)),
        draws=len(record.noise),
        texts=len(texts),
        clean_right=right(models.plain, texts),
        noise_right=right(models.plain, texts, RandomNoise(lesson.eps, draws=5)),
        attacked_right=right(models.plain, texts, PGD(lesson.eps)),
    )
