"""Training in the background: what pages and the command line call.

    run_id = submit(config)         # at the end of the queue
    ensure_scheduler()              # once a server: starts what is queued
    info = run(run_id)              # status, place in the queue, progress
    tail = events(run_id, offset)   # what is new in its diary

Runs live in the data folder, not in the server: they survive reloads, restarts and crashes.
Neither torch nor streamlit is imported here.
"""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

from advlab.errors import RunError
from advlab.runs.config import SCRATCH, RunConfig, home
from advlab.runs.folder import RunFolder, Tail, timeline
from advlab.runs.queue import RESUMABLE, STATUSES, RunInfo, Store
from advlab.runs.scheduler import Scheduler, settle

__all__ = [
    "RESUMABLE",
    "STATUSES",
    "RunInfo",
    "Scheduler",
    "Store",
    "cancel",
    "delete",
    "ensure_scheduler",
    "events",
    "folder",
    "open_here",
    "pause",
    "rename",
    "resume",
    "run",
    "runs",
    "stop_scheduler",
    "submit",
    "take",
    "timeline",
]

_lock = threading.Lock()
_stores: dict[Path, Store] = {}
_schedulers: dict[Path, Scheduler] = {}


def submit(config: RunConfig, *, group: str | None = None) -> str:
    """Queue a run and return its id. Runs start in the order of submission.

    `group` ties runs together for lists, as a plain and an adversarial one. Relative paths of files
    are made absolute, since the worker stands in another folder. SettingError for a wrong config.
    """
    run_id = _store().enqueue(absolute_paths(config), group=group)
    _kick()
    return run_id


def open_here(config: RunConfig, *, group: str | None = None) -> RunInfo:
    """Enter a run that this very process carries out with `advlab.training.worker.run(info.id)`."""
    return _store().open_here(absolute_paths(config), group=group)


def take(run_id: str) -> RunInfo | None:
    """Give a run that waits or was stopped to this very process, past the queue.

    None where another process is at work on it; RunError where it is done.
    """
    _settle()
    return _store().take(run_id)


def runs(*, group: str | None = None) -> list[RunInfo]:
    """All runs, the newest first."""
    _settle()
    return _store().listing(group=group)


def run(run_id: str) -> RunInfo:
    """One run; RunError where there is none of that id."""
    info = _store().get(run_id)
    if info.status == "running" and _settle():
        info = _store().get(run_id)
    return info


def folder(run_id: str) -> RunFolder:
    """A run's files; RunError where there is no such run."""
    return run(run_id).folder


def events(run_id: str, offset: int = 0) -> Tail:
    """What a run's diary holds from byte `offset` on; `timeline` joins a resumed run's parts."""
    return RunFolder.at(run_id, home()).read(offset)


def pause(run_id: str) -> None:
    """Stop a run after its step, with a checkpoint; a queued one leaves the queue."""
    _store().request(run_id, "pause")


def cancel(run_id: str) -> None:
    """End a run: after its step, or by force if it does not answer."""
    _store().request(run_id, "cancel")
    _kick()


def resume(run_id: str) -> None:
    """Queue a stopped run again; same id, and it continues from its last checkpoint."""
    _store().resume(run_id)
    _kick()


def rename(run_id: str, name: str) -> None:
    """Give a run another name."""
    _store().rename(run_id, name)


def delete(run_id: str) -> None:
    """Remove a run and its files; RunError while it is running."""
    _settle()
    _store().delete(run_id)


def ensure_scheduler() -> Scheduler:
    """Start this process's scheduler for the data folder, unless it runs already."""
    with _lock:
        scheduler = _schedulers.get(home())
        if scheduler is None:
            scheduler = _schedulers[home()] = Scheduler(Store(home()))
        scheduler.start()
        return scheduler


def stop_scheduler() -> None:
    """End this process's scheduler. Workers go on; the next scheduler finds them."""
    with _lock:
        scheduler = _schedulers.pop(home(), None)
    if scheduler is not None:
        scheduler.stop()


def absolute_paths(config: RunConfig) -> RunConfig:
    """The same config with relative names of files and model folders that exist made absolute."""

    def fix(source: str | None) -> str | None:
        if not source or source in (*SCRATCH, "minilm"):
            return source
        path = Path(source).expanduser()
        is_file = path.suffix != "" and path.is_file()
        is_model = (path / "config.json").is_file()
        return str(path.resolve()) if is_file or is_model else source

    data = dataclasses.replace(
        config.data, source=fix(config.data.source) or "", eval_source=fix(config.data.eval_source)
    )
    model = dataclasses.replace(config.model, source=fix(config.model.source) or "")
    return dataclasses.replace(config, data=data, model=model)


def _store() -> Store:
    root = home()
    with _lock:
        return _stores.setdefault(root, Store(root))


def _kick() -> None:
    scheduler = _schedulers.get(home())
    if scheduler is not None:
        scheduler.kick()


def _settle() -> bool:
    """Without a scheduler here (the command line), nobody else may have noticed a dead worker."""
    scheduler = _schedulers.get(home())
    if scheduler is not None and scheduler.running:
        return False
    try:
        settle(_store())
    except RunError:  # a list that may only be read is shown as it is
        return False
    return True
