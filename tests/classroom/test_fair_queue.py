"""One queue for all spaces, with real processes: round robin, few at once, a place for everybody."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import places
import pytest

from advlab.classroom import Classroom
from advlab.classroom.scheduler import FairScheduler
from advlab.runs import jobs
from advlab.runs.config import RunConfig
from advlab.runs.processes import send
from advlab.runs.queue import Store
from advlab.runs.spaces import Space, inside


def fake_command(run_id: str) -> list[str]:
    return [sys.executable, str(places.TESTS / "fake_trainer.py"), run_id]


# takes its run and is done: a real process, without what a trainer imports
AT_ONCE = (
    "import sys; from advlab.runs.queue import Store; s = Store(); r = s.begin(sys.argv[1]); "
    "s.finish(r.id, r.attempt, 'done')"
)


def quick_command(run_id: str) -> list[str]:
    return [sys.executable, "-c", AT_ONCE, run_id]


def config(name: str, **how: float) -> RunConfig:
    return RunConfig(name, method={"name": "plain", "steps": 2, **how})


@pytest.fixture
def room(advlab_home: Path) -> Classroom:
    return Classroom(advlab_home)


@pytest.fixture
def spaces(room: Classroom) -> Iterator[list[Space]]:
    found = [room.space_of(room.join(room.code, name)[0].id) for name in ("Anna", "Ben", "Cem")]
    yield found
    jobs.use_scheduler(None)
    for space in found:
        for info in Store(space.root).listing(status="running"):
            if info.pid and info.pid != os.getpid():
                send(info.pid, info.pid_start, signal.SIGKILL)


def fair(room: Classroom, **how: Any) -> FairScheduler:
    scheduler = FairScheduler(room.root, room.spaces, **{"command": quick_command, **how})
    jobs.use_scheduler(scheduler)
    return scheduler


def submit(space: Space, *names: str) -> list[str]:
    with inside(space):
        return [jobs.submit(config(name)) for name in names]


def test_a_fifth_run_waits_for_anothers_first(room: Classroom, spaces: list[Space]) -> None:
    scheduler = fair(room, limit=1)
    first = submit(spaces[0], "a1", "a2", "a3", "a4", "a5")
    second = submit(spaces[1], "b1", "b2")
    third = submit(spaces[2], "c1")
    expected = [first[0], second[0], third[0], first[1], second[1], *first[2:]]
    assert scheduler.order() == expected
    with inside(spaces[0]):
        assert [run.position for run in reversed(jobs.runs())] == [1, 4, 6, 7, 8]
    with inside(spaces[2]):
        assert jobs.run(third[0]).position == 3
    started: list[str] = []
    end = time.monotonic() + 60
    while len(started) < 8:
        assert time.monotonic() < end, started
        scheduler.tick()
        running = [r for s in spaces for r in Store(s.root).listing(status="running")]
        assert len(running) <= 1
        ran = [r for s in spaces for r in Store(s.root).listing() if r.started]
        started = [r.id for r in sorted(ran, key=lambda r: r.started or 0.0)]
        time.sleep(0.02)
    assert started == expected


def test_at_most_so_many_run_at_once_over_all_spaces(room: Classroom, spaces: list[Space]) -> None:
    scheduler = fair(room, limit=2, command=fake_command)
    for space in spaces:
        for name in "xy":
            Store(space.root).enqueue(config(name, steps=9, delay=5.0))
    scheduler.tick()
    scheduler.tick()
    running = [len(Store(s.root).listing(status="running")) for s in spaces]
    assert sum(running) == 2
    assert max(running) == 1


def test_who_deletes_runs_gains_no_turn(room: Classroom, spaces: list[Space]) -> None:
    scheduler = fair(room, limit=1)
    (gone,) = submit(spaces[0], "a1")
    scheduler.tick()
    end = time.monotonic() + 30
    while Store(spaces[0].root).get(gone).status != "done":
        assert time.monotonic() < end
        time.sleep(0.05)
    with inside(spaces[0]):
        jobs.delete(gone)
    (again,), (other,) = submit(spaces[0], "a2"), submit(spaces[1], "b1")
    assert scheduler.order() == [other, again]


def test_a_run_over_its_time_is_paused(room: Classroom, spaces: list[Space]) -> None:
    scheduler = fair(room, limit=1, command=fake_command, minutes_of=lambda home: 0.001)
    store = Store(spaces[0].root)
    run_id = store.enqueue(config("long", steps=2000, delay=0.05))
    end = time.monotonic() + 30
    while store.get(run_id).status != "paused":
        assert time.monotonic() < end, store.get(run_id)
        scheduler.tick()
        time.sleep(0.05)


def test_a_worker_is_at_home_in_its_students_space(room: Classroom, spaces: list[Space]) -> None:
    scheduler = fair(room, limit=1)
    (run_id,) = submit(spaces[1], "b1")
    scheduler.tick()
    end = time.monotonic() + 30
    while Store(spaces[1].root).get(run_id).status != "done":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert (spaces[1].root / "runs" / run_id).is_dir()
    assert not (room.root / "runs").exists()


def test_a_clock_that_is_set_back_makes_nobody_wait_for_it(
    room: Classroom, spaces: list[Space]
) -> None:
    queue, ids = fair(room), []
    for space in spaces[:2]:
        with inside(space):
            ids.append(Store(space.root).enqueue(config("run")))
    queue._sweep()
    queue._served = {spaces[0].root: time.time() + 3600, spaces[1].root: time.time() - 1}
    assert queue.order() == ids
    assert queue._next(queue._lines()) == spaces[0].root
