"""What training costs: seconds, pace, padding, and how many plain steps a step is worth."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch

from advlab.model.victim import Victim
from advlab.tasks import Batch
from advlab.training.checkpoints import State
from advlab.training.methods import Plain, Step

PLAIN_EVERY = 40  # steps between timings of a plain step, for the cost ratio
FIRST = 4  # the step that is timed first
TIMINGS = 3  # from so many on the ratio says something: one alone may be half or twice as much


class CostMeter:
    """Counts seconds and tokens into the run's state, where earlier stretches of the run are too."""

    def __init__(self, state: State, batch_size: int, total: int) -> None:
        self.state, self.batch_size, self.total = state, batch_size, total
        self.began = time.perf_counter() - state.seconds
        self.spent = 0.0  # seconds of this step's passes

    def tick(self) -> None:
        """Bring the run's seconds up to now."""
        self.state.seconds = time.perf_counter() - self.began

    @contextlib.contextmanager
    def passes(self) -> Iterator[None]:
        """What happens within are passes of the current step."""
        ticked = time.perf_counter()
        yield
        self.spent += time.perf_counter() - ticked

    def count(self, victim: Victim, batch: Batch, optimizer: torch.optim.Optimizer) -> None:
        """Count a step that was made on this batch; now and then time a plain one beside it."""
        state = self.state
        state.seen_tokens += batch.input_ids.numel()
        state.padding += int((batch.attention_mask == 0).sum())
        if state.step % PLAIN_EVERY == FIRST:
            state.plain_seconds += _time_plain(victim, batch, optimizer)
            state.step_seconds += self.spent
        self.spent = 0.0
        self.tick()

    @property
    def cost(self) -> float | None:
        """Seconds of a step's passes ÷ those of a plain step, timed on the same batches.

        None until so many were timed that it is more than chance.
        """
        state = self.state
        known = state.step >= FIRST + (TIMINGS - 1) * PLAIN_EVERY and state.plain_seconds
        return state.step_seconds / state.plain_seconds if known else None

    @property
    def padding(self) -> float:
        """The share of all tokens so far that was padding."""
        return self.state.padding / max(1, self.state.seen_tokens)

    def readings(self) -> dict[str, float | None]:
        """What a step event tells of pace and cost; `eta` in seconds."""
        done, seconds = self.state.step, self.state.seconds
        return {
            "texts_per_second": done * self.batch_size / max(seconds, 1e-9),
            "eta": seconds / done * (self.total - done),
            "padding": self.padding,
            "cost": self.cost,
        }


class Every:
    """Something that is due every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self.last = time.perf_counter()

    def due(self, at_once: bool = False) -> bool:
        """Whether it is time, or is to be `at_once`; then the count starts again."""
        due = at_once or time.perf_counter() - self.last >= self.seconds
        if due:
            self.restart()
        return due


def _time_plain(victim: Victim, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
    """Seconds of a plain step's passes on this batch; leaves gradients and draws as they were."""
    with torch.random.fork_rng(devices=[]):
        optimizer.zero_grad(set_to_none=True)
        ticked = time.perf_counter()
        Plain().backward(victim, batch, Step())
        spent = time.perf_counter() - ticked
    optimizer.zero_grad(set_to_none=True)
    return spent
