"""The scheduler: starts queued runs as processes of their own, and notices those that died.

It is a thread in the server, and nothing depends on its life: a worker goes on when the server
stops, and the next server's scheduler finds it in the table by pid and start time. Several may run
at once, in several servers; the store's conditional updates keep them from doing a thing twice.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import advlab
from advlab.errors import RunError
from advlab.language import _
from advlab.runs.info import RunInfo
from advlab.runs.processes import alive, send
from advlab.runs.queue import Store

LOG = logging.getLogger(__name__)


def worker_command(run_id: str) -> list[str]:
    """The command that carries out a run."""
    return [sys.executable, "-m", "advlab.training.worker", run_id]


def max_runs() -> int:
    """How many runs may run at once: `$ADVLAB_MAX_RUNS`, by default one."""
    try:
        return max(1, int(os.environ.get("ADVLAB_MAX_RUNS", "1")))
    except ValueError:
        return 1


def starters_together() -> int:
    """How many starter runs may run beside each other: two where two cores are ours, one thread each.

    `$ADVLAB_MAX_RUNS` holds for them too, where it is set. Nobody asks whether the cores are idle:
    two beside each other take no longer than one after the other, however busy the machine is.
    """
    if "ADVLAB_MAX_RUNS" in os.environ:
        return max_runs()
    return 2 if cores() >= 2 else 1


def cores(cgroup: Path = Path("/sys/fs/cgroup/cpu.max")) -> float:
    """The cores that this process may use: those it is bound to, within the container's quota."""
    try:
        bound = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        bound = os.cpu_count() or 1
    try:
        quota, period = cgroup.read_text(encoding="ascii").split()
        return bound if quota == "max" else min(bound, int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no such file where there is no quota
        return bound


def worker_environment(root: Path) -> dict[str, str]:
    """The server's environment with what a worker needs: few threads, the same data folder."""
    environment = {
        # torch's default threads beside another busy process trained 14 to 24 times slower
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONFAULTHANDLER": "1",
        **os.environ,
        "ADVLAB_HOME": str(root),
        "PYTHONUNBUFFERED": "1",
    }
    source = Path(advlab.__file__).resolve().parents[1]
    if "site-packages" not in source.parts:  # run from a source tree that is not installed
        paths = [str(source), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


class Scheduler:
    """Keeps up to `limit` workers going. `start` it once; `tick` is one round, for tests.

    Times in seconds. `grace`: from the request to cancel until SIGTERM; `kill_after`: from then
    until SIGKILL; `start_limit`: how long a claimed run may be without a process.
    """

    # all children of this Python process, so that a later scheduler reaps an earlier one's
    _children: ClassVar[dict[int, subprocess.Popen[bytes]]] = {}

    def __init__(
        self,
        store: Store | None = None,
        *,
        command: Callable[[str], list[str]] = worker_command,
        limit: int | None = None,
        poll: float = 0.5,
        grace: float = 5.0,
        kill_after: float = 10.0,
        start_limit: float = 30.0,
    ) -> None:
        self.store = store or Store()
        self.command = command
        self.limit = limit
        self.poll = poll
        self.grace = grace
        self.kill_after = kill_after
        self.start_limit = start_limit
        self._wake = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._terminated: set[tuple[str, int]] = set()
        self._since: dict[tuple[str, int, str], float] = {}  # by the clock that nobody sets
        self._told = ""  # the last trouble that was logged

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread, unless it runs already."""
        if self.running:
            return
        self._over.clear()
        self._thread = threading.Thread(target=self._loop, name="advlab-scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Workers go on."""
        self._over.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def kick(self) -> None:
        """Look at the queue now rather than at the next poll."""
        self._wake.set()

    def _loop(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            try:
                self.tick()
                self._told = ""
            except RunError as error:  # a full disk, a damaged list: it may be mended meanwhile
                if str(error) != self._told:
                    self._told = str(error)
                    LOG.error("%s", error)
            except Exception:  # a full disk or a locked file must not end the queue for good
                LOG.exception(_("the scheduler's round failed; the next one follows"))
            self._wake.wait(self.poll)

    def tick(self) -> None:
        """One round: settle what ended, press what was cancelled, start what may start."""
        self._remember(self._tend(self.store))
        limit = self.limit or max_runs()
        together = self.limit or starters_together()
        while (run := self.store.claim(limit, together)) is not None:
            self._spawn(self.store, run)

    def _tend(self, store: Store) -> list[RunInfo]:
        """Settle what ended and press what was cancelled; the runs that are running."""
        for child in list(self._children.values()):
            child.poll()  # so that none stays a zombie
        settle(
            store,
            start_limit=self.start_limit,
            exit_of=self._exit_of,
            waited=lambda run: self._waited(run, "start"),
        )
        running = store.listing(status="running")
        for run in running:
            self._press(run)
        return running

    def _remember(self, running: Sequence[RunInfo]) -> None:
        """Forget the clocks of all but these runs."""
        there = {(run.id, run.attempt) for run in running}
        self._since = {key: t for key, t in self._since.items() if key[:2] in there}

    def _exit_of(self, pid: int) -> int | None:
        # asked anew and not remembered from the start of the round: it may have ended since
        child = self._children.get(pid)
        return child.poll() if child is not None else None

    def _waited(self, run: RunInfo, what: str) -> float:
        """Seconds since this was first seen of a run, by a clock that nobody sets back or forward."""
        now = time.monotonic()
        return now - self._since.setdefault((run.id, run.attempt, what), now)

    def _press(self, run: RunInfo) -> None:
        if run.request != "cancel" or run.pid is None or run.requested is None:
            return
        waited = self._waited(run, "cancel")
        if waited > self.grace + self.kill_after:
            send(run.pid, run.pid_start, signal.SIGKILL)
        elif waited > self.grace and (run.id, run.attempt) not in self._terminated:
            self._terminated.add((run.id, run.attempt))
            send(run.pid, run.pid_start, signal.SIGTERM)

    def _spawn(self, store: Store, run: RunInfo) -> None:
        try:
            with run.folder.log.open("ab") as log:
                child = subprocess.Popen(
                    self.command(run.id),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # holds no Python file that could shadow a module, as any other folder might
                    cwd=run.folder.path,
                    env=worker_environment(store.root),
                    start_new_session=True,  # a Ctrl-C in the server's terminal is not for it
                )
        except OSError as error:
            store.finish(
                run.id,
                run.attempt,
                "failed",
                _("the worker could not be started: {error}", error=error),
            )
            return
        self._children[child.pid] = child
        store.note_process(run.id, run.attempt, child.pid)


def settle(
    store: Store,
    *,
    start_limit: float = 30.0,
    exit_of: Callable[[int], int | None] = lambda pid: None,
    waited: Callable[[RunInfo], float] = lambda run: time.time() - (run.started or 0.0),
) -> None:
    """Give every run that says "running" without a living worker the state that is true.

    `exit_of` tells the exit code of a pid, where the caller is its parent; else None. `waited`: the
    seconds since a run was claimed; who looks only once has the clock on the wall alone.
    """
    for run in store.listing(status="running"):
        if run.pid is None:
            if waited(run) > start_limit:
                _lost(store, run, _("no worker process started"))
        elif not alive(run.pid, run.pid_start):
            _lost(store, run, _cause(run, exit_of(run.pid)))


def _lost(store: Store, run: RunInfo, cause: str) -> None:
    if run.request == "cancel":
        store.finish(run.id, run.attempt, "cancelled")
        return
    store.finish(run.id, run.attempt, "interrupted", f"{cause}; {run.folder.outlook()}")


def _cause(run: RunInfo, code: int | None) -> str:
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        memory = _(", as happens when memory runs out") if name == "SIGKILL" else ""
        return _("the worker process was ended by {name}{memory}", name=name, memory=memory)
    if code:
        last = run.folder.last_log_line()
        return _("the worker process ended with code {code}", code=code) + (
            f" ({last[:300]})" if last else ""
        )
    return _("the worker process ended without finishing")
