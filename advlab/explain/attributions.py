"""Attributions by gradients: how each token's vector bears on the target. Captum does the calculus.

Each function takes a `Case` and gives `Scores`. No hook is set except on a view of the model, and
random draws come from a generator of their own: Captum's noise uses the process's dice, which other
threads use too. The same seed gives the same scores whatever else runs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from advlab.explain.targets import Case, Target
from advlab.language import _

ROWS = 64  # rows of one forward and backward pass


@dataclass(frozen=True)
class Scores:
    """What a method gives to each token of N versions of one text."""

    tokens: Tensor  # (N,T)
    spread: Tensor | None = None  # (N,T) SD of one draw, where norms are taken
    draws: Tensor | None = None  # (N,S,T) single draws, whose mean `tokens` is, where terms add up
    start: Tensor | None = None  # () F(baseline), where the baseline is drawn
    note: str = ""  # what this run calls for; empty when all is well


def gradients(target: Target, points: Tensor) -> Tensor:
    """∂F/∂e at each of the points (Captum Saliency): (N,T,D) -> (N,T,D)."""
    from captum.attr import Saliency

    method = Saliency(target)
    return torch.cat(
        [
            method.attribute(part.detach().clone().requires_grad_(), abs=False).detach()
            for part in points.split(ROWS)
        ]
    )


def gradient_norm(case: Case) -> Scores:
    """‖∂F/∂eᵢ‖₂ (Simonyan et al. 2013, arXiv:1312.6034)."""
    return Scores(gradients(case.target, case.views).norm(dim=-1))


def input_x_gradient(case: Case) -> Scores:
    """eᵢ·∂F/∂eᵢ (Shrikumar et al. 2016, arXiv:1605.01713)."""
    from captum.attr import InputXGradient

    found = InputXGradient(case.target).attribute(case.views.clone().requires_grad_())
    return Scores(found.detach().sum(-1))


def integrated_gradients(case: Case, steps: int = 32) -> Scores:
    """∫ (eᵢ−bᵢ)·∂F/∂eᵢ along the line from the baseline, by Gauss–Legendre.

    Sundararajan et al. 2017, arXiv:1703.01365. `steps`: points of the integral.
    """
    from captum.attr import IntegratedGradients

    found = IntegratedGradients(case.target).attribute(
        case.views.clone().requires_grad_(),
        baselines=case.start.expand_as(case.views),
        n_steps=steps,
        method="gausslegendre",
        internal_batch_size=ROWS,
    )
    return Scores(found.detach().sum(-1))


def smooth_grad(case: Case, samples: int = 32, noise: float = 0.25, seed: int = 0) -> Scores:
    """Length of the mean gradient over copies with Gaussian noise on every ordinary token.

    Smilkov et al. 2017, arXiv:1706.03825. `noise`: standard deviation of the noise vector's length
    per token, × mean norm. Clean and perturbed text get the same noise. The spread is the root mean
    square distance of one copy's gradient from the mean.
    """
    dice = torch.Generator().manual_seed(seed)
    T, D = case.views.shape[1:]
    size = noise * case.target.victim.scale.mean_norm / D**0.5
    shift = size * torch.randn(samples, T, D, generator=dice, dtype=case.views.dtype)
    shift = shift.to(case.views.device) * case.ordinary[None, :, None]
    found = torch.stack([gradients(case.target, view + shift) for view in case.views])  # (N,S,T,D)
    spread = found.var(dim=1, correction=0).sum(-1).sqrt()
    return Scores(found.mean(1).norm(dim=-1), spread=spread)


def gradient_shap(case: Case, samples: int = 64, seed: int = 0) -> Scores:
    """Mean of (e−b)·∂F/∂e at random points between the text and random baselines b.

    Lundberg and Lee 2017, arXiv:1705.07874, as expected gradients (Erion et al. 2019,
    arXiv:1906.10670). A baseline has an ordinary word drawn at random from the vocabulary, each as
    likely as any other, at every word. Clean and perturbed text get the same draws.
    """
    victim, dice = case.target.victim, torch.Generator().manual_seed(seed)
    T, device = case.views.shape[1], case.views.device
    choices = victim.ordinary.cpu().nonzero()[:, 0]
    drawn = choices[torch.randint(len(choices), (samples, T), generator=dice)].to(device)
    start = torch.where(
        case.ordinary[None, :, None], victim.table[drawn].to(case.views.dtype), case.views[:1]
    )
    place = torch.rand(samples, 1, 1, generator=dice, dtype=case.views.dtype).to(device)
    draws = torch.stack(
        [shap_draws(case.target, view.expand_as(start), start, place) for view in case.views]
    )
    with torch.no_grad():
        value = torch.cat([case.target(part) for part in start.split(ROWS)]).mean()
    return Scores(draws.mean(1), draws=draws, start=value)


def shap_draws(target: Target, views: Tensor, starts: Tensor, place: Tensor) -> Tensor:
    """(e−b)·∂F/∂e at b + place·(e−b), summed over D: all (S,T,D), place (S,1,1) -> (S,T)."""
    away = views - starts
    return (away * gradients(target, starts + place * away)).sum(-1)


class Scored(nn.Module):
    """A target as a module, so that DeepLift can find the activations of its model."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.model, self.target = target.victim.model, target

    def forward(self, embeds: Tensor) -> Tensor:
        """(N,T,D) -> (N,)."""
        return self.target(embeds)


DEEP_LIFT_GAP = 0.1  # relative convergence delta above which DeepLift's scores are not shown


def deep_lift(case: Case) -> Scores:
    """Differences from the baseline passed back through the activations (the rescale rule).

    Shrikumar et al. 2017, arXiv:1704.02685. On a view of the model, which takes the hooks with it.
    """
    from captum.attr import DeepLift

    target = replace(case.target, victim=case.target.victim.view())
    with warnings.catch_warnings():
        # Captum says that it sets hooks, which are on a view of ours
        warnings.filterwarnings("ignore", message="Setting forward", category=UserWarning)
        found = [
            DeepLift(Scored(target)).attribute(view.clone().requires_grad_(), baselines=case.start)
            for view in case.views.split(1)
        ]
    return Scores(torch.cat(found).detach().sum(-1))


def deep_lift_problem(target: Target) -> str:
    """Why DeepLift's rule does not fit this model's layers; empty when it fits.

    The rule knows activations that are modules of their own. Others it passes through as if they
    were linear, which is another method's answer under DeepLift's name.
    """
    from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR
    from transformers.activations import ACT2CLS

    made = (cls[0] if isinstance(cls, tuple) else cls for cls in ACT2CLS.values())
    kinds = tuple({cls for cls in made if isinstance(cls, type)})
    known = tuple(SUPPORTED_NON_LINEAR)
    linear = {"LinearActivation", "Identity"}
    missed = sorted(
        {
            type(m).__name__
            for m in target.victim.model.modules()
            if isinstance(m, kinds) and type(m) not in known and type(m).__name__ not in linear
        }
    )
    return (
        _("its rule has no answer for the activation {missed}", missed=", ".join(missed))
        if missed
        else ""
    )
