"""Where does the model look? Captum's attributions on embeddings, summed to words.

What is explained is a margin, the logit of one class minus that of a fixed other one: logits do not
saturate, and a margin is what a flip changes. All methods here run on weight-sharing views.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.errors import SettingError, unknown
from advlab.records import Saliency

if TYPE_CHECKING:
    from advlab.tasks import Batch
    from advlab.victim import Victim


@dataclass(frozen=True)
class Margin:
    """Logit of `target` minus logit of `other`, for embeddings of one text: (N,T,D) -> (N,)."""

    victim: Victim
    batch: Batch  # of one text
    target: int
    other: int

    def __call__(self, embeds: Tensor) -> Tensor:
        logits = self.victim.logits(embeds, self.batch.repeat(embeds.shape[0]))
        return logits[:, self.target] - logits[:, self.other]

    @property
    def words(self) -> str:
        """What is explained, for people."""
        names = self.victim.label_names
        return f"logit of {names[self.target]} − logit of {names[self.other]}"


@dataclass(frozen=True)
class Attribution:
    """Scores of each token on N views of one text, and how complete they are."""

    scores: Tensor  # (N,T)
    signed: bool
    completeness: Tensor | None = None  # (N,) relative error
    baseline: str = ""


def gradient_norm(margin: Margin, views: Tensor) -> Attribution:
    """‖∂margin/∂eᵢ‖₂ of each token (Captum Saliency): sensitivity, unsigned."""
    from captum.attr import Saliency as Captum

    found = Captum(margin).attribute(views.clone().requires_grad_(), abs=False)
    return Attribution(found.detach().norm(dim=-1), signed=False)


def input_x_gradient(margin: Margin, views: Tensor) -> Attribution:
    """eᵢ·∂margin/∂eᵢ of each token (Captum InputXGradient): local, signed, not complete."""
    from captum.attr import InputXGradient

    found = InputXGradient(margin).attribute(views.clone().requires_grad_())
    return Attribution(found.detach().sum(-1), signed=True)


def integrated_gradients(margin: Margin, views: Tensor, steps: int = 32) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365), Gauss–Legendre, from [PAD].

    The baseline has the padding row at every ordinary token and keeps the special ones. The scores
    of a text should sum to margin(x) − margin(baseline); `completeness` is the relative gap.
    """
    from captum.attr import IntegratedGradients

    victim = margin.victim
    pad = victim.table[victim.tokenizer.pad_token_id].to(views.dtype)
    baseline = torch.where(margin.batch.perturbable.unsqueeze(-1), pad, views)
    found = IntegratedGradients(margin).attribute(
        views, baselines=baseline, n_steps=steps, method="gausslegendre"
    )
    scores = found.detach().sum(-1)
    with torch.no_grad():
        rise = margin(views) - margin(baseline)
    gap = (scores.sum(1) - rise).abs() / rise.abs().clamp_min(1e-6)
    return Attribution(scores, signed=True, completeness=gap, baseline="[PAD] at every word")


SALIENCY = {
    "saliency": gradient_norm,
    "input_x_gradient": input_x_gradient,
    "integrated_gradients": integrated_gradients,
}


def to_words(scores: Tensor, word_of: Sequence[int], signed: bool) -> tuple[Tensor, float]:
    """Token scores (T,) -> word scores (W,) and the special tokens' remainder.

    Signed scores add up. Norms of gradients combine as the norm of the joined gradient.
    """
    W = max(word_of, default=-1) + 1
    places = torch.tensor([w if w >= 0 else W for w in word_of])
    values = scores.double().cpu()
    sums = torch.zeros(W + 1, dtype=torch.float64)
    sums.index_add_(0, places, values if signed else values.pow(2))
    sums = sums if signed else sums.sqrt()
    return sums[:W], float(sums[W])


def explain(
    method: str, margin: Margin, clean: Tensor, adversarial: Tensor, word_of: Sequence[int]
) -> Saliency:
    """One method on the clean and the perturbed embeddings (each (1,T,D)) of one text."""
    if method not in SALIENCY:
        raise SettingError(unknown("saliency method", method, SALIENCY))
    with warnings.catch_warnings():
        # Captum sets requires_grad on inputs that lack it and says so
        warnings.filterwarnings("ignore", message="Input Tensor", category=UserWarning)
        found = SALIENCY[method](margin, torch.cat([clean, adversarial]))
    words = [to_words(found.scores[i], word_of, found.signed) for i in (0, 1)]
    complete = found.completeness.tolist() if found.completeness is not None else [None, None]
    return Saliency(
        method=method,
        target=margin.words,
        clean=found.scores[0].cpu().numpy(),
        adversarial=found.scores[1].cpu().numpy(),
        signed=found.signed,
        words_clean=words[0][0].numpy(),
        words_adversarial=words[1][0].numpy(),
        remainder_clean=words[0][1],
        remainder_adversarial=words[1][1],
        completeness_clean=complete[0],
        completeness_adversarial=complete[1],
        baseline=found.baseline,
    )
