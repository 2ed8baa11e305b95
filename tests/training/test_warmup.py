"""When ε begins to rise."""

from __future__ import annotations

import pytest

from advlab.runs.config import ModelConfig, RunConfig, TrainConfig
from advlab.training.checkpoints import State
from advlab.training.warmup import Warmup


def begun(source: str, losses: list[float], **train: float) -> int:
    """The first of 100 steps at which ε is above 0; the loss of guessing is 1, the last one stays."""
    config = RunConfig(model=ModelConfig(source), train=TrainConfig(**train))
    warmup = Warmup(config, 1.0, 100, State())
    for step in range(100):
        if warmup.at(step) > 0:
            return step
        loss = losses[min(step, len(losses) - 1)]
        warmup.see({"clean_loss": loss}, {"clean_loss": loss}, spared=False)
    return 100


@pytest.mark.parametrize("source", ["tiny", "small"])
def test_from_scratch_the_clean_loss_says_when(source: str) -> None:
    falling = [1.0] * 10 + [0.1]
    assert begun(source, falling, clean_start=0.8) == 11
    late = begun(source, falling, clean_start=0.8, clean_until=0.2)
    assert 11 < late < 80
    assert begun(source, falling, clean_start=0.8, clean_until=0.05) == 80  # never below: by steps


def test_a_pretrained_model_goes_by_its_steps_alone() -> None:
    assert begun("some/folder", [0.0], clean_start=0.3, clean_until=0.5) == 30
