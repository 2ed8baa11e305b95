"""What adversarial training costs and gains, on the same texts."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, right
from advlab.runs.standing import standing


@dataclass(frozen=True)
class CostFacts:
    """Shares of texts read right, clean and under PGD-20; time of a step."""

    eps: float
    texts: int
    plain_clean: float
    robust_clean: float
    plain_attacked: float
    robust_attacked: float
    times: float  # time of a step, in plain steps

    @property
    def gained(self) -> float:
        """Points under attack."""
        return 100 * (self.robust_attacked - self.plain_attacked)

    @property
    def lost(self) -> float:
        """Points without attack; below 0 it gained."""
        return 100 * (self.plain_clean - self.robust_clean)

    @property
    def outcome(self) -> str:
        """worth: it gains more under attack than it loses without."""
        if self.gained <= 0:
            return "no_gain"
        return "worth" if self.gained > self.lost else "dear"


OUTCOMES = ("worth", "dear", "no_gain")


def observe(models: Models, lesson: Lesson) -> CostFacts:
    """Both models, clean and attacked."""
    from advlab.attacks import PGD

    texts = drawn(models.texts, lesson.texts)
    attack = PGD(lesson.eps, steps=20, step_size=0.2)
    return CostFacts(
        eps=lesson.eps,
        texts=len(texts),
        plain_clean=right(models.plain, texts),
        robust_clean=right(models.robust, texts),
        plain_attacked=right(models.plain, texts, attack),
        robust_attacked=right(models.robust, texts, attack),
        times=float(standing(models.robust_run).cost or float("nan")),
    )
