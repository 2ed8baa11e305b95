"""PGD that only asks which examples it can break: each leaves the batch as soon as it is broken.

The same steps as `ascend` takes, without keeping what a picture needs; so an example is broken here
exactly when it is there, for less work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.attacks.gradient import PGD, TINY, gradient
from advlab.attacks.norms import norm, project, radius, random_in_ball, steepest

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


def break_batch(
    attack: PGD, victim: Victim, batch: Batch, eps: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Which examples PGD breaks at their own raw ε (B,): (B,) bool, and the δ (B,T,D) that does it.

    δ is 0 where nothing was found. Restarts go on with what is left.
    """
    embeds = victim.embed(batch).detach()
    found = torch.zeros_like(embeds)
    broken = torch.zeros(len(embeds), dtype=torch.bool, device=embeds.device)
    sign = -1.0 if attack.targeted else 1.0
    for restart in range(attack.restarts):
        # drawn for the whole batch, so that what was broken before changes nobody's start
        if restart == 0 and attack.start == "zero":
            first = torch.zeros_like(embeds)
        else:
            first = random_in_ball(embeds, batch.perturbable, eps, attack.p, attack.ball, generator)
        rows = (~broken).nonzero()[:, 0]  # what is still whole
        state = _Rows(victim, batch, embeds, first, eps, rows)
        for s in range(attack.steps + 1):
            if not len(state.rows):
                return broken, found
            last = s == attack.steps
            elsewhere = attack.nesterov and attack.momentum > 0 and s > 0
            here = not (last or elsewhere)
            delta = state.delta.requires_grad_(here)
            with torch.set_grad_enabled(here):
                x = state.embeds + delta
                loss = state.objective(x)
                grad = torch.autograd.grad(loss.sum(), delta)[0] if here else None
            delta = delta.detach()
            flipped = state.objective.flips(x)
            hit = state.rows[flipped]
            broken[hit] = True
            found[hit] = delta[flipped]
            if last:
                break
            step = attack.step_size * radius(state.eps, delta)
            if grad is None:
                ahead = attack.momentum * step * steepest(state.velocity, attack.p, attack.ball)
                grad = gradient(state.objective, state.embeds, delta + ahead)
            grad = sign * grad * state.mask
            if attack.momentum:
                state.velocity = attack.momentum * state.velocity + grad / norm(
                    grad, "l1", "example"
                ).clamp_min(TINY)
                grad = state.velocity
            moved = delta + step * steepest(grad, attack.p, attack.ball)
            state.delta = project(moved, state.eps, attack.p, attack.ball)
            # making the batch smaller costs a little, so not for every single example
            if int(flipped.sum()) > 0.1 * len(state.rows) or bool(flipped.all()):
                state = state.only(~broken[state.rows])
    return broken, found


class _Rows:
    """The examples that are still whole, with all that goes along with them."""

    def __init__(
        self, victim: Victim, batch: Batch, embeds: Tensor, delta: Tensor, eps: Tensor, rows: Tensor
    ) -> None:
        part = batch.take(rows)
        self.victim, self.batch, self.rows = victim, part, rows
        self.objective = victim.objective(part)
        self.embeds, self.delta, self.eps = embeds[rows], delta[rows], eps[rows]
        self.mask = part.perturbable.unsqueeze(-1).to(embeds.dtype)
        self.delta = self.delta * self.mask
        self.velocity = torch.zeros_like(self.delta)

    def only(self, keep: Tensor) -> _Rows:
        """Some of these, by a mask over them."""
        made = object.__new__(_Rows)
        places = keep.nonzero()[:, 0]
        made.victim, made.rows = self.victim, self.rows[keep]
        made.batch = self.batch.take(places)
        made.objective = self.victim.objective(made.batch)
        for name in ("embeds", "delta", "eps", "mask", "velocity"):
            setattr(made, name, getattr(self, name)[keep])
        return made
