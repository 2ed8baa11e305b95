"""Several strong attacks in turn, on what still stands; and any attack with a weight for each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from advlab.attacks.autopgd import AutoPGD
from advlab.attacks.base import Attack, FlipFn, LossFn, Perturbation
from advlab.attacks.minimal import FMN
from advlab.attacks.spsa import SPSA
from advlab.attacks.tracker import Tracker
from advlab.settings import setting


@dataclass(frozen=True)
class Ensemble(Attack):
    """Auto-PGD on two losses and on targets, FMN and SPSA: no settings, the worst of all counts.

    In the manner of AutoAttack (Croce and Hein 2020, arXiv:2003.01690). Departures: FMN stands for FAB
    and SPSA for Square; an attack works only on the examples that its forerunners left standing.
    """

    effort: int = setting(50, "Gradient steps of each member", low=2, high=1000)

    targeted: ClassVar[bool] = False

    def members(self) -> tuple[Attack, ...]:
        """The attacks in their order, cheapest first."""
        common: dict[str, Any] = {
            "eps": self.eps,
            "unit": self.unit,
            "p": self.p,
            "ball": self.ball,
        }
        return (
            AutoPGD(**common, steps=self.effort),
            AutoPGD(**common, steps=self.effort, loss="dlr"),
            AutoPGD(**common, steps=self.effort, loss="targeted", restarts=9),
            FMN(**common, steps=self.effort),
            SPSA(**common, steps=max(2, self.effort // 5)),
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
        objective: Any = loss_fn
        seed = generator.initial_seed() if generator is not None else 0
        tracker = Tracker(embeds, None, keep_path)
        with torch.no_grad():
            still = torch.zeros_like(embeds)
            tracker.see(still, embeds, loss_fn(embeds))
        B = len(embeds)
        flip_delta = torch.zeros_like(embeds)
        first_flip = torch.full((B,), -1, dtype=torch.long, device=embeds.device)
        for number, member in enumerate(self.members(), start=1):
            alive = (first_flip < 0).nonzero().squeeze(1)
            if not len(alive):
                break
            # another question than the objective's own cannot be asked of a part of the batch
            narrow = hasattr(objective, "take") and flips == objective.flips
            rows = alive if narrow else torch.arange(B, device=embeds.device)
            part = objective.take(rows) if narrow else objective
            near = limit[rows] if isinstance(limit, Tensor) and limit.ndim else limit
            dice = torch.Generator().manual_seed(seed)  # each member draws as if it were alone
            found = member(
                part,
                embeds[rows],
                perturbable[rows],
                dice,
                eps=near,
                flips=part.flips if narrow else flips,
            )
            best = torch.zeros_like(embeds)
            best[rows] = found.delta
            with torch.no_grad():
                x = embeds + best
                tracker.see(best, x, loss_fn(x))
            broken = torch.full_like(first_flip, -1)
            broken[rows] = found.first_flip
            new = (broken >= 0) & (first_flip < 0)
            first_flip = torch.where(new, number, first_flip)
            spread = torch.zeros_like(embeds)
            spread[rows] = found.flip_delta
            flip_delta = torch.where(new.reshape(-1, 1, 1), spread, flip_delta)
        found = tracker.found()
        return replace(
            found,
            first_flip=first_flip,
            flip_delta=torch.where((first_flip >= 0).reshape(-1, 1, 1), flip_delta, found.delta),
        )


def weighted(attack: Attack, weights: Tensor) -> Any:
    """The attack with one budget spent unevenly: token t may move `weights[t]` times as far.

    weights (B,T), 0 or more; 0 shields a token. The ball becomes {δ : ‖δ / w‖ ≤ ε}: the attack works on
    z = δ / w, so projection and steps stay exact for every norm. Takes and gives what `attack` does.
    To attack chosen words alone: `weighted(PGD(0.5).at(victim.scale), only_tokens([[3, 4]], T))`.
    """
    w = weights.unsqueeze(-1)

    def call(
        loss_fn: LossFn,
        embeds: Tensor,
        perturbable: Tensor,
        *args: Any,
        flips: FlipFn | None = None,
        **more: Any,
    ) -> Perturbation:
        scaled = _Scaled(loss_fn, embeds.detach(), w.to(embeds))
        found = attack(
            scaled,
            embeds,
            perturbable & (weights > 0),
            *args,
            flips=None if flips is None else lambda x: flips(scaled.moved(x)),
            **more,
        )
        path = None if found.path is None else scaled.w * found.path
        return replace(
            found, delta=scaled.w * found.delta, flip_delta=scaled.w * found.flip_delta, path=path
        )

    return call


class _Scaled:
    """A loss as a function of e + z, where the model gets e + w·z."""

    def __init__(self, loss_fn: LossFn, embeds: Tensor, w: Tensor) -> None:
        self.loss_fn, self.embeds, self.w = loss_fn, embeds, w
        self._last: tuple[Tensor, Tensor] | None = None
        self.batch = getattr(loss_fn, "batch", None)
        if hasattr(loss_fn, "logits"):
            logits: Any = loss_fn
            self.logits = lambda x: logits.logits(self.moved(x))

    def moved(self, x: Tensor) -> Tensor:
        """The embeddings that the model gets; the same tensor when asked for the same x again."""
        if self._last is None or self._last[0] is not x:
            self._last = (x, self.embeds + self.w * (x - self.embeds))
        return self._last[1]

    def __call__(self, x: Tensor) -> Tensor:
        return self.loss_fn(self.moved(x))


def only_tokens(tokens: Sequence[Sequence[int]], T: int) -> Tensor:
    """Weights (B,T) that are 1 at the named places of each text and 0 elsewhere."""
    weights = torch.zeros(len(tokens), T)
    for row, places in enumerate(tokens):
        weights[row, list(places)] = 1.0
    return weights
