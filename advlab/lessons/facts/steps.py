"""How much noise, guessing, one gradient step and many leave right, at the same length."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, right


@dataclass(frozen=True)
class StepsFacts:
    """Shares of texts read right, plain model; and one step against many on the robust one."""

    eps: float
    texts: int
    clean: float
    noise: float
    guessing: float  # SPSA, no gradients
    one: float  # FGM
    many: float  # PGD-20
    robust_one: float
    robust_many: float

    @property
    def hidden(self) -> float:
        """What one step overlooks: points between it and many."""
        return 100 * (self.one - self.many)

    @property
    def robust_hidden(self) -> float:
        """The same on the model that was trained against one step."""
        return 100 * (self.robust_one - self.robust_many)

    @property
    def outcome(self) -> str:
        """Whether noise leaves most right, and many steps least."""
        falling = self.noise >= self.guessing >= self.one >= self.many
        return "ordered" if falling and self.one > self.many else "not_ordered"


OUTCOMES = ("ordered", "not_ordered")


def observe(models: Models, lesson: Lesson) -> StepsFacts:
    """The same texts under four attacks as long."""
    from advlab.attacks import FGM, PGD, SPSA, RandomNoise

    texts, eps = drawn(models.texts, lesson.texts), lesson.eps
    many = PGD(eps, steps=20, step_size=0.2)
    return StepsFacts(
        eps=eps,
        texts=len(texts),
        clean=right(models.plain, texts),
        noise=right(models.plain, texts, RandomNoise(eps, draws=5)),
        guessing=right(models.plain, texts, SPSA(eps, steps=10, samples=8)),
        one=right(models.plain, texts, FGM(eps)),
        many=right(models.plain, texts, many),
        robust_one=right(models.robust, texts, FGM(eps)),
        robust_many=right(models.robust, texts, many),
    )
