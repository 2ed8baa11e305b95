"""Training from a command: a new run, or one to go on with, in this process or followed in another."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from advlab.cli.printing import Progress
from advlab.errors import AdvlabError

if TYPE_CHECKING:
    from advlab.records import Event
    from advlab.runs.config import RunConfig
    from advlab.runs.info import RunInfo

EVERY = 0.5  # seconds between looks at a run that another process carries out


def carry_out(config: RunConfig, device: str = "cpu", group: str | None = None) -> dict[str, Any]:
    """Train `config` here and now, with a progress line on standard error."""
    from advlab.runs import jobs

    return _train(jobs.open_here(config, group=group), device)


def go_on(run_id: str, device: str = "cpu") -> dict[str, Any]:
    """Go on with a run that waits or was stopped; no app and no other worker is needed for it.

    One that another process carries out is followed until it ends there.
    """
    from advlab.runs import jobs

    info = jobs.take(run_id)
    if info is not None:
        return _train(info, device)
    return _told(jobs.run(run_id), lambda watch: _follow(run_id, watch))


def _train(info: RunInfo, device: str) -> dict[str, Any]:
    from advlab.training import worker
    from advlab.training.loop import train

    trainer = functools.partial(train, device=device)
    return _told(info, lambda watch: worker.run(info.id, train=trainer, on_event=watch))


def _told(info: RunInfo, work: Callable[[Callable[[Event], None]], object]) -> dict[str, Any]:
    """What became of a run while `work` showed its events to a progress line."""
    from advlab.runs import jobs

    seen: dict[str, Any] = {"end": {}, "alarms": [], "notes": []}
    bar = Progress(info.name)

    def watch(event: Event) -> None:
        bar.show(event)
        if event.kind == "end":
            seen["end"] = dict(event.values)
        if event.kind == "alarm":
            seen["alarms"].append(dict(event.values))
        if event.kind == "note":
            seen["notes"].append(event.values.get("message", ""))

    before = os.umask(0o077)  # texts and models are their owner's alone
    try:
        work(watch)
    finally:
        os.umask(before)
        bar.close()
    info = jobs.run(info.id)
    if info.status == "failed":
        raise AdvlabError(info.error or "the run failed; see its worker.log")
    return {
        "run": info.id,
        "name": info.name,
        "status": info.status,
        "error": info.error,
        "model": str(info.folder.model),
        "config": json.loads(info.config_json),
        **seen,
    }


def _follow(run_id: str, watch: Callable[[Event], None]) -> None:
    """Show what another process writes into a run's diary, until the run is no longer active."""
    from advlab.runs import jobs

    offset = 0
    while True:
        active = jobs.run(run_id).active  # before the diary, so that its end is not missed
        tail = jobs.events(run_id, offset)
        offset = tail.offset
        for event in tail.events:
            watch(event)
        if not active:
            return
        time.sleep(EVERY)
