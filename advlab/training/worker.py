"""One run, carried out: `python -m advlab.training.worker ID`.

The trainer is a generator of events and knows nothing of jobs. The worker writes each event into
the run's diary, passes on requests to pause or cancel, and records how it ended.

A SIGTERM with no cancel asked for (the machine shuts down) makes the trainer write a checkpoint;
the run is then "interrupted" and can be resumed. A second SIGTERM, or one after a request to cancel
that was not obeyed in time, ends the run at once.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from safetensors import SafetensorError

from advlab.errors import AdvlabError, RunError
from advlab.language import _
from advlab.records import Event
from advlab.runs.disk import trouble
from advlab.runs.folder import EventWriter, RunFolder
from advlab.runs.info import RunInfo
from advlab.runs.queue import Store

# status by the reason that the trainer's last event gives, or else by the request that stood
OUTCOMES = {"done": "done", "early stop": "done", "cancelled": "cancelled", "paused": "paused"}
REQUESTS = {"pause": "paused", "cancel": "cancelled", None: "done"}

# (config, folder, *, resume, stop) -> events, as `advlab.training.loop.train` is
Trainer = Callable[..., Iterator[Event]]


class Terminated(BaseException):
    """The process was told to end at once. Not an Exception, so that no trainer swallows it."""


class Stop:
    """What the trainer asks after each step: None, "pause" or "cancel"."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.terminated = False  # SIGTERM came

    def __call__(self) -> str | None:
        """The request that stands."""
        return self.folder.requested() or ("pause" if self.terminated else None)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGTERM."""
        if self.terminated or self.folder.requested() == "cancel":
            raise Terminated
        self.terminated = True


def run(
    run_id: str,
    *,
    train: Trainer | None = None,
    store: Store | None = None,
    stop: Stop | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> str:
    """Carry out a claimed run in this process and return the status it ended with.

    `on_event` sees each event after it was written. RunError where the run is not this process's
    to carry out: it is over, or another process has it.
    """
    store = store or Store()
    info = store.begin(run_id)
    if info is None:
        raise RunError(
            _(
                "run {run_id} is not waiting for a worker; start it from the list of runs",
                run_id=run_id,
            )
        )
    stop = stop or Stop(info.folder)
    before = info.folder.read().offset  # what an earlier attempt wrote
    status, error = "failed", None
    try:
        status, error = _follow(store, info, train, stop, on_event)
    except AdvlabError as mistake:
        error = str(mistake)
    except MemoryError:
        error = _("memory ran out; choose a smaller batch, shorter texts or a smaller model")
    except (OSError, SafetensorError) as mistake:
        error = _lost(info, mistake)
    except (Terminated, KeyboardInterrupt):
        cancelled = info.folder.requested() == "cancel"
        status = "cancelled" if cancelled else "interrupted"
        error = (
            None
            if cancelled
            else _("the worker was told to end; {outlook}", outlook=info.folder.outlook())
        )
    except BaseException as mistake:
        error = f"{type(mistake).__name__}: {mistake}"
        _log(info, traceback.format_exc())
    finally:
        with _deaf():  # nothing may cut short the lines that say how it ended
            _close(info, status, error, before)
            try:
                store.finish(run_id, info.attempt, status, error)
            except RunError as untold:  # nobody else will say what happened
                raise RunError(error or str(untold)) from None
    if error and not info.folder.path.is_dir():
        raise RunError(error)
    return status


def _lost(info: RunInfo, mistake: Exception) -> str:
    """Why a run could not write, with what to do."""
    if not info.folder.path.is_dir():
        return _(
            "the folder {path} was deleted during the run; start the run anew",
            path=info.folder.path,
        )
    if isinstance(mistake, OSError):
        return trouble(mistake, info.root)
    # safetensors tells the system's error in words of its own
    known = (e for e in (errno.ENOSPC, errno.EFBIG, errno.EROFS) if f"os error {e}" in str(mistake))
    number = next(known, None)
    return trouble(OSError(number, str(mistake)), info.root) if number else str(mistake)


def _log(info: RunInfo, text: str) -> None:
    """Put what only a developer can read where the page shows it, not on a terminal."""
    with suppress(OSError), info.folder.log.open("a", encoding="utf-8", errors="replace") as log:
        log.write(text)


def _follow(
    store: Store,
    info: RunInfo,
    train: Trainer | None,
    stop: Stop,
    on_event: Callable[[Event], None],
) -> tuple[str, str | None]:
    """Write every event of the trainer; (status, message for people)."""
    folder = info.folder
    config = folder.config()
    if train is None:
        from advlab.training.loop import train as trainer
    else:
        trainer = train
    resume = info.attempt > 1
    steps, metrics = info.steps, dict(info.metrics)
    reason = ""
    with folder.writer() as diary:
        # asked here too, since loading data and model may take long
        events = iter(()) if stop() else trainer(config, folder.path, resume=resume, stop=stop)
        for event in _continued(events, resume and bool(folder.read().events)):
            diary.append(event)
            if not folder.path.is_dir():
                raise FileNotFoundError(errno.ENOENT, "deleted", str(folder.path))
            if event.kind == "start":
                steps = event.values.get("steps", steps)
            elif event.kind == "epoch" and event.values.get("best", True):
                metrics |= event.values
            elif event.kind == "end":
                reason = str(event.values.get("reason", "done"))
                metrics |= event.values
            with suppress(RunError):  # lists may lag; training goes on
                store.advance(info.id, info.attempt, event.step, steps, _numbers(metrics))
            on_event(event)
    status = OUTCOMES.get(reason) or REQUESTS[stop()]
    if status == "paused" and stop.terminated and folder.requested() != "pause":
        return "interrupted", (
            _("the worker was told to end (SIGTERM), as when the machine shuts down; ")
            + folder.outlook()
        )
    return status, None


def _continued(events: Iterator[Event], resumed: bool) -> Iterator[Event]:
    """The events, and first a note that the run goes on, where its diary had begun before.

    `resumed_from` in the note is the step that `advlab.runs.folder.timeline` goes back to: that of
    the checkpoint which the trainer could read, as its first event tells.
    """
    first = next(events, None)
    if first is not None and resumed:
        message = _("resumed from step {step}", step=first.step)
        if not first.step:
            message = _("started again from the beginning: no checkpoint had been written")
        note = first if first.kind == "note" else Event("note", first.step, time.time(), {})
        yield replace(note, values={"message": message, **note.values, "resumed_from": first.step})
        first = None if note is first else first
    if first is not None:
        yield first
    yield from events


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    """Those values that a list of runs can show: a rate without its interval."""
    short = {
        n: v["value"] if isinstance(v, dict) and "value" in v else v for n, v in values.items()
    }
    return {n: v for n, v in short.items() if isinstance(v, bool | int | float | str)}


def _close(info: RunInfo, status: str, error: str | None, before: int) -> None:
    """Let the diary end with an "end", where the trainer had no chance to write one."""
    if not info.folder.path.is_dir():
        return
    try:
        new = info.folder.read(before).events
        if new and new[-1].kind == "end":
            return
        events = new or info.folder.read().events
        step = events[-1].step if events else 0
        values = {"reason": status} | ({"message": error} if error else {})
        with EventWriter(info.folder.diary) as diary:
            diary.append(Event("end", step, time.time(), values))
    except OSError as mistake:  # a full disk: the store still learns the status
        print(
            _("the end could not be written into the diary: {mistake}", mistake=mistake),
            file=sys.stderr,
        )


@contextmanager
def _deaf() -> Iterator[None]:
    """SIGTERM has no effect within."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach only the main thread, and only there can handlers be set
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def prepare_process() -> None:
    """Make the worker a good neighbour: before torch is imported, once, in its own process."""
    os.umask(0o077)  # texts and models are their owner's alone
    for name, value in (("OMP_NUM_THREADS", "1"), ("OMP_WAIT_POLICY", "PASSIVE")):
        os.environ.setdefault(name, value)
    if hasattr(os, "nice"):
        os.nice(10)  # an attack on the page took 137 ms beside a worker at 0, 70 ms at 10
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        limit = float(os.environ.get("ADVLAB_MAX_MEMORY", "0"))  # GiB; 0 is no limit
        if limit > 0:
            size = int(limit * 2**30)
            resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    except (ImportError, ValueError, OSError):
        pass
    with suppress(OSError):
        # when memory runs out, Linux is to end the training and not the server
        Path("/proc/self/oom_score_adj").write_text("500")


def main(run_id: str, train: Trainer | None = None) -> int:
    """The worker process; the exit code is 0 unless the run failed."""
    prepare_process()
    store = Store()
    stop = Stop(RunFolder.at(run_id, store.root))
    signal.signal(signal.SIGTERM, stop.on_signal)
    try:
        return int(run(run_id, train=train, store=store, stop=stop) == "failed")
    except RunError as error:  # another worker has it, or it was cancelled before this one came up
        print(error, file=sys.stderr)
        return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m advlab.training.worker RUN_ID")
    sys.exit(main(sys.argv[1]))
