"""Runs paused, cancelled or killed. Every wait is bounded; only processes started here are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from fake_runs import SLOW, TESTS, at_step, config, steps_of, until, wait_until

from advlab.runs import jobs
from advlab.runs.jobs import Scheduler, Store
from advlab.runs.processes import alive, send, start_of
from advlab.runs.scheduler import settle, worker_environment


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


def test_a_dead_worker_is_noticed_without_a_scheduler(store: Store) -> None:
    run_id = store.enqueue(config())
    store.claim(1)
    with store.database.write() as db:
        db.execute("UPDATE runs SET pid = ?, pid_start = 'another boot:1'", (os.getpid(),))
    assert jobs.run(run_id).status == "interrupted"
    assert jobs.runs()[0].status == "interrupted"
