"""How small can δ be and still flip? DeepFool, FMN and Carlini–Wagner: no ball is given, one is found.

Called like other attacks they keep to ε: a δ that is longer is shortened to it. `smallest` gives what
they found, whatever its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from advlab.attacks.base import Attack, Kind, Problem
from advlab.attacks.norms import TINY, Ball, P, norm, project, steepest
from advlab.attacks.scores import margin, scores
from advlab.attacks.tracker import LossFn, Perturbation
from advlab.settings import setting


@dataclass(frozen=True)
class Minimal(Attack):
    """An attack that looks for the shortest δ that flips."""

    kind: ClassVar[Kind] = "minimal"
    efforts: ClassVar[tuple[str, ...]] = ("steps",)

    eps: float = setting(0.5, "Longer δ are shortened to this radius", low=0.0, label="ε")
    steps: int = setting(50, "Gradient steps", low=1, high=2000)

    def brief(self, steps: int, draws: int) -> Self:
        return self.at_most(steps=steps)

    def flipping(self, loss_fn: LossFn, embeds: Tensor, perturbable: Tensor) -> Tensor:
        """(B,T,D) the shortest δ found that flips; not a number where none was found."""
        raise NotImplementedError  # pragma: no cover - each attack says how

    def smallest(
        self, loss_fn: LossFn, embeds: Tensor, perturbable: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B,T,D) the shortest δ that flips and (B,) its norm, raw units; ∞ and 0 where none was found.

        Texts that are misread already have δ = 0.
        """
        delta = self.flipping(loss_fn, embeds.detach(), perturbable)
        missing = delta.isnan().flatten(1).any(1)
        delta = delta.nan_to_num(0.0)
        size = norm(delta, self.p, self.ball).flatten(1).amax(1)
        return delta, torch.where(missing, torch.inf, size)

    def search(self, problem: Problem) -> Perturbation:
        embeds, tracker = problem.embeds, problem.tracker()
        delta, _ = self.smallest(problem.loss_fn, embeds, problem.perturbable)
        for one in (torch.zeros_like(embeds), project(delta, problem.limit, self.p, self.ball)):
            with torch.no_grad():
                asked = problem.ask(embeds + one)
                tracker.see(one, asked.loss, asked.flipped)
        return tracker.found()


@dataclass(frozen=True)
class DeepFool(Minimal):
    """Steps onto the nearest linearised boundary (Moosavi-Dezfooli et al. 2016, arXiv:1511.04599).

    All classes are tried, up to ten; the steps add up and are lengthened by the overshoot.
    """

    title: ClassVar[str] = "DeepFool"

    overshoot: float = setting(0.02, "How far past the boundary", unit="× ‖δ‖", low=0.0, high=1.0)

    def flipping(self, loss_fn: LossFn, embeds: Tensor, perturbable: Tensor) -> Tensor:
        mask = perturbable.unsqueeze(-1).to(embeds.dtype)
        with torch.no_grad():
            clean = scores(loss_fn, embeds)
        rivals = 1 + clean[:, 1:].argsort(1, descending=True)[:, :10]  # (B,R) columns of scores
        total = torch.zeros_like(embeds)
        done = torch.zeros(len(embeds), dtype=torch.bool, device=embeds.device)
        for _ in range(self.steps + 1):
            x = (embeds + (1 + self.overshoot) * total).requires_grad_()
            z = scores(loss_fn, x)
            done = done | (margin(z) > 0)
            if done.all():
                break
            nearest = torch.full((len(embeds),), torch.inf, dtype=x.dtype, device=x.device)
            step = torch.zeros_like(embeds)
            for r in range(rivals.shape[1]):
                gap = z.gather(1, rivals[:, r : r + 1]).squeeze(1) - z[:, 0]
                (w,) = torch.autograd.grad(gap.sum(), x, retain_graph=True)
                w = w * mask
                far = gap.detach().abs() / _slope(w, self.p, self.ball) + 1e-4
                closer = (far < nearest) & ~done
                nearest = torch.where(closer, far, nearest)
                there = far.reshape(-1, 1, 1) * steepest(w, self.p, self.ball)
                step = torch.where(closer.reshape(-1, 1, 1), there, step)
            total = total + step
        return torch.where(done.reshape(-1, 1, 1), (1 + self.overshoot) * total, torch.nan)


