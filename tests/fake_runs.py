"""Runs of the fake trainer, and waits for them that have an end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import places

from advlab.runs.config import RunConfig
from advlab.runs.jobs import RunInfo, Store

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


def until(store: Store, run_id: str, *statuses: str) -> RunInfo:
    return wait_until(lambda: (i := store.get(run_id)).status in statuses and i)


def at_step(store: Store, run_id: str, least: int) -> RunInfo:
    return wait_until(lambda: ((i := store.get(run_id)).step or 0) >= least and i)


def steps_of(store: Store, run_id: str) -> list[int]:
    return [e.step for e in store.get(run_id).folder.read().events if e.kind == "step"]
