"""What a model makes of some versions of one example. Axes: N versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Reading:
    """What a model says to N versions of one example.

    `score`, `margin` and `loss` are those of the reference: the answer whose loss an attack raises.
    `hold` and `broken` are about the answer that must stand: the model's own clean one, which is the
    reference unless another was given.
    """

    answers: tuple[str, ...]  # N, as people read them
    score: np.ndarray  # (N,) how sure of the reference, 0 to 1
    sure: np.ndarray  # (N,) how sure of its own answer, 0 to 1
    margin: np.ndarray  # (N,) the reference over its best rival
    loss: np.ndarray  # (N,) of the reference, nats
    hold: np.ndarray  # (N,) what must stand over its best rival; below 0 it is broken
    broken: np.ndarray  # (N,) bool
    parts: Mapping[str, np.ndarray] = field(default_factory=dict)  # the task's own columns, (N,…)

    def __len__(self) -> int:
        return len(self.answers)

    def take(self, rows: Sequence[int] | np.ndarray) -> Reading:
        """Some of the versions, by their places."""
        rows = np.asarray(rows, dtype=int)
        return Reading(
            tuple(self.answers[int(i)] for i in rows),
            self.score[rows],
            self.sure[rows],
            self.margin[rows],
            self.loss[rows],
            self.hold[rows],
            self.broken[rows],
            {name: values[rows] for name, values in self.parts.items()},
        )


def joined(readings: Sequence[Reading]) -> Reading:
    """The versions of several readings in succession."""

    def whole(name: str) -> np.ndarray:
        return np.concatenate([getattr(r, name) for r in readings])

    return Reading(
        tuple(answer for r in readings for answer in r.answers),
        whole("score"),
        whole("sure"),
        whole("margin"),
        whole("loss"),
        whole("hold"),
        whole("broken"),
        {k: np.concatenate([r.parts[k] for r in readings]) for k in readings[0].parts},
    )