@dataclass(frozen=True)
class FMN(Minimal):
    """Shrinks ε while δ flips and grows it while not (Pintor et al. 2021, arXiv:2102.12827).

    L2, L∞ or L1, a ball for the text or for each token. Steps and the change of ε fall by a cosine.
    """

    title: ClassVar[str] = "FMN"

    steps: int = setting(100, "Gradient steps", low=1, high=2000)
    step_size: float = setting(
        2.0, "First step, × the linearised distance to the boundary", low=0.0
    )
    gamma: float = setting(0.05, "First relative change of ε", low=0.0, high=1.0, label="γ")

    def flipping(self, loss_fn: LossFn, embeds: Tensor, perturbable: Tensor) -> Tensor:
        mask = perturbable.unsqueeze(-1).to(embeds.dtype)
        B = len(embeds)
        delta = torch.zeros_like(embeds)
        best = torch.full_like(embeds, torch.nan)
        shortest = torch.full((B,), torch.inf, dtype=embeds.dtype, device=embeds.device)
        eps = torch.full_like(shortest, torch.inf)
        reach = None  # scale of the steps: the first estimate of the distance to the boundary
        for s in range(self.steps + 1):
            x = (embeds + delta).requires_grad_()
            gap = margin(scores(loss_fn, x))
            (grad,) = torch.autograd.grad(gap.sum(), x)
            grad, gap = grad * mask, gap.detach()
            size = norm(delta, self.p, self.ball).flatten(1).amax(1)
            flips = gap > 0
            closer = flips & (size < shortest)
            shortest = torch.where(closer, size, shortest)
            best = torch.where(closer.reshape(-1, 1, 1), delta, best)
            if s == self.steps:
                break
            away = gap.abs() / _slope(grad, self.p, self.ball)  # to the linearised boundary
            reach = away if reach is None else reach
            fall = (1 + torch.cos(torch.tensor(torch.pi * s / self.steps))) / 2
            shrunk = torch.minimum(eps, shortest) * (1 - self.gamma * fall)
            never = shortest.isinf()
            # a little past the boundary, so that no rounding error decides
            grown = torch.where(never, 1.01 * (size + away), eps * (1 + self.gamma * fall))
            eps = torch.where(flips, shrunk.nan_to_num(posinf=torch.inf), grown)
            length = (self.step_size * fall * reach).reshape(-1, 1, 1)
            delta = delta + length * steepest(grad, self.p, self.ball)
            delta = project(delta, eps.clamp_max(1e12), self.p, self.ball)
        return best


def _slope(grad: Tensor, p: P, ball: Ball) -> Tensor:
    """(B,) how fast the loss rises along the steepest direction: the gradient's dual norm."""
    dual: dict[P, P] = {"l2": "l2", "linf": "l1", "l1": "linf"}
    return norm(grad, dual[p], ball).flatten(1).sum(1).clamp_min(TINY)


@dataclass(frozen=True)
class CarliniWagner(Minimal):
    """Adam on ‖δ‖₂² + c·max(−margin, 0), c by bisection (Carlini and Wagner 2017, arXiv:1608.04644).

    δ itself is optimised: embeddings have no box, so there is no tanh. What becomes small is L2 over
    the whole text, whatever ball is chosen: the smallest L∞ or L1 δ, or a ball a word, is for fmn.
    """

    title: ClassVar[str] = "Carlini–Wagner"
    efforts: ClassVar[tuple[str, ...]] = ("steps", "searches")

    p: P = setting(
        "l2",
        "Norm of the ball that a longer δ is shortened to; the search itself makes L2 small",
        label="norm of δ",
    )

    steps: int = setting(100, "Adam steps for each constant c", low=1, high=2000)
    searches: int = setting(6, "Constants c that are tried", low=1, high=20)
    lr: float = setting(
        0.02, "Adam's step, × the root mean square of the text's embedding coordinates", low=0.0
    )

    def brief(self, steps: int, draws: int) -> Self:
        return self.at_most(steps=steps, searches=2)

    def flipping(self, loss_fn: LossFn, embeds: Tensor, perturbable: Tensor) -> Tensor:
        mask = perturbable.unsqueeze(-1).to(embeds.dtype)
        B, _, D = embeds.shape
        count = (mask.sum((1, 2)) * D).clamp_min(1)
        unit = ((embeds * mask).pow(2).sum((1, 2)) / count).sqrt().clamp_min(TINY)  # (B,)
        scale = unit.reshape(-1, 1, 1) * mask  # Adam moves every coordinate by about `lr` of this
        low = torch.zeros(B, dtype=embeds.dtype, device=embeds.device)
        high = torch.full_like(low, torch.inf)
        c = unit.pow(2) * D
        shortest = torch.full_like(low, torch.inf)
        best = torch.full_like(embeds, torch.nan)
        for _ in range(self.searches):
            free = torch.zeros_like(embeds).requires_grad_()
            adam = torch.optim.Adam([free], lr=self.lr)
            won = torch.zeros(B, dtype=torch.bool, device=embeds.device)
            for _ in range(self.steps + 1):
                delta = scale * free
                gap = margin(scores(loss_fn, embeds + delta))
                squared = delta.pow(2).sum((1, 2))
                size = squared.detach().sqrt()
                flips = gap.detach() > 0
                won |= flips
                closer = flips & (size < shortest)
                shortest = torch.where(closer, size, shortest)
                best = torch.where(closer.reshape(-1, 1, 1), delta.detach(), best)
                total = (squared + c * (-gap).clamp_min(0)).sum()
                (free.grad,) = torch.autograd.grad(total, free)
                adam.step()
            high = torch.where(won, c, high)
            low = torch.where(won, low, c)
            c = torch.where(high.isinf(), 10 * c, (low + high) / 2)
        return best
