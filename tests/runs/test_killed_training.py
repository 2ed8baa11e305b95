"""Real training in a worker that is killed. Every wait is bounded; only this worker is ended."""

from __future__ import annotations

import os
import signal

import pytest
from fake_runs import until, wait_until

from advlab.runs import jobs
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.runs.jobs import Scheduler, Store


@pytest.mark.slow
def test_real_training_killed_in_the_middle_of_an_epoch_continues(store: Store) -> None:
    file = store.root / "my.csv"
    words = ("poor plot and dull cast", "fine plot and bright cast")
    rows = [f"{words[n % 2]} number {n},{n % 2}" for n in range(600)]
    file.write_text("text,label\n" + "\n".join(rows) + "\n")
    run_id = store.enqueue(
        RunConfig(
            data=DataConfig(str(file), text_column="text", label_column="label"),
            model=ModelConfig("tiny", max_length=16),
            method={"name": "fgm"},
            train=TrainConfig(epochs=2, batch_size=4, eval_limit=16),
        )
    )
    folder = store.get(run_id).folder
    scheduler = Scheduler(store, poll=0.05)
    scheduler.start()
    try:

        def beyond_checkpoint() -> bool:
            info, events = store.get(run_id), folder.read().events
            assert info.status in ("queued", "running"), info.error
            saved = folder.checkpoint_step()
            last = max((e.step for e in events if e.kind == "step"), default=0)
            return saved is not None and last > saved and events[-1].kind == "step"

        wait_until(beyond_checkpoint, 300)
        pid = store.get(run_id).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert "continues from step" in (until(store, run_id, "interrupted").error or "")
        before, saved = folder.read().events, folder.checkpoint_step()
        assert saved is not None

        store.resume(run_id)
        scheduler.kick()
        wait_until(lambda: store.get(run_id).status not in ("queued", "running"), 300)
    finally:
        scheduler.stop()
    info, after = store.get(run_id), folder.read().events
    assert (info.status, info.error, info.progress) == ("done", None, 1.0)
    assert after[: len(before)] == before
    rest = after[len(before) :]
    assert (rest[0].kind, rest[0].values["resumed_from"]) == ("note", saved)
    assert all(e.step >= saved for e in rest)  # it went on, and did not begin again
    steps = [e.step for e in jobs.timeline(after) if e.kind == "step"]
    assert steps == sorted(set(steps))
    assert steps[-1] == info.steps
    assert [e.values["epoch"] for e in jobs.timeline(after) if e.kind == "epoch"] == [1, 2]
    assert 0.0 <= info.metrics["test_accuracy"] <= 1.0
    assert folder.has_model
