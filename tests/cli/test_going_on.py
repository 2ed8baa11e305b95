"""What was killed goes on by the command line alone: no app, no scheduler, real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import places
import pytest
from victims import write_reviews

from advlab.runs import jobs

SMALL = ("--eval-limit", "16", "--batch-size", "8", "--max-length", "24", "--limit", "60")


@pytest.fixture
def data(advlab_home: Path) -> str:
    return str(write_reviews(advlab_home / "reviews.csv", n=80))


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "advlab", *words],
        cwd=places.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(*words: str, status: int = 0) -> dict[str, Any]:
    with start(*words, "--json") as command:
        out, err = command.communicate(timeout=300)
    assert command.returncode == status, err
    return json.loads(out) if status == 0 else {"err": err}


def killed_when(command: subprocess.Popen[str], what: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    with command:
        while not what():
            assert command.poll() is None, command.communicate()
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.02)
        command.send_signal(signal.SIGKILL)


def epochs_of(run: jobs.RunInfo) -> list[int]:
    events = jobs.timeline(jobs.events(run.id).events)
    return [e.values["epoch"] for e in events if e.kind == "epoch"]


def weights(run_id: str) -> bytes:
    return (jobs.run(run_id).folder.model / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_killed_training_is_resumed_to_the_byte(data: str) -> None:
    words = ("train", "--data", data, "--method", "fgm", "--epochs", "5", *SMALL)
    whole = said(*words, "--name", "whole")
    killed_when(
        start(*words, "--name", "killed"),
        lambda: any(
            r.name == "killed" and epochs_of(r) and r.folder.checkpoint_step() for r in jobs.runs()
        ),
    )
    run = next(r for r in jobs.runs() if r.name == "killed")
    assert (run.status, run.folder.checkpoint_step() is not None) == ("interrupted", True)
    result = said("runs", "resume", "killed")
    assert (result["status"], result["run"]) == ("done", run.id)
    assert (jobs.run(run.id).attempt, epochs_of(run)) == (2, [1, 2, 3, 4, 5])
    assert weights(run.id) == weights(whole["run"])


@pytest.mark.slow
def test_a_killed_sweep_goes_on_with_what_is_missing(data: str) -> None:
    words = ("sweep", "--data", data, "--methods", "fgm", "--eps", "0.25", "--epochs", "3", *SMALL)
    killed_when(start(*words), lambda: len(jobs.runs()) == 2 and bool(epochs_of(jobs.runs()[0])))
    assert [r.status for r in jobs.runs()] == ["interrupted", "done"]
    found = said(*words)
    assert [len(s["runs"]) for s in found["ranking"]] == [1, 1]
    assert [(r.status, r.attempt) for r in jobs.runs()] == [("done", 2), ("done", 1)]


def test_a_run_left_in_the_queue_is_taken_and_a_finished_one_is_not(data: str) -> None:
    words = ("train", "--data", data, "--epochs", "1", *SMALL, "--name", "one")
    done = said(*words)["run"]
    waiting = jobs.submit(jobs.run(done).config)
    assert said("runs", "resume", waiting)["status"] == "done"
    assert "is done; start another" in said("runs", "resume", done, status=2)["err"]


def test_a_run_that_another_process_trains_is_followed_to_its_end(data: str) -> None:
    words = ("train", "--data", data, "--epochs", "6", *SMALL, "--name", "theirs")
    with start(*words) as theirs:
        while not any(epochs_of(r) for r in jobs.runs()):
            assert theirs.poll() is None
            time.sleep(0.02)
        followed = said("runs", "resume", "theirs")
        theirs.communicate(timeout=120)
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
    with start(*words) as command:
        while not any(epochs_of(r) for r in jobs.runs()):
            assert command.poll() is None
            time.sleep(0.02)
        os.kill(command.pid, signal.SIGINT)
        _, err = command.communicate(timeout=60)
    assert command.returncode == 2
    assert "2 of its runs are not done; the same command goes on with them" in err
    assert [r.status for r in jobs.runs()] == ["interrupted"]
