"""The scheduler with real workers. Every wait is bounded; only processes started here are ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_runs import SLOW, TESTS, at_step, config, fake_command, steps_of, until, wait_until

from advlab.errors import RunError
from advlab.records import Event
from advlab.runs import jobs
from advlab.runs.config import DataConfig, ModelConfig, RunConfig
from advlab.runs.jobs import Scheduler, Store
from advlab.runs.scheduler import worker_environment
from advlab.training import worker as worker_module


def test_a_queued_run_starts_at_once_and_ends_done(store: Store, schedule) -> None:
    scheduler = schedule(poll=5.0)
    time.sleep(0.1)  # the first round is over; only the kick can be this fast
    run_id = store.enqueue(config(steps=10))
    began = time.monotonic()
    scheduler.kick()
    wait_until(lambda: store.get(run_id).pid)
    assert time.monotonic() - began < 1.0
    info = until(store, run_id, "done")
    assert (info.error, info.progress, info.active, info.step, info.steps) == (
        None,
        1,
        False,
        10,
        10,
    )
    assert info.metrics["clean_accuracy"] == 0.75
    assert [e.kind for e in info.folder.read().events] == ["start", *["step"] * 10, "epoch", "end"]
    assert steps_of(store, run_id) == list(range(1, 11))


def test_five_submissions_never_exceed_the_limit_and_all_finish(store: Store, schedule) -> None:
    ids = [store.enqueue(config(steps=5, delay=0.01)) for _ in range(5)]
    schedule(limit=2)
    schedule(limit=2)  # a second server
    most = 0

    def all_done() -> bool:
        nonlocal most
        states = [i.status for i in store.listing()]
        most = max(most, states.count("running"))
        return states == ["done"] * 5

    wait_until(all_done)
    assert most == 2
    assert [store.get(i).attempt for i in ids] == [1] * 5
    assert all(steps_of(store, i) == [1, 2, 3, 4, 5] for i in ids)  # nobody carried out one twice


def test_a_users_mistake_is_shown_as_it_is_and_a_bug_with_its_type(store: Store, schedule) -> None:
    mistake = store.enqueue(config(fail="user"))
    bug = store.enqueue(config(fail="bug"))
    schedule(limit=2)
    info = until(store, mistake, "failed")
    assert info.error == "expected two classes, got one; add texts of another class"
    info = until(store, bug, "failed")
    assert info.error == "KeyError: 'weights'"
    assert "Traceback" in info.folder.log.read_text()
    assert info.folder.read().events[-1].values == {"reason": "failed", "message": info.error}


def test_a_worker_that_cannot_come_up_says_why(store: Store) -> None:
    scheduler = Scheduler(store, command=lambda i: [sys.executable, "-c", "import no_such_thing"])
    run_id = store.enqueue(config())
    scheduler.tick()
    wait_until(lambda: scheduler.tick() or store.get(run_id).status == "interrupted")
    assert "ended with code 1 (ModuleNotFoundError" in (store.get(run_id).error or "")
    missing = Scheduler(store, command=lambda i: ["/nowhere/python", i])
    run_id = store.enqueue(config())
    missing.tick()
    info = store.get(run_id)
    assert info.status == "failed"
    assert "could not be started" in (info.error or "")


def test_a_second_worker_for_the_same_run_leaves_it_alone(store: Store, schedule) -> None:
    scheduler = schedule()
    run_id = store.enqueue(config(steps=60, delay=0.01))
    scheduler.kick()
    at_step(store, run_id, 2)
    second = subprocess.run(
        fake_command(run_id),
        env=worker_environment(store.root),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 0
    assert "is not waiting for a worker" in second.stderr
    until(store, run_id, "done")
    assert steps_of(store, run_id) == list(range(1, 61))


def test_workers_are_good_neighbours(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    environment = worker_environment(store.root)
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    program = (
        "from advlab.training.worker import prepare_process; import json, os, resource, sys\n"
        "prepare_process()\n"
        "print(json.dumps([os.nice(0), resource.getrlimit(resource.RLIMIT_CORE)[0],\n"
        "                  'torch' in sys.modules, 'streamlit' in sys.modules]))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30
    )
    nice, core, torch, streamlit = json.loads(out.stdout)
    assert nice >= min(10, os.nice(0) + 10)
    assert (core, torch, streamlit) == (0, False, False)


def test_the_facade_carries_a_run_through(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Scheduler.__init__,
        "__kwdefaults__",
        {**(Scheduler.__init__.__kwdefaults__ or {}), "command": fake_command},
    )
    try:
        scheduler = jobs.ensure_scheduler()
        assert jobs.ensure_scheduler() is scheduler
        assert scheduler.running
        began = time.monotonic()
        run_id = jobs.submit(config("one", **SLOW))
        waiting = jobs.submit(config("two", **SLOW))
        wait_until(lambda: jobs.run(run_id).pid)
        assert time.monotonic() - began < 1.0
        assert [i.id for i in jobs.runs()] == [waiting, run_id]
        tail = wait_until(lambda: (t := jobs.events(run_id)).events and t)
        assert tail.events[0].kind == "start"
        assert wait_until(lambda: jobs.events(run_id, tail.offset).events)[0].step >= 1
        jobs.pause(waiting)
        jobs.pause(run_id)
        until(store, run_id, "paused")
        jobs.resume(run_id)
        wait_until(lambda: jobs.run(run_id).attempt == 2 and jobs.run(run_id).pid)
        jobs.cancel(run_id)
        until(store, run_id, "cancelled")
        jobs.rename(run_id, "renamed")
        assert jobs.run(run_id).config.name == "renamed"
        assert jobs.folder(run_id).config().name == "renamed"
        jobs.delete(run_id)
        jobs.delete(waiting)
        assert jobs.runs() == []
    finally:
        jobs.stop_scheduler()


def test_a_command_line_can_carry_out_its_own_run(store: Store) -> None:
    sys.path.insert(0, str(TESTS))
    try:
        from fake_trainer import count
    finally:
        sys.path.remove(str(TESTS))
    info = jobs.open_here(config("here", steps=4), group="g")
    assert (info.status, info.pid, info.attempt) == ("running", os.getpid(), 1)
    seen: list[Event] = []
    handler = signal.getsignal(signal.SIGTERM)
    status = worker_module.run(info.id, train=count, on_event=seen.append)
    assert status == jobs.run(info.id).status == "done"
    assert tuple(seen) == info.folder.read().events
    assert signal.getsignal(signal.SIGTERM) is handler
    with pytest.raises(RunError, match="not waiting for a worker"):
        worker_module.run(info.id, train=count)


def test_relative_paths_are_made_absolute_at_submission(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "net").mkdir(parents=True)
    (tmp_path / "here" / "net" / "config.json").write_text("{}")
    (tmp_path / "here" / "my.csv").write_text("text,label\n")
    monkeypatch.chdir(tmp_path / "here")
    data = DataConfig("my.csv", eval_source="absent.csv")
    info = jobs.run(jobs.submit(RunConfig(data=data, model=ModelConfig("net"))))
    assert info.config.data.source == str(tmp_path / "here" / "my.csv")
    assert info.config.data.eval_source == "absent.csv"
    assert info.config.model.source == str(tmp_path / "here" / "net")
    (tmp_path / "here" / "tiny").symlink_to("net")
    info = jobs.run(jobs.submit(RunConfig(data=DataConfig("hub:imdb"))))
    assert (info.config.data.source, info.config.model.source) == ("hub:imdb", "tiny")
