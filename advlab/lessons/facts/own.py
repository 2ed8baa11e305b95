"""The learner's own defence beside the starter pair, under several attacks: the worst counts."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.errors import RunError
from advlab.language import _
from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, right


@dataclass(frozen=True)
class OwnFacts:
    """Shares of texts read right."""

    eps: float
    texts: int
    name: str
    own_clean: float
    own_left: float  # whatever the attack
    worst: str  # the attack that leaves least of it
    plain_left: float
    robust_left: float

    @property
    def outcome(self) -> str:
        """Better or not better than the starter's defence."""
        return "better" if self.own_left > self.robust_left else "not_better"


OUTCOMES = ("better", "not_better")


def observe(models: Models, lesson: Lesson) -> OwnFacts:
    """Three models under four attacks; RunError where no own model is trained yet."""
    from advlab.attacks import FGM, PGD, SPSA, AutoPGD

    texts, eps = drawn(models.texts, lesson.texts), lesson.eps
    attacks = {
        "FGM": FGM(eps),
        "PGD-20": PGD(eps, steps=20, step_size=0.2),
        "Auto-PGD": AutoPGD(eps),
        "SPSA": SPSA(eps, steps=10, samples=8),
    }
    own = models.own
    if own is None:
        raise RunError(_("expected a model of your own, but none is trained; train one first"))
    left = {name: right(own, texts, attack) for name, attack in attacks.items()}
    worst = min(left, key=lambda name: left[name])
    return OwnFacts(
        eps=eps,
        texts=len(texts),
        name=own.name,
        own_clean=right(own, texts),
        own_left=left[worst],
        worst=worst,
        plain_left=min(right(models.plain, texts, a) for a in attacks.values()),
        robust_left=min(right(models.robust, texts, a) for a in attacks.values()),
    )
