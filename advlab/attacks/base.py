"""What every attack is given and gives back: a loss of embeddings, a mask, a perturbation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from advlab.attacks.norms import Ball, P
from advlab.errors import SettingError
from advlab.records import Scale
from advlab.settings import setting

LossFn = Callable[[Tensor], Tensor]  # embeds (B,T,D) -> loss (B,)


FlipFn = Callable[[Tensor], Tensor]  # embeds (B,T,D) -> bool (B,)


Unit = Literal["norm", "raw", "half-nn"]


@dataclass(frozen=True)
class Perturbation:
    """What an attack found.

    `delta` is the iterate of highest loss (lowest, when targeted) over all steps and restarts.
    `losses`, `path` and `best_step` belong to the restart that holds it; step 0 is the start.
    """

    delta: Tensor  # (B,T,D)
    losses: Tensor  # (S+1,B)
    best_step: Tensor  # (B,) long
    first_flip: Tensor  # (B,) long, first step of any restart whose δ flips; −1 if none did
    flip_delta: Tensor  # (B,T,D) δ at the first flip; `delta` where none flipped
    path: Tensor | None = None  # (S+1,B,T,D)

    @property
    def loss(self) -> Tensor:
        """(B,) loss at `delta`."""
        return self.losses.gather(0, self.best_step.unsqueeze(0)).squeeze(0)


@dataclass(frozen=True)
class Attack:
    """What every attack has: a radius, its unit, a norm and what one ball covers."""

    eps: float = setting(0.5, "Radius of the ball that holds δ", low=0.0, label="ε")
    unit: Unit = setting(
        "norm",
        "What ε counts: the model's mean word-vector norm, raw embedding units, or the median half "
        "distance between a word vector and its nearest other",
        label="unit of ε",
    )
    p: P = setting("l2", "Norm of δ", label="norm of δ")
    ball: Ball = setting(
        "example", "One ball for the whole text, or one for each token", label="one ball for"
    )

    def at(self, scale: Scale) -> Any:
        """The same attack with ε in raw units."""
        return replace(self, eps=scale.raw(self.eps, self.unit), unit="raw")

    def _radius(self, eps: float | Tensor | None) -> float | Tensor:
        if eps is not None:
            return eps
        if self.unit != "raw":
            raise SettingError(
                f"expected ε in raw units, got unit {self.unit!r}; call attack.at(victim.scale) first"
            )
        return self.eps

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
        """Attack `embeds` (B,T,D) where `perturbable` (B,T) is true; parameters are left alone.

        `eps`, raw, a number or (B,), replaces the attack's own radius. `flips` tells which examples
        are broken at given embeddings, so that the first success can be kept.
        """
        raise NotImplementedError  # pragma: no cover - each attack says how
