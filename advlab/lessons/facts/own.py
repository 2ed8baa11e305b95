"""The learner's own defence beside the starter pair, under several attacks: the worst counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advlab.errors import RunError
from advlab.language import _
from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, right
from advlab.records import Example


@dataclass(frozen=True)
class OwnFacts:
    """Shares of texts read right."""

    eps: float
    texts: int
    name: str
    own_clean: float
    own_left: float  # whatever the attack
    constant: bool  # it gives the same answer to every text
    worst: str  # the attack that leaves least of it
    plain_left: float
    robust_left: float

    @property
    def outcome(self) -> str:
        """Better or not better than the starter's defence, or a training that has collapsed."""
        if self.constant:
            return "collapsed"
        return "better" if self.own_left > self.robust_left else "not_better"


OUTCOMES = ("better", "not_better", "collapsed")


def observe(models: Models, lesson: Lesson) -> OwnFacts:
    """Three models under four attacks; RunError where no own model is trained yet."""
    from advlab.attacks import FGM, PGD, SPSA, AutoPGD
    from advlab.attacks.evaluate import survives

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
    read = survives(own, texts)
    left = {name: right(own, texts, attack) for name, attack in attacks.items()}
    worst = min(left, key=lambda name: left[name])
    return OwnFacts(
        eps=eps,
        texts=len(texts),
        name=own.name,
        own_clean=sum(read) / len(texts),
        constant=_constant(texts, read),
        own_left=left[worst],
        worst=worst,
        plain_left=min(right(models.plain, texts, a) for a in attacks.values()),
        robust_left=min(right(models.robust, texts, a) for a in attacks.values()),
    )


def _constant(texts: Sequence[Example], read: Sequence[bool]) -> bool:
    """Whether what is read right is all texts of one of several answers: it says nothing else."""
    said = {text.answers for text, well in zip(texts, read, strict=True) if well}
    known = {text.answers for text in texts}
    whole = all(well for text, well in zip(texts, read, strict=True) if text.answers in said)
    return len(said) < 2 <= len(known) and whole
