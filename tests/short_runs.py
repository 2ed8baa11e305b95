"""Short trainings of a tiny model on few texts, and what they tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from advlab.model.victim import Victim
from advlab.records import Event
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.training.loop import train

PGD2 = {"name": "pgd", "eps": 0.5, "steps": 2}


def config_for(texts: Path, method: dict[str, Any] | None = None, **changes: Any) -> RunConfig:
    settings: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 16,
        "lr": 3e-3,
        "eval_limit": 16,
        "choose": "last",
        "seed": 3,
    } | changes
    return RunConfig(
        "test",
        data=DataConfig(source=str(texts)),
        model=ModelConfig(max_length=24),
        method=method or {"name": "plain"},
        train=TrainConfig(**settings),
    )


def run(config: RunConfig, folder: Path, **more: Any) -> list[Event]:
    return list(train(config, folder, **more))


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [e for e in events if e.kind == kind]


def stop_after(steps: int, word: str = "pause") -> Callable[[], str | None]:
    asked = []

    def stop() -> str | None:
        asked.append(1)
        return word if len(asked) == steps else None

    return stop


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def assert_same_weights(a: Path, b: Path) -> None:
    first, second = weights(a), weights(b)
    assert set(first) == set(second)
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert Victim.load(a / "model").hash == Victim.load(b / "model").hash
