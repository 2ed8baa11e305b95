"""Gradient ascent on δ: the one loop behind every attack that follows the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.base import Problem
from advlab.attacks.norms import TINY, Ball, P, norm, project, radius, steepest
from advlab.attacks.scores import ask
from advlab.attacks.tracker import FlipFn, LossFn, Perturbation, better_of


@dataclass(frozen=True)
class Ascent:
    """How one climbs; `PGD` says what momentum and Nesterov's are."""

    p: P
    ball: Ball
    steps: int
    step_size: float = 1.0  # × ε
    restarts: int = 1
    momentum: float = 0.0
    nesterov: bool = False
    targeted: bool = False

    @property
    def sign(self) -> float:
        """1, or −1 where the loss is lowered."""
        return -1.0 if self.targeted else 1.0


@dataclass(frozen=True)
class Rows:
    """The examples that climb, n of the B of a batch, with all that goes along with them."""

    places: Tensor  # (n,) in the batch
    loss_fn: LossFn
    flips: FlipFn | None
    embeds: Tensor  # (n,T,D)
    mask: Tensor  # (n,T,1)
    eps: Tensor  # (n,) raw units
    delta: Tensor  # (n,T,D)
    velocity: Tensor  # (n,T,D) what momentum has gathered

    @staticmethod
    def of(problem: Problem, delta: Tensor) -> Rows:
        """All examples, at δ (B,T,D)."""
        return Rows(
            places=torch.arange(len(delta), device=delta.device),
            loss_fn=problem.loss_fn,
            flips=problem.flips,
            embeds=problem.embeds,
            mask=problem.mask,
            eps=radius(problem.limit, delta).reshape(-1).expand(len(delta)),
            delta=delta,
            velocity=torch.zeros_like(delta),
        )

    def only(self, keep: Tensor) -> Rows:
        """Some of these, by a mask (n,).

        Their loss function must be an objective, which knows how to `take` them and its `flips`.
        """
        objective: Any = self.loss_fn
        part = objective.take(keep.nonzero()[:, 0])
        return Rows(
            places=self.places[keep],
            loss_fn=part,
            flips=part.flips,
            embeds=self.embeds[keep],
            mask=self.mask[keep],
            eps=self.eps[keep],
            delta=self.delta[keep],
            velocity=self.velocity[keep],
        )


Look = Callable[[Rows, Tensor, Tensor | None], Tensor | None]


def climb(ascent: Ascent, rows: Rows, look: Look) -> bool:
    """The one loop: evaluate, look, step, project. False if it ended because nobody was left.

    `look(rows, loss, flipped)` sees every iterate: δ in `rows`, its loss (n,) and which examples it
    flips (n,), where the problem asks for that. It returns None, or a mask (n,) of those to go on with.
    """
    p, ball = ascent.p, ascent.ball
    for s in range(ascent.steps + 1):
        last = s == ascent.steps
        # Nesterov's gradient is not the one at δ
        elsewhere = ascent.nesterov and ascent.momentum > 0 and s > 0
        here = not (last or elsewhere)
        delta = rows.delta.requires_grad_(here)
        with torch.set_grad_enabled(here):
            asked = ask(rows.loss_fn, rows.flips, rows.embeds + delta)
            loss = asked.loss
            # summed, so that no example's gradient depends on its batch mates
            grad = torch.autograd.grad(loss.sum(), delta)[0] if here else None
        delta = delta.detach()
        rows = replace(rows, delta=delta)
        keep = look(rows, loss.detach(), asked.flipped)
        if last:
            break
        step = ascent.step_size * radius(rows.eps, delta)
        if grad is None:
            ahead = delta + ascent.momentum * step * steepest(rows.velocity, p, ball)
            grad = gradient(rows.loss_fn, rows.embeds, ahead)
        grad = ascent.sign * grad * rows.mask
        if ascent.momentum:
            size = norm(grad, "l1", "example").clamp_min(TINY)
            grad = ascent.momentum * rows.velocity + grad / size
        moved = project(delta + step * steepest(grad, p, ball), rows.eps, p, ball)
        rows = replace(rows, delta=moved, velocity=grad)
        if keep is not None:
            rows = rows.only(keep)
            if not len(rows.places):
                return False
    return True


def gradient(loss_fn: LossFn, embeds: Tensor, delta: Tensor) -> Tensor:
    """(B,T,D) the gradient of the summed loss with respect to δ."""
    delta = delta.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(loss_fn(embeds + delta).sum(), delta)[0]


def ascend(problem: Problem, ascent: Ascent, start: Callable[[int], Tensor]) -> Perturbation:
    """Climb from each start and keep the best iterate of all.

    `start(r)` gives the first δ (B,T,D) of restart r. The draws come in the order of the restarts, so
    more steps or restarts extend a search, never change it.
    """
    found = _followed(problem, ascent, start(0))
    for restart in range(1, ascent.restarts):
        found = better_of(found, _followed(problem, ascent, start(restart)))
    return replace(found, losses=ascent.sign * found.losses)


def _followed(problem: Problem, ascent: Ascent, first: Tensor) -> Perturbation:
    """One climb; its `losses` are those that it raises, of either sign."""
    tracker = problem.tracker()

    def look(rows: Rows, loss: Tensor, flipped: Tensor | None) -> None:
        tracker.see(rows.delta, ascent.sign * loss, flipped)

    first = project(first * problem.mask, problem.limit, ascent.p, ascent.ball)
    climb(ascent, Rows.of(problem, first), look)
    return tracker.found()
