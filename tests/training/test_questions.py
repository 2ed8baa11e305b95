"""A reader is trained as every model is: by plain and adversarial methods, and resumed; τ is chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advlab.attacks import PGD
from advlab.attacks.evaluate import evaluate
from advlab.data import stories
from advlab.model.victim import Victim
from advlab.records import Event
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.tasks import QuestionAnswering
from advlab.training import loop


def config_for(method: dict[str, Any], **settings: Any) -> RunConfig:
    return RunConfig(
        "test",
        data=DataConfig("stories", task="qa", limit=96),
        model=ModelConfig("tiny", max_length=96),
        method=method,
        train=TrainConfig(epochs=2, batch_size=32, lr=2e-3, eval_limit=16, seed=1),
        task_settings=settings,
    )


def run(config: RunConfig, folder: Path, **more: Any) -> list[Event]:
    return list(loop.train(config, folder, **more))


@pytest.mark.parametrize(
    "method", [{"name": "plain"}, {"name": "pgd", "eps": 0.25, "steps": 2}, {"name": "freelb"}]
)
def test_a_reader_is_trained_and_kept_with_its_settings(
    method: dict[str, Any], tmp_path: Path
) -> None:
    events = run(config_for(method, where="both"), tmp_path)
    start, end = events[0].values, events[-1].values
    assert start["answers"] == []
    assert 1 < start["chance"] < 2
    assert end["reason"] == "done"
    first, last = [e.values["validation_loss"] for e in events if e.kind == "epoch"]
    assert last < first < 4.5
    victim = Victim.load(tmp_path / "model")
    assert isinstance(victim.task, QuestionAnswering)
    assert victim.task.where == "both"
    assert victim.known is not None
    row = evaluate(victim, list(stories.dataset().test[:8]), PGD(0.25, steps=2), eps=[0.25])
    assert row.right.shape == (8,)


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(tmp_path: Path) -> None:
    config = config_for({"name": "pgd", "eps": 0.25, "steps": 2})
    whole = run(config, tmp_path / "whole")
    asked = iter([None] * 3 + ["pause"])
    run(config, tmp_path / "parts", stop=lambda: next(asked))
    rest = run(config, tmp_path / "parts", resume=True)
    assert rest[-1].values["test_accuracy"] == whole[-1].values["test_accuracy"]
    models = [Victim.load(tmp_path / part / "model") for part in ("whole", "parts")]
    assert models[0].hash == models[1].hash
    assert models[0].task == models[1].task


def test_the_threshold_is_chosen_by_validation_texts_and_kept(tmp_path: Path) -> None:
    run(config_for({"name": "plain"}), tmp_path)
    victim = Victim.load(tmp_path / "model")
    task = victim.task
    assert isinstance(task, QuestionAnswering)
    validation = list(stories.dataset().validation)
    batch = victim.encode(validation)

    def right(threshold: float) -> float:
        victim.task = replace(task, threshold=threshold)
        said = victim.answers(victim.embed(batch), batch)
        return sum(task.quality(a, e)["exact"] for a, e in zip(said, validation, strict=True))

    assert task.threshold != 0
    own = right(task.threshold)
    assert own == max(own, *(right(t) for t in (-20, -3, -1, 0, 1, 3, 20)))
