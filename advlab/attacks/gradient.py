"""Attacks that follow the gradient in plain steps, and the noise that they must beat.

An attack sees a function of embeddings, (B,T,D) -> (B,), and the mask of positions it may touch. It
knows neither the model nor the task, so the same PGD serves classification, spans and sequences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from advlab.attacks.ascent import Ascent, ascend
from advlab.attacks.base import Attack, Kind, Problem
from advlab.attacks.breaking import break_batch
from advlab.attacks.norms import P
from advlab.attacks.tracker import Perturbation
from advlab.language import N_
from advlab.settings import setting


@dataclass(frozen=True)
class RandomNoise(Attack):
    """Random noise of norm ε, the best of several draws: the null that every attack must beat."""

    title: ClassVar[str] = N_("Random noise")
    kind: ClassVar[Kind] = "null"
    efforts: ClassVar[tuple[str, ...]] = ("draws",)

    draws: int = setting(1, "Draws, of which the worst for the model is kept", low=1, high=1000)

    def brief(self, steps: int, draws: int) -> Self:
        return self.at_most(draws=draws)

    def search(self, problem: Problem) -> Perturbation:
        def start(_: int) -> Tensor:
            return problem.random_start(self.p, self.ball, surface=True)

        return ascend(problem, Ascent(self.p, self.ball, steps=0, restarts=self.draws), start)


@dataclass(frozen=True)
class FGSM(Attack):
    """One signed gradient step of length ε (Goodfellow et al. 2015, arXiv:1412.6572)."""

    title: ClassVar[str] = "FGSM"
    kind: ClassVar[Kind] = "one step"

    p: P = setting("linf", "Norm of δ; L∞ gives the sign step of the paper", label="norm of δ")
    eps: float = setting(0.05, "Radius of the ball that holds δ", low=0.0, label="ε")
    targeted: bool = setting(False, "Step towards a given label instead of away from the true one")

    def search(self, problem: Problem) -> Perturbation:
        ascent = Ascent(self.p, self.ball, steps=1, targeted=self.targeted)
        return ascend(problem, ascent, lambda _: torch.zeros_like(problem.embeds))


@dataclass(frozen=True)
class FGM(FGSM):
    """One normalised gradient step, ε·g/‖g‖₂ (Miyato et al. 2017, arXiv:1605.07725)."""

    title: ClassVar[str] = "FGM"

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

    title: ClassVar[str] = "PGD"
    kind: ClassVar[Kind] = "ascent"
    efforts: ClassVar[tuple[str, ...]] = ("steps", "restarts")
    from_above: ClassVar[bool] = True

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

    def brief(self, steps: int, draws: int) -> Self:
        return self.at_most(steps=steps, restarts=1)

    def search(self, problem: Problem) -> Perturbation:
        return ascend(problem, self._ascent(), lambda restart: self._start(problem, restart))

    def breaks(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """As `Attack.breaks`; what is broken leaves the batch."""
        return break_batch(problem, self._ascent(), lambda restart: self._start(problem, restart))

    def _ascent(self) -> Ascent:
        return Ascent(
            self.p,
            self.ball,
            self.steps,
            self.step_size,
            self.restarts,
            self.momentum,
            self.nesterov,
            self.targeted,
        )

    def _start(self, problem: Problem, restart: int) -> Tensor:
        if restart == 0 and self.start == "zero":
            return torch.zeros_like(problem.embeds)
        return problem.random_start(self.p, self.ball)
