"""Any attack with a weight for each token: how far it may move, as a share of ε."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.base import Attack
from advlab.attacks.tracker import FlipFn, LossFn, Perturbation


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
        if hasattr(loss_fn, "scores"):
            objective: Any = loss_fn
            self.scores = lambda x: objective.scores(self.moved(x))

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
