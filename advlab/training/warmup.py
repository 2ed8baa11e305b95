"""How the learning rate and ε rise: full ε from the first step collapses to a constant predictor."""

from __future__ import annotations

import math
from collections.abc import Mapping

from advlab.runs.config import SCRATCH, RunConfig, TrainConfig
from advlab.training.checkpoints import State

EARNED = 0.9  # × the loss of guessing: above it an earned ε waits


class Warmup:
    """When ε begins to rise, and how far it has come; its memory is in the run's state."""

    def __init__(self, config: RunConfig, chance: float, total: int, state: State) -> None:
        self.settings, self.state = config.train, state
        self.chance, self.total = chance, total  # the loss of guessing; steps of the whole run
        # a pretrained model leaves chance at once, long before its new head is any good
        self.from_scratch = config.model.source in SCRATCH
        last = max(0, state.step - 1)
        self.strength = eps_strength(last, state.rise, total, self.settings)  # as in the last step

    def at(self, step: int) -> float:
        """The share of ε in force at this step, from 0 to 1; also kept as `strength`."""
        state = self.state
        learnt = self.from_scratch and state.level < self.settings.clean_until
        if state.rise is None and (learnt or step >= self.settings.clean_start * self.total):
            state.rise = step
        self.strength = eps_strength(step, state.rise, self.total, self.settings)
        return self.strength

    def see(self, first: Mapping[str, float], last: Mapping[str, float], *, spared: bool) -> None:
        """Learn from the losses of a batch's first and last replay when ε may rise (on).

        `spared`: the batch was trained plainly, so it says nothing about the perturbed loss.
        """
        state = self.state
        if state.rise is None:  # at ε = 0 every loss is the clean one
            loss = first.get("clean_loss", first.get("adv_loss", 0.0))
            state.level = 0.9 * state.level + 0.1 * loss / self.chance
        elif self.settings.eps_schedule == "earned" and self.strength < 1 and not spared:
            loss = last.get("adv_loss", last.get("clean_loss", 0.0))
            past = state.hard or loss / self.chance
            state.hard = 0.9 * past + 0.1 * loss / self.chance
            state.rise += state.hard > EARNED  # ε waits a step


def eps_strength(step: int, start: int | None, total: int, config: TrainConfig) -> float:
    """The share of ε in force at a step: 0 before `start`, then rising to 1.

    `start` is None while the model has not begun to learn.
    """
    rise = config.eps_warmup * total
    if start is None or step < start:
        return 0.0
    share = min(1.0, (step - start + 1) / rise) if rise >= 1 else 1.0
    return (1 - math.cos(math.pi * share)) / 2 if config.eps_schedule == "cosine" else share


def lr_share(step: int, total: int, config: TrainConfig) -> float:
    """The share of the peak learning rate at a step: linear up, then linear down to 0."""
    rise = max(1.0, config.lr_warmup * total)
    if step < rise:
        return (step + 1) / rise
    return max(0.0, (total - step) / max(1.0, total - rise))
