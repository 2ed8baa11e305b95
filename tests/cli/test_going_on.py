"""What was killed goes on by the command line alone: no app, no scheduler, real processes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from victims import write_reviews

from advlab.runs import jobs

SMALL = ("--eval-limit", "16", "--batch-size", "8", "--max-length", "24", "--limit", "60")


@pytest.fixture
def data(advlab_home: Path) -> str:
    return str(write_reviews(advlab_home / "reviews.csv", n=80))


def result(*words: str, status: int = 0) -> dict[str, Any]:
    found, out, err = Command(*words, "--json").ended()
    assert found == status, err
    return json.loads(out) if status == 0 else {"err": err}


def reached(command: Command, what: Callable[[], bool]) -> None:
    """Wait until it has come so far."""
    end = time.monotonic() + 120
    while not what():
        assert command.status is None, command.ended()
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def killed_when(command: Command, what: Callable[[], bool]) -> None:
    reached(command, what)
    os.kill(command.pid, signal.SIGKILL)
    assert command.ended()[0] == -signal.SIGKILL


def epochs_of(run: jobs.RunInfo) -> list[int]:
    events = jobs.timeline(jobs.events(run.id).events)
    return [e.values["epoch"] for e in events if e.kind == "epoch"]


def weights(run_id: str) -> bytes:
    return (jobs.run(run_id).folder.model / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_killed_training_is_resumed_to_the_byte(data: str) -> None:
    words = ("train", "--data", data, "--method", "fgm", "--epochs", "5", *SMALL)
    whole = result(*words, "--name", "whole")
    killed_when(
        Command(*words, "--name", "killed"),
        lambda: any(
            r.name == "killed" and epochs_of(r) and r.folder.checkpoint_step() for r in jobs.runs()
        ),
    )
    run = next(r for r in jobs.runs() if r.name == "killed")
    assert (run.status, run.folder.checkpoint_step() is not None) == ("interrupted", True)
    resumed = result("runs", "resume", "killed")
    assert (resumed["status"], resumed["run"]) == ("done", run.id)
    assert (jobs.run(run.id).attempt, epochs_of(run)) == (2, [1, 2, 3, 4, 5])
    assert weights(run.id) == weights(whole["run"])


@pytest.mark.slow
def test_a_killed_sweep_goes_on_with_what_is_missing(data: str) -> None:
    words = ("sweep", "--data", data, "--methods", "fgm", "--eps", "0.25", "--epochs", "3", *SMALL)
    killed_when(Command(*words), lambda: len(jobs.runs()) == 2 and bool(epochs_of(jobs.runs()[0])))
    assert [r.status for r in jobs.runs()] == ["interrupted", "done"]
    found = result(*words)
    assert [len(s["runs"]) for s in found["ranking"]] == [1, 1]
    assert [(r.status, r.attempt) for r in jobs.runs()] == [("done", 2), ("done", 1)]


def test_a_run_left_in_the_queue_is_taken_and_a_finished_one_is_not(data: str) -> None:
    words = ("train", "--data", data, "--epochs", "1", *SMALL, "--name", "one")
    done = result(*words)["run"]
    waiting = jobs.submit(jobs.run(done).config)
    assert result("runs", "resume", waiting)["status"] == "done"
    assert "is done; start another" in result("runs", "resume", done, status=2)["err"]


def test_a_run_that_another_process_trains_is_followed_to_its_end(data: str) -> None:
    words = ("train", "--data", data, "--epochs", "6", *SMALL, "--name", "theirs")
    theirs = Command(*words)
    reached(theirs, lambda: any(epochs_of(r) for r in jobs.runs()))
    followed = result("runs", "resume", "theirs")
    assert theirs.ended()[0] == 0
    assert (followed["status"], jobs.runs()[0].attempt) == ("done", 1)
    assert followed["end"]["reason"] == "done"


@pytest.mark.slow
def test_an_interrupt_stops_the_whole_sweep(data: str) -> None:
    words = (
        "sweep",
        "--data",
        data,
        "--methods",
        "fgm",
        "--eps",
        "0.25",
        "--epochs",
        "200",
        *SMALL,
    )
    command = Command(*words)
    reached(command, lambda: any(epochs_of(r) for r in jobs.runs()))
    os.kill(command.pid, signal.SIGINT)
    status, _, err = command.ended(60)
    assert status == 2
    assert "2 of its runs are not done; the same command goes on with them" in err
    assert [r.status for r in jobs.runs()] == ["interrupted"]
