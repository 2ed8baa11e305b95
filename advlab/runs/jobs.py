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
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from advlab.errors import RunError
from advlab.runs.config import SCRATCH, RunConfig, home
from advlab.runs.folder import RunFolder, Tail, run_path, timeline
from advlab.runs.info import RESUMABLE, STATUSES, RunInfo
from advlab.runs.limits import check_room, check_run
from advlab.runs.queue import Store
from advlab.runs.scheduler import Scheduler, settle
from advlab.runs.spaces import current

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
    "is_shared",
    "make_room",
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
    "use_scheduler",
]

_lock = threading.Lock()
_stores: dict[Path, Store] = {}
_schedulers: dict[Path, Scheduler] = {}
_entering = threading.Lock()  # two submissions at once must not both find the last free place


class Common(Protocol):
    """One scheduler for the spaces of many: who serves a class registers it by `use_scheduler`."""

    @property
    def running(self) -> bool:
        """Whether its thread is alive."""
        ...

    def start(self) -> None:
        """Start its thread, unless it runs already."""
        ...

    def stop(self) -> None:
        """End its thread."""
        ...

    def kick_for(self, root: Path) -> None:
        """Look at this data folder now."""
        ...

    def place_of(self, run_id: str) -> int | None:
        """Place in the queue of all, 1 is next; None for what does not wait."""
        ...


_common: list[Common] = []


def submit(config: RunConfig, *, group: str | None = None) -> str:
    """Queue a run and return its id. Runs start in the order of submission.

    `group` ties runs together for lists, as a plain and an adversarial one. Relative paths of files
    are made absolute, since the worker stands in another folder. SettingError for a wrong config;
    RunError where a student has too many runs already.
    """
    config = absolute_paths(config)
    check_run(config)
    with _entering:
        make_room()
        run_id = _store().enqueue(config, group=group)
    _kick()
    return run_id


def make_room(more: int = 1) -> None:
    """RunError where so many more runs would be more than a student may have."""
    if current() is not None:
        own = _store().listing()
        check_room(sum(run.active for run in own), len(own), more)


def open_here(config: RunConfig, *, group: str | None = None) -> RunInfo:
    """Enter a run that this very process carries out with `advlab.training.worker.run(info.id)`."""
    config = absolute_paths(config)
    check_run(config)
    return _store().open_here(config, group=group)


def take(run_id: str) -> RunInfo | None:
    """Give a run that waits or was stopped to this very process, past the queue.

    None where another process is at work on it; RunError where it is done.
    """
    _settle()
    return _store().take(run_id)


def runs(*, group: str | None = None) -> list[RunInfo]:
    """All runs, the newest first; in a class, its finished ones after the student's own."""
    _settle()
    own = _placed(_store().listing(group=group))
    shared = _shared()
    if shared is None:
        return own
    ready = shared.listing(status="done", group=group)
    return own + [run for run in ready if run.folder.has_model]


def run(run_id: str) -> RunInfo:
    """One run; RunError where there is none of that id."""
    shared = _shared()
    if shared is not None and not run_path(run_id, home()).is_dir():
        try:
            info = shared.get(run_id)
        except RunError:
            info = None
        if info is not None and info.status == "done" and info.folder.has_model:
            return info
    info = _store().get(run_id)
    if info.status == "running" and _settle():
        info = _store().get(run_id)
    return _placed([info])[0]


def is_shared(info: RunInfo) -> bool:
    """Whether a run is the class's: it may be looked at and not be changed."""
    return info.root != home()


def folder(run_id: str) -> RunFolder:
    """A run's files; RunError where there is no such run."""
    return run(run_id).folder


def events(run_id: str, offset: int = 0) -> Tail:
    """What a run's diary holds from byte `offset` on; `timeline` joins a resumed run's parts."""
    if _shared() is not None and not run_path(run_id, home()).is_dir():
        with suppress(RunError):
            return run(run_id).folder.read(offset)
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
    with _entering:
        if current() is not None:
            own = _store().listing()
            check_room(sum(run.active for run in own), len(own) - 1)
        _store().resume(run_id)
    _kick()


def rename(run_id: str, name: str) -> None:
    """Give a run another name."""
    _store().rename(run_id, name)


def delete(run_id: str) -> None:
    """Remove a run and its files; RunError while it is running."""
    _settle()
    _store().delete(run_id)


def use_scheduler(common: Common | None) -> None:
    """From now on, all data folders of this process have one scheduler; None: each its own."""
    _common[:] = [common] if common is not None else []


def ensure_scheduler() -> Scheduler | Common:
    """Start this process's scheduler for the data folder, unless it runs already."""
    with _lock:
        if _common:
            _common[0].start()
            return _common[0]
        scheduler = _schedulers.get(home())
        if scheduler is None:
            scheduler = _schedulers[home()] = Scheduler(Store(home()))
        scheduler.start()
        return scheduler


def stop_scheduler() -> None:
    """End this process's scheduler. Workers go on; the next scheduler finds them."""
    with _lock:
        scheduler = _common[0] if _common else _schedulers.pop(home(), None)
    if scheduler is not None:
        scheduler.stop()


def absolute_paths(config: RunConfig) -> RunConfig:
    """The same config with relative names of files and model folders that exist made absolute."""

    def fix(source: str | None) -> str | None:
        if not source or source in (*SCRATCH, "minilm"):
            return source
        path = Path(source).expanduser()
        try:
            is_file = path.suffix != "" and path.is_file()
            is_model = (path / "config.json").is_file()
        except OSError:  # longer than a name may be
            return source
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


def _shared() -> Store | None:
    """The runs that are the class's; None where there are none beside the user's own."""
    space = current()
    if space is None or space.shared is None:
        return None
    with _lock:
        return _stores.setdefault(space.shared, Store(space.shared))


def _placed(infos: Sequence[RunInfo]) -> list[RunInfo]:
    """The runs with their places in the queue of all, where others wait too."""
    if not _common:
        return list(infos)
    return [
        dataclasses.replace(info, position=_common[0].place_of(info.id)) if info.position else info
        for info in infos
    ]


def _kick() -> None:
    if _common:
        _common[0].kick_for(home())
        return
    scheduler = _schedulers.get(home())
    if scheduler is not None:
        scheduler.kick()


def _settle() -> bool:
    """Without a scheduler here (the command line), nobody else may have noticed a dead worker."""
    scheduler = _common[0] if _common else _schedulers.get(home())
    if scheduler is not None and scheduler.running:
        return False
    try:
        settle(_store())
    except RunError:  # a list that may only be read is shown as it is
        return False
    return True
