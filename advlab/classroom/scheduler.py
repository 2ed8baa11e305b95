"""One scheduler for the queues of all students, each served in turn.

The next run is that of the student whose last one was started the longest ago, so a student's fifth
run waits for another's first. Each queue stays in its own space: nothing here can mix them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from advlab.runs.info import Line, RunInfo
from advlab.runs.queue import Store
from advlab.runs.scheduler import Scheduler, cores, max_runs, worker_command

SWEEP = 20.0  # seconds between looks into the queues of those who do nothing
FRESH = 0.5  # seconds for which places in the queue are told again


def class_runs() -> int:
    """How many runs may run at once: `$ADVLAB_MAX_RUNS`, or all cores but one, for the pages."""
    return max_runs() if "ADVLAB_MAX_RUNS" in os.environ else max(1, int(cores()) - 1)


class FairScheduler(Scheduler):
    """Serves the data folders that `homes` names. `minutes_of`: how long one's runs may train."""

    def __init__(
        self,
        root: Path,
        homes: Callable[[], list[Path]],
        *,
        minutes_of: Callable[[Path], float | None] = lambda home: None,
        command: Callable[[str], list[str]] = worker_command,
        limit: int | None = None,
        poll: float = 0.5,
    ) -> None:
        super().__init__(Store(root), command=command, limit=limit, poll=poll)
        self.homes = homes
        self.minutes_of = minutes_of
        self._stores: dict[Path, Store] = {}
        self._busy: set[Path] = set()
        self._kicked: set[Path] = set()  # during the round: what was seen of them may be old
        self._swept = -SWEEP
        self._served: dict[Path, float] = {}
        self._places: dict[str, int] = {}
        self._placed = 0.0
        self._one = threading.Lock()

    def kick_for(self, root: Path) -> None:
        """Look at this data folder now."""
        with self._one:
            self._busy.add(root)
            self._kicked.add(root)
            self._placed = 0.0
        self.kick()

    def place_of(self, run_id: str) -> int | None:
        """Place in the queue of all, 1 is next; None for what does not wait."""
        if time.monotonic() - self._placed > FRESH:
            self._places = {id_: i for i, id_ in enumerate(self.order(), 1)}
            self._placed = time.monotonic()
        return self._places.get(run_id)

    def order(self) -> list[str]:
        """The runs that wait, in the order in which they will be started."""
        lines = self._lines()
        waiting = {home: list(line.waiting) for home, line in lines.items() if line.waiting}
        served = {home: self._last(home, line) for home, line in lines.items()}
        now, found = time.time(), []
        while waiting:
            home = min(waiting, key=lambda h: (served[h], waiting[h][0][1]))
            found.append(waiting[home].pop(0)[0])
            now += 1.0
            served[home] = now
            if not waiting[home]:
                del waiting[home]
        return found

    def tick(self) -> None:
        """One round over all who have runs: settle, press, then start what may start."""
        self._sweep()
        with self._one:
            self._kicked.clear()
        running: list[RunInfo] = []
        for home in list(self._busy):
            found = self._tend(self._store(home))
            running += found
            self._stop_overdue(home, found)
        self._remember(running)
        limit = self.limit or class_runs()
        lines = self._lines()
        free = limit - sum(line.running for line in lines.values())
        with self._one:
            idle = {home for home, line in lines.items() if not line.waiting and not line.running}
            self._busy -= idle - self._kicked
        while free > 0 and (home := self._next(lines)) is not None:
            run = self._store(home).claim(limit)
            if run is not None:
                self._served[home] = time.time()
                self._spawn(self._store(home), run)
                free -= 1
            lines[home] = self._store(home).line()
            if run is None:
                lines[home] = Line((), lines[home].running, lines[home].started)

    def _next(self, lines: dict[Path, Line]) -> Path | None:
        """Whose turn it is."""
        waiting = [home for home, line in lines.items() if line.waiting]
        return min(
            waiting, key=lambda h: (self._last(h, lines[h]), lines[h].waiting[0][1]), default=None
        )

    def _last(self, home: Path, line: Line) -> float:
        """When one was served last; deleting the run does not undo it.

        A time to come was kept before the clock was set back: taken as it is, they would wait for it.
        """
        times, now = (line.started, self._served.get(home, 0.0)), time.time()
        return max((t for t in times if t <= now), default=0.0)

    def _lines(self) -> dict[Path, Line]:
        return {home: self._store(home).line() for home in list(self._busy)}

    def _sweep(self) -> None:
        """Now and then everybody is looked at: a run may have been queued by another process."""
        if time.monotonic() - self._swept > SWEEP:
            with self._one:
                self._busy |= {self.store.root, *(h for h in self.homes() if h.is_dir())}
            self._swept = time.monotonic()

    def _store(self, home: Path) -> Store:
        return self._stores.setdefault(home, Store(home))

    def _stop_overdue(self, home: Path, running: list[RunInfo]) -> None:
        """A run that trains for longer than it may is paused, and can be resumed."""
        minutes = self.minutes_of(home)
        for run in running:
            if minutes and run.request is None and self._waited(run, "train") > 60 * minutes:
                self._store(home).request(run.id, "pause")
