"""Gradient attacks on word embeddings: which small δ raises the loss most?

An attack sees a function of embeddings, (B,T,D) -> (B,), and the mask of positions it may touch. It
knows neither the model nor the task, so the same PGD serves classification, spans and sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from advlab.attacks.base import Attack, FlipFn, LossFn, Perturbation
from advlab.attacks.norms import TINY, Ball, P, norm, project, radius, random_in_ball, steepest
from advlab.settings import setting


@dataclass(frozen=True)
class RandomNoise(Attack):
    """Random noise of norm ε, the best of several draws: the null that every attack must beat."""

    draws: int = setting(1, "Draws, of which the worst for the model is kept", low=1, high=1000)

    targeted: ClassVar[bool] = False

    def __call__(
        self,
        loss_fn: LossFn,
        embeds: Tensor,
        perturbable: Tensor,
        generator: torch.Generator | None = None,
        *,
        eps: float | Tensor | None = None,
        flips: FlipFn | None = None,
        keep_path: bool = False,
    ) -> Perturbation:
        limit = self._radius(eps)

        def start(_: int) -> Tensor:
            return random_in_ball(
                embeds, perturbable, limit, self.p, self.ball, generator, surface=True
            )

        return ascend(
            loss_fn,
            embeds,
            perturbable,
            start,
            eps=limit,
            p=self.p,
            ball=self.ball,
            steps=0,
            restarts=self.draws,
            flips=flips,
            keep_path=keep_path,
        )


@dataclass(frozen=True)
class FGSM(Attack):
    """One signed gradient step of length ε (Goodfellow et al. 2015, arXiv:1412.6572)."""

    p: P = setting("linf", "Norm of δ; L∞ gives the sign step of the paper", label="norm of δ")
    eps: float = setting(0.05, "Radius of the ball that holds δ", low=0.0, label="ε")
    targeted: bool = setting(False, "Step towards a given label instead of away from the true one")

    def __call__(
        self,
        loss_fn: LossFn,
        embeds: Tensor,
        perturbable: Tensor,
        generator: torch.Generator | None = None,
        *,
        eps: float | Tensor | None = None,
        flips: FlipFn | None = None,
        keep_path: bool = False,
    ) -> Perturbation:
        return ascend(
            loss_fn,
            embeds,
            perturbable,
            lambda _: torch.zeros_like(embeds),
            eps=self._radius(eps),
            p=self.p,
            ball=self.ball,
            steps=1,
            step_size=1.0,
            targeted=self.targeted,
            flips=flips,
            keep_path=keep_path,
        )


@dataclass(frozen=True)
class FGM(FGSM):
    """One normalised gradient step, ε·g/‖g‖₂ (Miyato et al. 2017, arXiv:1605.07725)."""

    p: P = setting("l2", "Norm of δ; L2 gives the step of the paper", label="norm of δ")
    eps: float = setting(0.5, "Radius of the ball that holds δ", low=0.0, label="ε")


@dataclass(frozen=True)
class PGD(Attack):
    """Projected gradient ascent (Madry et al. 2018, arXiv:1706.06083), keeping the best iterate.

    Departures: the step is a fraction of ε; the best iterate is returned, not the last; the first
    restart may start at 0. Momentum follows Dong et al. 2018 (arXiv:1710.06081): m ← μm + g/‖g‖₁.
    Nesterov's (NI-FGSM, Lin et al. 2020, arXiv:1908.06281) takes g at δ + μ·step·m̂, where momentum is
    about to lead; m̂ is m's steepest direction of length 1, where the paper has m itself.
    """

    steps: int = setting(10, "Gradient steps", low=1, high=1000)
    step_size: float = setting(0.25, "Length of a step", unit="× ε", low=0.0, high=10.0)
    start: Literal["zero", "random"] = setting(
        "zero", "Where the first restart begins; further ones begin at random points of the ball"
    )
    restarts: int = setting(
        1, "Runs from different starts, of which the best is kept", low=1, high=100
    )
    momentum: float = setting(
        0.0, "Share of the previous direction that is kept", low=0.0, high=2.0, advanced=True
    )
    nesterov: bool = setting(
        False,
        "With momentum: the gradient of the point that it is about to lead to; one pass more a step",
        advanced=True,
    )
    targeted: bool = setting(
        False, "Lower the loss of a given label instead of raising the true one's", advanced=True
    )

    def __call__(
        self,
        loss_fn: LossFn,
        embeds: Tensor,
        perturbable: Tensor,
        generator: torch.Generator | None = None,
        *,
        eps: float | Tensor | None = None,
        flips: FlipFn | None = None,
        keep_path: bool = False,
    ) -> Perturbation:
        limit = self._radius(eps)

        def start(restart: int) -> Tensor:
            if restart == 0 and self.start == "zero":
                return torch.zeros_like(embeds)
            return random_in_ball(embeds, perturbable, limit, self.p, self.ball, generator)

        return ascend(
            loss_fn,
            embeds,
            perturbable,
            start,
            eps=limit,
            p=self.p,
            ball=self.ball,
            steps=self.steps,
            step_size=self.step_size,
            restarts=self.restarts,
            momentum=self.momentum,
            nesterov=self.nesterov,
            targeted=self.targeted,
            flips=flips,
            keep_path=keep_path,
        )


def ascend(
    loss_fn: LossFn,
    embeds: Tensor,
    perturbable: Tensor,
    start: Callable[[int], Tensor],
    *,
    eps: float | Tensor,
    p: P,
    ball: Ball,
    steps: int,
    step_size: float = 1.0,
    restarts: int = 1,
    momentum: float = 0.0,
    nesterov: bool = False,
    targeted: bool = False,
    flips: FlipFn | None = None,
    keep_path: bool = False,
) -> Perturbation:
    """The one loop behind every attack here: start, evaluate, keep the best, step, project.

    `start(r)` gives the first δ (B,T,D) of restart r; `step_size` is a fraction of `eps`. The draws
    come in the order of the restarts, so more steps or restarts extend a search, never change it.
    """
    embeds = embeds.detach()
    mask = perturbable.unsqueeze(-1).to(embeds.dtype)  # (B,T,1)
    sign = -1.0 if targeted else 1.0
    step = step_size * radius(eps, embeds)
    B = embeds.shape[0]
    kept: dict[str, Tensor] = {}
    first_flip = torch.full((B,), -1, dtype=torch.long, device=embeds.device)
    flip_delta = torch.zeros_like(embeds)

    for restart in range(restarts):
        delta = project(start(restart).detach() * mask, eps, p, ball)
        velocity = torch.zeros_like(delta)
        best = {
            "score": torch.full((B,), -torch.inf, dtype=embeds.dtype, device=embeds.device),
            "step": torch.zeros(B, dtype=torch.long, device=embeds.device),
            "delta": delta.clone(),
        }
        losses, path = [], []
        for s in range(steps + 1):
            last = s == steps
            elsewhere = nesterov and momentum > 0 and s > 0  # the gradient is not that at δ
            here = not (last or elsewhere)
            delta.requires_grad_(here)
            with torch.set_grad_enabled(here):
                x = embeds + delta
                loss = loss_fn(x)
                # summed, so that no example's gradient depends on its batch mates
                grad = torch.autograd.grad(loss.sum(), delta)[0] if here else None
            delta, loss = delta.detach(), loss.detach()
            losses.append(loss)
            if keep_path:
                path.append(delta)
            better = sign * loss > best["score"]
            best["score"] = torch.where(better, sign * loss, best["score"])
            best["step"] = torch.where(better, s, best["step"])
            best["delta"] = torch.where(better.reshape(-1, 1, 1), delta, best["delta"])
            if flips is not None:
                new = flips(x) & (first_flip < 0)
                first_flip = torch.where(new, s, first_flip)
                flip_delta = torch.where(new.reshape(-1, 1, 1), delta, flip_delta)
            if last:
                break
            if grad is None:
                ahead = delta + momentum * step * steepest(velocity, p, ball)
                grad = gradient(loss_fn, embeds, ahead)
            grad = sign * grad * mask
            if momentum:
                velocity = momentum * velocity + grad / norm(grad, "l1", "example").clamp_min(TINY)
                grad = velocity
            delta = project(delta + step * steepest(grad, p, ball), eps, p, ball)
        found = best | {"losses": torch.stack(losses)}
        if keep_path:
            found["path"] = torch.stack(path)
        kept = _better_of(kept, found) if kept else found

    return Perturbation(
        delta=kept["delta"],
        losses=kept["losses"],
        best_step=kept["step"],
        first_flip=first_flip,
        flip_delta=torch.where((first_flip >= 0).reshape(-1, 1, 1), flip_delta, kept["delta"]),
        path=kept.get("path"),
    )


def gradient(loss_fn: LossFn, embeds: Tensor, delta: Tensor) -> Tensor:
    """(B,T,D) the gradient of the summed loss with respect to δ."""
    delta = delta.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(loss_fn(embeds + delta).sum(), delta)[0]


def _better_of(old: dict[str, Tensor], new: dict[str, Tensor]) -> dict[str, Tensor]:
    """Example by example, everything of the restart with the higher score."""
    wins = new["score"] > old["score"]  # (B,)
    batch_axis = {"losses": 1, "path": 1}
    merged = {}
    for name in old:
        shape = [1] * old[name].ndim
        shape[batch_axis.get(name, 0)] = -1
        merged[name] = torch.where(wins.reshape(shape), new[name], old[name])
    return merged
