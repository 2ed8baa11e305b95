"""One run as the queue knows it, read from its entry, which may be damaged."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from advlab.language import N_, _
from advlab.runs.config import RunConfig
from advlab.runs.folder import RunFolder

STATUSES = ("queued", "running", "paused", "interrupted", "failed", "cancelled", "done")
RESUMABLE = ("paused", "interrupted", "failed", "cancelled")

# what a damaged entry must not hold other things in, and what stands there in its place
_NUMBER, _MAYBE = int | float, int | float | None
_KINDS: dict[str, Any] = {
    "name": str,
    "config_json": str,
    "error": str | None,
    "group": str | None,
    "created": _NUMBER,
    "attempt": int,
    "started": _MAYBE,
    "finished": _MAYBE,
    "requested": _MAYBE,
    "pid": int | None,
    "pid_start": str | None,
    "step": int | None,
    "steps": int | None,
}
_DAMAGED = {
    "name": N_("damaged entry"),
    "config_json": "{",
    "created": 0.0,
    "attempt": 0,
    "metrics": {},
}


@dataclass(frozen=True)
class RunInfo:
    """One run as the queue knows it. Times in seconds since 1970."""

    id: str
    name: str
    status: str  # one of STATUSES
    error: str | None  # why it failed or was interrupted, for people
    created: float
    started: float | None  # of the latest attempt
    finished: float | None
    position: int | None  # place in the queue, 1 is next; None unless queued
    pid: int | None
    pid_start: str | None
    attempt: int  # 0 before the first start; more than 1 after a resume
    group: str | None
    request: str | None  # "pause" or "cancel" that the worker has not obeyed yet
    requested: float | None
    step: int | None
    steps: int | None
    config_json: str
    root: Path = field(repr=False)
    metrics: Mapping[str, Any] = field(
        default_factory=dict
    )  # the kept epoch's and the end's values

    @cached_property
    def config(self) -> RunConfig:
        """The settings; SettingError where an older version's do not fit any more."""
        return dataclasses.replace(RunConfig.from_json(self.config_json), name=self.name)

    @property
    def folder(self) -> RunFolder:
        """The run's files."""
        return RunFolder.at(self.id, self.root)

    @property
    def active(self) -> bool:
        """Whether more is to come by itself: pages poll these and no others."""
        return self.status in ("queued", "running")

    @property
    def resumable(self) -> bool:
        """Whether `resume` is possible."""
        return self.status in RESUMABLE

    @property
    def progress(self) -> float | None:
        """Fraction of the optimiser steps taken, from 0 to 1; None while unknown."""
        if self.status == "done":
            return 1.0
        if not self.steps:
            return None
        return min((self.step or 0) / self.steps, 1.0)


@dataclass(frozen=True)
class Line:
    """A queue in short: (id, time of its creation) of each run that waits, the next one first."""

    waiting: tuple[tuple[str, float], ...]
    running: int  # runs
    started: float  # the last time that one was started, seconds since 1970; 0: never


def info_of(row: sqlite3.Row, root: Path) -> RunInfo:
    """The run of an entry; a damaged one says so and has failed."""
    values = dict(row)
    for name in ("seq", "turn"):
        del values[name]
    values["group"] = values.pop("grp")
    values["config_json"] = values.pop("config")
    wrong = [name for name, kinds in _KINDS.items() if not isinstance(values[name], kinds)]
    try:
        values["metrics"] = dict(json.loads(values["metrics"]))
    except (ValueError, TypeError):
        wrong.append("metrics")
    if values["status"] not in STATUSES:
        wrong.append("status")
    if wrong:
        values |= {name: _DAMAGED.get(name) for name in wrong} | {
            "status": "failed",
            "error": _(
                "the entry of this run in runs.db is damaged ({wrong}); delete it, or make "
                "the list anew: advlab runs rebuild",
                wrong=", ".join(wrong),
            ),
        }
    return RunInfo(root=root, **values)
