"""What every attack is: settings that one calls with a loss of embeddings, for a perturbation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from advlab.attacks.norms import Ball, P, random_in_ball
from advlab.attacks.scores import Asked, ask
from advlab.attacks.tracker import FlipFn, LossFn, Perturbation, Tracker
from advlab.errors import SettingError
from advlab.language import _
from advlab.records import Scale
from advlab.settings import setting

Unit = Literal["norm", "raw", "half-nn"]
# null: no search; ascent: many steps that raise the loss with all of ε; minimal: the shortest δ
Kind = Literal["null", "one step", "ascent", "minimal", "black box"]


@dataclass(frozen=True)
class Problem:
    """What a search is given: the loss to raise, where δ may be and how long, what to keep."""

    loss_fn: LossFn
    embeds: Tensor  # (B,T,D), without a graph
    perturbable: Tensor  # (B,T) bool
    limit: float | Tensor  # ε in raw units, for all or one for each example (B,)
    generator: torch.Generator | None = None
    flips: FlipFn | None = None
    keep_path: bool = False

    @property
    def mask(self) -> Tensor:
        """(B,T,1): 1 where δ may be other than 0."""
        return self.perturbable.unsqueeze(-1).to(self.embeds.dtype)

    def random_start(self, p: P, ball: Ball, *, surface: bool = False) -> Tensor:
        """(B,T,D) a random δ in the ball, or on its surface."""
        return random_in_ball(
            self.embeds, self.perturbable, self.limit, p, ball, self.generator, surface=surface
        )

    def tracker(self) -> Tracker:
        """A new one; each restart has its own."""
        return Tracker(self.embeds, self.keep_path)

    def ask(self, x: Tensor) -> Asked:
        """What there is to know at the embeddings x (B,T,D)."""
        return ask(self.loss_fn, self.flips, x)


@dataclass(frozen=True)
class Attack:
    """What every attack has: a radius, its unit, a norm and what one ball covers."""

    title: ClassVar[str]  # as people write it
    kind: ClassVar[Kind]
    efforts: ClassVar[tuple[str, ...]] = ()  # settings that say how much work is done, no more
    from_above: ClassVar[bool] = False  # of many ε the largest is tried first, by `breaks`
    # whether a given label's loss is lowered; without a type, so that a class with a choice can make
    # it a setting, in its own place
    targeted = False

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

    def at(self, scale: Scale) -> Self:
        """The same attack with ε in raw units."""
        return replace(self, eps=scale.raw(self.eps, self.unit), unit="raw")

    def brief(self, steps: int, draws: int) -> Self:
        """The same with less work: at most so many steps or draws, and one start."""
        return self

    def at_most(self, **limits: int) -> Self:
        """The same with settings cut down to the given ones where they are larger."""
        least: dict[str, Any] = {
            name: min(most, getattr(self, name)) for name, most in limits.items()
        }
        return replace(self, **least)

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
        are broken at given embeddings, so that the first success can be kept. SettingError where ε is
        in another unit, or where the attack compares scores and the loss function has none.
        """
        if eps is None and self.unit != "raw":
            raise SettingError(
                _(
                    "expected ε in raw units, got unit {unit!r}; call attack.at(victim.scale) "
                    "first",
                    unit=self.unit,
                )
            )
        limit = self.eps if eps is None else eps
        return self.search(
            Problem(loss_fn, embeds.detach(), perturbable, limit, generator, flips, keep_path)
        )

    def search(self, problem: Problem) -> Perturbation:
        """What the attack does."""
        raise NotImplementedError  # pragma: no cover - each attack says how

    def breaks(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Which examples it breaks, (B,) bool, and the δ (B,T,D) that do it, 0 for the others."""
        found = self.search(problem)
        broken = found.first_flip >= 0
        return broken, found.flip_delta * broken.reshape(-1, 1, 1)
