"""One training batch in slow motion: what a method does to it, moment by moment.

Axes: B texts of the batch, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

# in the order in which they happen; step and projection come once for each step of the ascent
Phase = Literal["clean", "start", "step", "projection", "outer", "update"]


@dataclass(frozen=True)
class Instant:
    """One moment of the batch. Where nothing is evaluated, loss and gain are None."""

    phase: Phase
    step: int  # of the ascent, from 1; 0 outside it
    norms: np.ndarray  # (B,T) L2 of δ on each token, raw
    length: np.ndarray  # (B,) δ in the norm of its ball, the longest ball of a text; raw
    turn: np.ndarray  # (B,) angle between δ and that of the instant before, radians; NaN: one is 0
    loss: np.ndarray | None = None  # (B,) nats, of the network as it trains, at this δ
    gain: np.ndarray | None = None  # (B,) what the ascent raises there: loss or divergence, nats
    trains: bool = False  # whether the weights learn from the pass at this δ


@dataclass(frozen=True)
class Pinned:
    """What a model says of the pinned sentence. The reference is the same before and after a step."""

    answer: str
    sure: float  # how sure it is of its answer, 0 to 1
    score: float  # how sure of the reference
    margin: float  # of the reference over its best rival
    loss: float  # of the reference, nats
    flip_eps: (
        float | None
    )  # smallest ε that breaks the reference (PGD, L2, raw); None: none tried did


@dataclass(frozen=True)
class SlowMotion:
    """One method on one batch, with the optimiser step that follows, on a copy of the model."""

    title: str  # of the method, as people write it
    method: Mapping[str, Any]  # settings, with "name"
    texts: tuple[str, ...]  # B
    tokens: tuple[tuple[str, ...], ...]  # B × T
    real: np.ndarray  # (B,T) bool: no padding
    perturbable: np.ndarray  # (B,T) bool
    instants: tuple[Instant, ...]
    raised: Literal["loss", "divergence"]  # what the ascent raises
    steps: int  # of the ascent, that moved δ
    eps: float  # radius of the ball, raw units of where δ is added; 0 where there is none
    mean_norm: float  # mean length of the vectors that δ is added to
    word_norm: float  # mean length of a word vector: what ε of the pinned sentence counts in
    told: Mapping[str, float]  # what the method itself tells of the batch
    minimised: np.ndarray  # (B,) what the weights descend on, nats
    grad_norm: float  # of all weights together, before it is shortened
    clip: float  # longer gradients are shortened to it; 0: none is
    lr: float
    update_norm: float  # how far the optimiser moved the weights, L2
    sentence: str  # that is pinned
    reference: str  # its answer that is attacked
    before: Pinned
    after: Pinned

    def at(self, phase: Phase, step: int = 0) -> Instant | None:
        """The instant of a phase, None where the method has none."""
        return next((i for i in self.instants if (i.phase, i.step) == (phase, step)), None)
