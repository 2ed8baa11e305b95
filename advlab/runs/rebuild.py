"""The list of runs made anew from the runs' own folders, where `runs.db` is damaged.

Names, settings and results come back, since the folders hold them; which runs belonged together and
what waited in the queue is lost. The damaged file stays beside the new one.
"""

from __future__ import annotations

import time
from pathlib import Path

from advlab.errors import AdvlabError
from advlab.language import _
from advlab.records import Event
from advlab.runs.disk import telling
from advlab.runs.folder import RUN_ID, RunFolder
from advlab.runs.queue import Store

ENDS = {"done": "done", "early stop": "done", "paused": "paused", "cancelled": "cancelled"}


def rebuild(root: Path) -> tuple[int, list[str]]:
    """How many runs the new list holds, and the folders that could not be read, each with why."""
    with telling(root):
        for name in ("runs.db", "runs.db-wal", "runs.db-shm"):
            if (root / name).exists():
                (root / name).replace(root / f"{name}.damaged-{int(time.time())}")
        folders = sorted((root / "runs").glob("*"), key=lambda p: p.stat().st_mtime)
    store, entered, left = Store(root), 0, []
    for path in folders:
        if not RUN_ID.fullmatch(path.name):
            continue
        folder = RunFolder.at(path.name, root)
        try:
            config, events = folder.config(), folder.read().events
        except (AdvlabError, OSError) as error:
            left.append(f"{path.name}: {error}")
            continue
        end = next((e for e in reversed(events) if e.kind == "end"), None)
        status, error = (
            _status(end),
            _("the list was made anew; {outlook}", outlook=folder.outlook()),
        )
        store.enter(
            folder.id,
            config,
            status,
            error=None if status == "done" else error,
            created=path.stat().st_mtime,
            metrics=_metrics(events),
            step=events[-1].step if events else None,
        )
        entered += 1
    return entered, left


def _status(end: Event | None) -> str:
    reason = str(end.values.get("reason")) if end else ""
    return ENDS.get(reason, "failed" if reason == "failed" else "interrupted")


def _metrics(events: tuple[Event, ...]) -> dict[str, object]:
    """What lists show of a run: the values of its kept epoch and of its end."""
    found: dict[str, object] = {}
    for event in events:
        if event.kind == "end" or (event.kind == "epoch" and event.values.get("best", True)):
            for name, value in event.values.items():
                found[name] = value.get("value") if isinstance(value, dict) else value
    return {k: v for k, v in found.items() if isinstance(v, bool | int | float | str)}
