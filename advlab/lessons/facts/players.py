"""The two players of a training, read from its diary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advlab.errors import RunError
from advlab.language import _
from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models
from advlab.runs.standing import standing

POINTS = 6  # parts of the training


@dataclass(frozen=True)
class PlayersFacts:
    """Losses of the adversarial run, nats, each the mean over a sixth of its steps at work."""

    clean: tuple[float, ...]
    attacked: tuple[float, ...]
    times: float  # cost of a step, in plain steps

    @property
    def start(self) -> float:
        """Of the attacked loss."""
        return self.attacked[0]

    @property
    def end(self) -> float:
        """Of the attacked loss."""
        return self.attacked[-1]

    @property
    def clean_end(self) -> float:
        """Of the clean loss."""
        return self.clean[-1]

    @property
    def gap(self) -> float:
        """Between the players at the end."""
        return self.end - self.clean_end

    @property
    def outcome(self) -> str:
        """Whether both fall and the attacked loss stays above the other."""
        above = all(a >= c for a, c in zip(self.attacked, self.clean, strict=True))
        return "both_fall" if above and self.end < self.start else "otherwise"


OUTCOMES = ("both_fall", "otherwise")


def observe(models: Models, lesson: Lesson) -> PlayersFacts:
    """RunError where the diary holds no losses."""
    rows = [
        (float(e.values["clean_loss"]), float(e.values["adv_loss"]))
        for e in models.robust_run
        if e.kind == "step" and "clean_loss" in e.values and "adv_loss" in e.values
    ]
    if len(rows) < POINTS:
        raise RunError(
            _(
                "expected at least {n} steps with both losses in the run's diary, but {came} came; "
                "train the pair again",
                n=POINTS,
                came=len(rows),
            )
        )
    parts = np.array_split(np.array(rows), POINTS)
    means = np.array([part.mean(0) for part in parts])
    return PlayersFacts(
        tuple(float(v) for v in means[:, 0]),
        tuple(float(v) for v in means[:, 1]),
        float(standing(models.robust_run).cost or float("nan")),
    )
