"""A store of its own for a test, and schedulers that launch the fake trainer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_runs import fake_command

from advlab.runs.jobs import Scheduler, Store
from advlab.runs.processes import send


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
