"""The queue with real processes. Every wait is bounded; only processes started here are ended."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import places
import pytest

from advlab.errors import RunError, SettingError
from advlab.records import Event
from advlab.runs import jobs, scheduler
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.runs.jobs import RunInfo, Scheduler, Store
from advlab.runs.processes import alive, send, start_of
from advlab.runs.scheduler import settle, worker_environment
from advlab.runs.starters import STARTER_GROUP
from advlab.training import worker as worker_module

TESTS = places.TESTS
SLOW = {"steps": 2000, "delay": 0.01}


def fake_command(run_id: str) -> list[str]:
    return [sys.executable, str(TESTS / "fake_trainer.py"), run_id]


def config(name: str = "", **how: Any) -> RunConfig:
    return RunConfig(name=name, method={"name": "plain", **how})


def wait_until(what: Callable[[], Any], seconds: float = 15.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return found


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("ADVLAB_HOME", str(tmp_path))
    monkeypatch.delenv("ADVLAB_MAX_RUNS", raising=False)
    store = Store(tmp_path)
    yield store
    for info in store.listing(status="running"):
        if info.pid and info.pid != os.getpid():
            send(info.pid, info.pid_start, signal.SIGKILL)


@pytest.fixture
def schedule(store: Store) -> Iterator[Callable[..., Scheduler]]:
    """Starts schedulers that launch the fake trainer, and stops them at the end."""
    started: list[Scheduler] = []

    def start(**options: Any) -> Scheduler:
        one = Scheduler(store, command=fake_command, **({"poll": 0.05} | options))
        one.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()


def until(store: Store, run_id: str, *statuses: str) -> RunInfo:
    return wait_until(lambda: (i := store.get(run_id)).status in statuses and i)


def at_step(store: Store, run_id: str, least: int) -> RunInfo:
    return wait_until(lambda: ((i := store.get(run_id)).step or 0) >= least and i)


def steps_of(store: Store, run_id: str) -> list[int]:
    return [e.step for e in store.get(run_id).folder.read().events if e.kind == "step"]


# -- the store ---------------------------------------------------------------------------------


def test_runs_wait_in_the_order_in_which_they_were_submitted(store: Store) -> None:
    ids = [store.enqueue(config(f"run {n}"), group="pair") for n in range(3)]
    assert [store.get(i).position for i in ids] == [1, 2, 3]
    assert [i.id for i in store.listing(group="pair")] == ids[::-1]
    assert store.listing(group="other") == []
    assert [store.claim(9).id for _ in ids] == ids  # type: ignore[union-attr]
    assert store.claim(9) is None
    assert [store.get(i).position for i in ids] == [None] * 3


def test_a_resumed_run_goes_to_the_end_of_the_queue(store: Store) -> None:
    first, second = store.enqueue(config()), store.enqueue(config())
    store.request(first, "pause")
    assert store.get(second).position == 1
    store.resume(first)
    assert (store.get(second).position, store.get(first).position) == (1, 2)


def test_a_wrong_setting_is_named_at_submission(store: Store) -> None:
    with pytest.raises(SettingError, match=r"TrainConfig.epochs: expected a whole number"):
        store.enqueue(RunConfig(train=TrainConfig(epochs=0)))
    assert store.listing() == []
    assert not (store.root / "runs").exists()


def test_processes_that_claim_at_once_never_get_the_same_run(store: Store) -> None:
    program = (
        "import sys; from pathlib import Path; from advlab.runs.queue import Store\n"
        "store = Store(Path(sys.argv[1])); store.listing()\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "while (run := store.claim(1000)) is not None: print(run.id)\n"
    )
    ids = [store.enqueue(config()) for _ in range(40)]
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(store.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=worker_environment(store.root),
        )
        for _ in range(3)
    ]
    for claimer in claimers:
        assert claimer.stdout is not None
        assert claimer.stdout.readline() == "ready\n"
    for claimer in claimers:
        assert claimer.stdin is not None
        claimer.stdin.write("\n")
        claimer.stdin.flush()
    got = [claimer.communicate(timeout=30)[0].split() for claimer in claimers]
    assert [claimer.returncode for claimer in claimers] == [0] * 3
    assert sorted(i for mine in got for i in mine) == sorted(ids)


def test_processes_that_open_a_new_data_folder_at_once_all_succeed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from advlab.runs.config import RunConfig\n"
        "from advlab.runs.queue import Store\n"
        "sys.stdin.readline(); Store(Path(sys.argv[1])).enqueue(RunConfig())\n"
    )
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            text=True,
            env=worker_environment(tmp_path),
        )
        for _ in range(4)
    ]
    for opener in openers:
        opener.communicate("\n", timeout=30)
    assert [opener.returncode for opener in openers] == [0] * 4
    assert len(Store(tmp_path).listing()) == 4


def test_a_claim_stops_at_the_limit(store: Store) -> None:
    for _ in range(3):
        store.enqueue(config())
    assert [store.claim(2) is not None for _ in range(3)] == [True, True, False]


def test_starter_runs_go_beside_each_other_and_beside_no_other(store: Store) -> None:
    pair = [store.enqueue(config(), group=STARTER_GROUP) for _ in range(3)]
    other = store.enqueue(config(), group="sweep")
    assert [getattr(store.claim(1, together=2), "id", None) for _ in range(3)] == [*pair[:2], None]
    store.finish(pair[0], 1, "done")
    assert store.claim(1, together=2).id == pair[2]  # type: ignore[union-attr]
    for run_id in pair[1:]:
        assert store.claim(1, together=2) is None
        store.finish(run_id, 1, "done")
    assert store.claim(1, together=2).id == other  # type: ignore[union-attr]
    store.enqueue(config(), group=STARTER_GROUP)
    assert store.claim(1, together=2) is None


def test_a_starter_run_passes_nobody_in_the_queue(store: Store) -> None:
    first = store.enqueue(config(), group=STARTER_GROUP)
    between = store.enqueue(config())
    second = store.enqueue(config(), group=STARTER_GROUP)
    assert store.claim(1, together=2).id == first  # type: ignore[union-attr]
    assert store.claim(1, together=2) is None
    assert [store.get(i).position for i in (between, second)] == [1, 2]


@pytest.mark.parametrize(
    ("usable", "setting", "together"), [(1, None, 1), (2, None, 2), (8, None, 2), (8, "1", 1)]
)
def test_two_cores_train_both_starters_at_once(
    monkeypatch: pytest.MonkeyPatch, usable: int, setting: str | None, together: int
) -> None:
    monkeypatch.setattr(scheduler, "cores", lambda: usable)
    monkeypatch.delenv("ADVLAB_MAX_RUNS", raising=False)
    if setting:
        monkeypatch.setenv("ADVLAB_MAX_RUNS", setting)
    assert scheduler.starters_together() == together


@pytest.mark.parametrize(
    ("quota", "share"), [("100000 100000", 1.0), ("150000 100000", 1.5), ("50000 0", None)]
)
def test_cores_are_those_that_a_container_may_use(
    tmp_path: Path, quota: str, share: float | None
) -> None:
    bound = scheduler.cores(tmp_path / "absent")
    assert bound >= 1
    (tmp_path / "cpu.max").write_text(quota)
    found = scheduler.cores(tmp_path / "cpu.max")
    assert found == (bound if share is None else min(bound, share))
    (tmp_path / "cpu.max").write_text("max 100000")
    assert scheduler.cores(tmp_path / "cpu.max") == bound


def test_the_pair_is_trained_at_once_by_the_real_scheduler(
    store: Store, schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "cores", lambda: 2)
    monkeypatch.delenv("ADVLAB_MAX_RUNS", raising=False)
    pair = [store.enqueue(config(steps=2000, delay=0.01), group=STARTER_GROUP) for _ in range(2)]
    schedule()
    for run_id in pair:
        at_step(store, run_id, 1)
    assert [store.get(i).status for i in pair] == ["running"] * 2
    for run_id in pair:
        store.request(run_id, "cancel")
        until(store, run_id, "cancelled")


def test_only_the_attempt_that_runs_can_finish(store: Store) -> None:
    run_id = store.enqueue(config())
    first = store.claim(1)
    assert first is not None
    assert store.finish(run_id, first.attempt, "interrupted", "gone")
    store.resume(run_id)
    second = store.claim(1)
    assert second is not None
    assert not store.finish(run_id, first.attempt, "failed", "a late worker")
    assert store.get(run_id).status == "running"
    assert store.finish(run_id, second.attempt, "done")
    assert not store.finish(run_id, second.attempt, "failed")
    assert (store.get(run_id).status, store.get(run_id).error) == ("done", None)


@pytest.mark.parametrize(
    ("status", "what", "after"),
    [
        ("queued", "cancel", "cancelled"),
        ("queued", "pause", "paused"),
        ("paused", "cancel", "cancelled"),
        ("paused", "pause", "paused"),
        ("interrupted", "cancel", "cancelled"),
        ("cancelled", "cancel", "cancelled"),
        ("running", "cancel", "running"),
        ("running", "pause", "running"),
        ("interrupted", "pause", None),
        ("done", "cancel", None),
        ("done", "pause", None),
        ("failed", "cancel", None),
        ("cancelled", "pause", None),
    ],
)
def test_requests_by_state(store: Store, status: str, what: str, after: str | None) -> None:
    run_id = store.enqueue(config())
    if status != "queued":
        run = store.claim(1)
        assert run is not None
        if status != "running":
            store.finish(run_id, run.attempt, status)
    if after is None:
        with pytest.raises(RunError, match=f"cannot {what} run {run_id}: it is {status} already"):
            store.request(run_id, what)
        assert store.get(run_id).status == status
        return
    store.request(run_id, what)
    info = store.get(run_id)
    assert info.status == after
    assert (info.request, info.folder.requested()) == (
        (what, what) if after == "running" else (None, None)
    )


def test_a_pause_does_not_soften_a_cancel(store: Store) -> None:
    run_id = store.enqueue(config())
    run = store.claim(1)
    assert run is not None
    store.request(run_id, "pause")
    store.request(run_id, "cancel")
    asked = store.get(run_id).requested
    store.request(run_id, "pause")
    store.request(run_id, "cancel")
    assert store.get(run_id).requested == asked
    assert run.folder.requested() == "cancel"
    store.finish(run_id, run.attempt, "interrupted")
    assert run.folder.requested() is None  # a resumed run must not find an old request


@pytest.mark.parametrize("status", ["queued", "running", "done"])
def test_what_is_not_stopped_cannot_be_resumed(store: Store, status: str) -> None:
    run_id = store.enqueue(config())
    if status != "queued":
        run = store.claim(1)
        assert run is not None
        if status == "done":
            store.finish(run_id, run.attempt, "done")
    with pytest.raises(RunError, match=f"cannot resume run {run_id}: it is {status}"):
        store.resume(run_id)


def test_deleting_a_running_run_is_refused_and_any_other_goes_with_its_files(store: Store) -> None:
    run_id = store.enqueue(config())
    run = store.claim(1)
    assert run is not None
    with pytest.raises(RunError, match="while it is running; cancel it first"):
        store.delete(run_id)
    assert run.folder.path.is_dir()
    store.finish(run_id, run.attempt, "done")
    store.delete(run_id)
    assert store.listing() == []
    assert list((store.root / "runs").iterdir()) == []
    with pytest.raises(RunError, match="there is no run"):
        store.get(run_id)


@pytest.mark.parametrize(
    "name", ["对抗训练 ε=½", "اختبار", "🧪👩‍🔬", "<script>alert(1)</script>", "'; DROP"]
)
def test_a_run_takes_any_name(store: Store, name: str) -> None:
    run_id = store.enqueue(config("before"))
    store.rename(run_id, f" {name}\n")
    info = store.get(run_id)
    assert info.name == info.config.name == info.folder.config().name == name
    assert info.config.fingerprint == config().fingerprint
    with pytest.raises(RunError, match="at least one character"):
        store.rename(run_id, " \n ")


def test_names_that_utf8_cannot_hold_are_mended(store: Store) -> None:
    run_id = store.enqueue(config("a\ud800b\x00c"))
    store.rename(run_id, "\udfff!")
    assert (store.get(run_id).name, store.get(run_id).folder.config().name) == ("?!", "?!")


def test_a_run_without_a_name_gets_a_telling_one(store: Store) -> None:
    run = RunConfig(method={"name": "freelb"}, data=DataConfig("/tmp/my data.csv"))
    assert store.get(store.enqueue(run)).name == "freelb · my data.csv · tiny"


@pytest.mark.parametrize("bad", ["../../etc", "x" * 12, "0123456789ab/../.."])
def test_no_function_takes_a_path_for_an_id(store: Store, bad: str) -> None:
    for function in (
        store.get,
        store.delete,
        store.resume,
        store.begin,
        jobs.run,
        jobs.events,
        jobs.folder,
        lambda i: store.request(i, "cancel"),
        lambda i: store.rename(i, "name"),
    ):
        with pytest.raises(RunError, match="expected a run id"):
            function(bad)


def test_settings_of_another_version_do_not_hide_the_list(store: Store) -> None:
    run_id = store.enqueue(config("old"))
    info = dataclasses.replace(store.get(run_id), config_json='{"colour": "blue"}')
    assert info.name == "old"
    with pytest.raises(SettingError, match="no setting 'colour'"):
        info.config


# -- processes ---------------------------------------------------------------------------------


def test_a_process_is_known_by_pid_and_start_time() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        start = start_of(child.pid)
        assert alive(child.pid, start)
        assert not alive(child.pid, "another boot:123")
        assert not alive(child.pid, None)
        send(child.pid, "another boot:123", signal.SIGKILL)  # not that process: spared
        assert alive(child.pid, start)
        send(child.pid, start, signal.SIGKILL)
        wait_until(lambda: not alive(child.pid, start))  # though nobody has reaped it yet
        assert child.wait(10) == -signal.SIGKILL
    assert start_of(child.pid) is None


def test_a_pid_that_belongs_to_another_process_now_means_interrupted(store: Store) -> None:
    run_id = store.enqueue(config())
    run = store.claim(1)
    assert run is not None
    with store.database.write() as db:
        db.execute("UPDATE runs SET pid = ?, pid_start = 'another boot:1'", (os.getpid(),))
    settle(store)
    info = store.get(run_id)
    assert info.status == "interrupted"
    assert info.error == (
        "the worker process ended without finishing; "
        "no checkpoint was written yet, so it starts anew when resumed"
    )


def test_a_claimed_run_that_never_started_is_interrupted_after_its_time(store: Store) -> None:
    run_id = store.enqueue(config())
    store.claim(1)
    settle(store, start_limit=30)
    assert store.get(run_id).status == "running"
    settle(store, start_limit=-1)
    assert store.get(run_id).status == "interrupted"
    assert "no worker process started" in (store.get(run_id).error or "")


# -- the scheduler with real workers -------------------------------------------------------------


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


def test_a_killed_worker_is_interrupted_and_resumes_without_losing_an_event(
    store: Store, schedule
) -> None:
    scheduler = schedule()
    run_id = store.enqueue(config(steps=80, delay=0.01, save_every=20))
    scheduler.kick()
    info = at_step(store, run_id, 30)
    assert info.pid is not None
    os.kill(info.pid, signal.SIGKILL)
    info = until(store, run_id, "interrupted")
    checkpoint = info.folder.checkpoint_step()
    assert checkpoint in (20, 40, 60)
    assert "ended by SIGKILL" in (info.error or "")
    assert f"continues from step {checkpoint} when resumed" in (info.error or "")
    before = info.folder.read()
    assert before.events[-1].step >= 30
    with info.folder.diary.open("ab") as diary:
        diary.write(b'{"kind": "st')  # as if the kill had hit in the middle of a line

    store.resume(run_id)
    scheduler.kick()
    info = until(store, run_id, "done")
    after = info.folder.read()
    assert after.events[: len(before.events)] == before.events
    assert after.damaged == 0
    note = after.events[len(before.events)]
    assert (note.kind, note.step) == ("note", checkpoint)
    assert note.values == {"message": f"resumed from step {checkpoint}", "resumed_from": checkpoint}
    resumed = [e.step for e in after.events[len(before.events) :] if e.kind == "step"]
    assert resumed == list(range(checkpoint + 1, 81))
    joined = [e.step for e in jobs.timeline(after.events) if e.kind == "step"]
    assert joined == list(range(1, 81))


def test_pause_then_resume_takes_every_step_once(store: Store, schedule) -> None:
    scheduler = schedule()
    run_id = store.enqueue(config(steps=60, delay=0.01, save_every=1000))
    scheduler.kick()
    at_step(store, run_id, 5)
    store.request(run_id, "pause")
    info = until(store, run_id, "paused")
    assert (info.active, info.resumable, info.request, info.error) == (False, True, None, None)
    assert info.progress is not None
    assert 0 < info.progress < 1
    store.resume(run_id)
    scheduler.kick()
    until(store, run_id, "done")
    assert steps_of(store, run_id) == list(range(1, 61))


def test_a_run_with_no_checkpoint_starts_anew_and_says_so(store: Store, schedule) -> None:
    scheduler = schedule()
    run_id = store.enqueue(config(steps=40, delay=0.01, save_every=1000))
    scheduler.kick()
    info = at_step(store, run_id, 3)
    assert info.pid is not None
    os.kill(info.pid, signal.SIGKILL)
    until(store, run_id, "interrupted")
    store.resume(run_id)
    scheduler.kick()
    events = until(store, run_id, "done").folder.read().events
    (note,) = [e for e in events if e.kind == "note"]
    assert "started again from the beginning" in note.values["message"]
    assert [e.step for e in jobs.timeline(events) if e.kind == "step"] == list(range(1, 41))


def test_cancelling_a_running_run_takes_effect_after_its_step(store: Store, schedule) -> None:
    scheduler = schedule()
    run_id = store.enqueue(config(**SLOW))
    scheduler.kick()
    at_step(store, run_id, 2)
    began = time.monotonic()
    store.request(run_id, "cancel")
    info = until(store, run_id, "cancelled")
    assert time.monotonic() - began < 2.0
    assert info.folder.requested() is None
    last = info.folder.read().events[-1]
    assert (last.kind, last.values["reason"]) == ("end", "cancelled")


def test_a_worker_that_does_not_listen_is_ended_by_sigterm(store: Store, schedule) -> None:
    scheduler = schedule(grace=0.1, kill_after=60.0)
    run_id = store.enqueue(config(deaf=True, **SLOW))
    scheduler.kick()
    info = at_step(store, run_id, 1)
    store.request(run_id, "cancel")
    assert until(store, run_id, "cancelled").error is None
    assert info.folder.read().events[-1].values == {"reason": "cancelled"}


def test_a_worker_that_ignores_sigterm_is_killed_with_its_children(store: Store, tmp_path) -> None:
    program = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "from advlab.runs.queue import Store\n"
        "run = Store().begin(sys.argv[1])\n"
        "(run.folder.path / 'child').write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    scheduler = Scheduler(
        store,
        command=lambda run_id: [sys.executable, "-c", program, run_id],
        poll=0.05,
        grace=0.1,
        kill_after=0.1,
    )
    run_id = store.enqueue(config())
    scheduler.start()
    try:
        file = store.get(run_id).folder.path / "child"
        child = int(wait_until(lambda: file.exists() and file.read_text()))
        assert start_of(child) is not None
        store.request(run_id, "cancel")
        until(store, run_id, "cancelled")
        wait_until(lambda: start_of(child) is None)
    finally:
        scheduler.stop()


def test_sigterm_without_a_request_leaves_a_resumable_run(store: Store, schedule) -> None:
    scheduler = schedule()
    run_id = store.enqueue(config(steps=60, delay=0.01, save_every=1000))
    scheduler.kick()
    info = at_step(store, run_id, 3)
    assert info.pid is not None
    os.kill(info.pid, signal.SIGTERM)
    info = until(store, run_id, "interrupted")
    step = info.folder.checkpoint_step()
    assert step is not None
    assert step >= 3
    assert "told to end (SIGTERM)" in (info.error or "")
    assert f"continues from step {step}" in (info.error or "")
    store.resume(run_id)
    scheduler.kick()
    until(store, run_id, "done")
    assert steps_of(store, run_id) == list(range(1, 61))


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


def test_a_cancelled_run_whose_worker_died_is_cancelled(store: Store) -> None:
    run_id = store.enqueue(config())
    store.claim(1)
    store.request(run_id, "cancel")
    settle(store, start_limit=-1)
    assert store.get(run_id).status == "cancelled"


def test_a_killed_server_leaves_runs_and_queue_as_they_were(store: Store, schedule) -> None:
    program = (
        "import sys, time\n"
        "from advlab.runs.jobs import Scheduler\n"
        "command = lambda run_id: [sys.executable, sys.argv[1], run_id]\n"
        "Scheduler(command=command, poll=0.05).start(); time.sleep(60)\n"
    )
    done = store.enqueue(config("first", steps=2))
    running = store.enqueue(config("second", steps=90, delay=0.01))
    waiting = [store.enqueue(config(f"queued {n}", steps=2)) for n in range(2)]
    with subprocess.Popen(
        [sys.executable, "-c", program, str(TESTS / "fake_trainer.py")],
        env=worker_environment(store.root),
    ) as server:
        before = at_step(store, running, 3)
        server.kill()
    step = store.get(running).step or 0
    info = at_step(store, running, step + 3)  # it trains on, with no server
    assert (info.status, info.pid) == ("running", before.pid)
    assert store.get(done).status == "done"
    assert [store.get(i).position for i in waiting] == [1, 2]
    schedule()  # the next server
    until(store, waiting[1], "done")
    info = store.get(running)
    assert (info.status, info.attempt, info.pid) == ("done", 1, before.pid)
    assert steps_of(store, running) == list(range(1, 91))
    started = [store.get(i).started or 0.0 for i in (done, running, *waiting)]
    assert started == sorted(started)


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


# -- what pages and the command line call ----------------------------------------------------------


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


def test_a_dead_worker_is_noticed_without_a_scheduler(store: Store) -> None:
    run_id = store.enqueue(config())
    store.claim(1)
    with store.database.write() as db:
        db.execute("UPDATE runs SET pid = ?, pid_start = 'another boot:1'", (os.getpid(),))
    assert jobs.run(run_id).status == "interrupted"
    assert jobs.runs()[0].status == "interrupted"


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


# -- real training -----------------------------------------------------------------------------


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
