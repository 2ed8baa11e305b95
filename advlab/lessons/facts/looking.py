"""What methods of attribution say of one text, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, look
from advlab.records import Saliency
from advlab.records.estimates import rank_correlation

METHODS = ("saliency", "input_x_gradient", "integrated_gradients", "leave_one_out")


@dataclass(frozen=True)
class LookingFacts:
    """The strongest word of each method under the plain model, and rank correlations."""

    gradient: str
    input_gradient: str
    integrated: str
    left_out: str  # whose leaving out changes the margin most
    agreement: float  # of integrated gradients with leaving out: Spearman's ρ
    gradient_agreement: float  # of the gradient's length with it
    baselines: float  # ρ of integrated gradients from PAD and from MASK

    @property
    def different(self) -> int:
        """How many words are called the strongest by one method or another."""
        return len({self.gradient, self.input_gradient, self.integrated, self.left_out})

    @property
    def outcome(self) -> str:
        """agree: one word for all."""
        return "agree" if self.different == 1 else "disagree"


OUTCOMES = ("disagree", "agree")


def observe(models: Models, lesson: Lesson) -> LookingFacts:
    """Four methods and a second baseline on one text."""
    from advlab.explain.explore import analyse

    record = look(models.plain, lesson, draws=1)

    def asked(method: str, **options: str) -> Saliency:
        return analyse(models.plain, record, "saliency", method=method, **options)

    found = {m: asked(m) for m in METHODS}
    sizes = {m: np.abs(s.clean.words) for m, s in found.items()}
    strongest = {m: record.words[int(np.argmax(v))] for m, v in sizes.items()}
    masked = asked("integrated_gradients", baseline="mask").clean.words
    out = found["leave_one_out"].clean.words
    return LookingFacts(
        gradient=strongest["saliency"],
        input_gradient=strongest["input_x_gradient"],
        integrated=strongest["integrated_gradients"],
        left_out=strongest["leave_one_out"],
        agreement=_rho(found["integrated_gradients"].clean.words, out),
        gradient_agreement=_rho(sizes["saliency"], np.abs(out)),
        baselines=_rho(found["integrated_gradients"].clean.words, masked),
    )


def _rho(values: np.ndarray, others: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where one side is flat."""
    found = rank_correlation(values, others)
    return float("nan") if found is None else found
