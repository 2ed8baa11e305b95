"""The queue: which runs there are, in which state, and whose turn it is. One SQLite file.

    queued ──claim──▶ running ──▶ done | failed | cancelled
      ▲                  │
      └─── resume ── paused | interrupted      (also from failed and cancelled)

Every change of state is one statement that names the state it starts from, so any number of
servers, workers and pages may act at once: who comes second changes nothing. Each claim raises the
run's `attempt`; a worker or scheduler speaks only for the attempt that it knows.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advlab.errors import RunError
from advlab.language import _
from advlab.runs.config import RunConfig, home
from advlab.runs.database import Database
from advlab.runs.disk import telling, write_aside
from advlab.runs.folder import RUN_ID, RunFolder, clean_name, run_path, utf8
from advlab.runs.info import RESUMABLE, Line, RunInfo, info_of
from advlab.runs.processes import start_of
from advlab.runs.starters import STARTER_GROUP

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of creation
    id        TEXT UNIQUE NOT NULL,
    name      TEXT NOT NULL,
    status    TEXT NOT NULL,
    error     TEXT,
    grp       TEXT,
    config    TEXT NOT NULL,
    turn      INTEGER NOT NULL DEFAULT 0,  -- order in the queue: the lowest queued one is next
    attempt   INTEGER NOT NULL DEFAULT 0,
    created   REAL NOT NULL,
    started   REAL,
    finished  REAL,
    pid       INTEGER,
    pid_start TEXT,
    request   TEXT,
    requested REAL,
    step      INTEGER,
    steps     INTEGER,
    metrics   TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, turn);
"""
# place in the queue: 1 is next
_SELECT = """
SELECT *, CASE WHEN status = 'queued' THEN
    (SELECT count(*) FROM runs o WHERE o.status = 'queued' AND o.turn <= runs.turn) END AS position
FROM runs
"""
_NEXT_TURN = "(SELECT coalesce(max(turn), 0) + 1 FROM runs)"


class Store:
    """The queue of one data folder. Each call opens its own connection: safe from any thread."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or home()).resolve()
        self.path = self.root / "runs.db"
        self.database = Database(self.path, _SCHEMA)

    def enqueue(self, config: RunConfig, *, group: str | None = None) -> str:
        """Add a run at the end of the queue. SettingError when the config does not fit."""
        return self._add(config, group, "queued").id

    def open_here(self, config: RunConfig, *, group: str | None = None) -> RunInfo:
        """Add a run that the calling process itself carries out, past the queue."""
        return self._add(config, group, "running", os.getpid())

    def _add(
        self, config: RunConfig, group: str | None, status: str, pid: int | None = None
    ) -> RunInfo:
        RunConfig.from_json(config.to_json())  # wrong settings are named now, not in the worker
        name = clean_name(config.name) or default_name(config)
        config = dataclasses.replace(config, name=name)
        with telling(self.root):
            folder = RunFolder.create(config, self.root)
        running, now = pid is not None, time.time()
        try:
            with self.database.write() as db:
                db.execute(
                    "INSERT INTO runs"
                    " (id, name, status, grp, config, created, started, attempt, pid, pid_start,"
                    f" turn) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {_NEXT_TURN})",
                    (
                        folder.id,
                        name,
                        status,
                        group,
                        utf8(config.to_json()).decode(),
                        now,
                        now if running else None,
                        int(running),
                        pid,
                        start_of(pid) if pid is not None else None,
                    ),
                )
        except BaseException:
            folder.delete()
            raise
        return self.get(folder.id)

    def get(self, run_id: str) -> RunInfo:
        """One run; RunError where there is none of that id."""
        run_path(run_id, self.root)  # refuses what is no id
        with self.database.read() as db:
            row = db.execute(f"{_SELECT} WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise RunError(
                _("there is no run {run_id}; take one from the list of runs", run_id=run_id)
            )
        return info_of(row, self.root)

    def listing(self, *, status: str | None = None, group: str | None = None) -> list[RunInfo]:
        """All runs, the newest first; only those of a status or a group where one is given."""
        with self.database.read() as db:
            rows = db.execute(
                f"{_SELECT} WHERE (:status IS NULL OR status = :status)"
                " AND (:group IS NULL OR grp = :group) ORDER BY seq DESC",
                {"status": status, "group": group},
            ).fetchall()
        return [info_of(row, self.root) for row in rows if _is_id(row["id"])]

    def line(self) -> Line:
        """Who waits here, and when one of these runs was started last."""
        with self.database.read() as db:
            queued = db.execute(
                "SELECT id, created FROM runs WHERE status = 'queued' ORDER BY turn"
            ).fetchall()
            row = db.execute(
                "SELECT count(*) FILTER (WHERE status = 'running') AS running,"
                " max(started) AS started FROM runs"
            ).fetchone()
        waiting = tuple((str(r["id"]), float(r["created"] or 0.0)) for r in queued)
        return Line(waiting, int(row["running"]), float(row["started"] or 0.0))

    def claim(self, limit: int, together: int = 1) -> RunInfo | None:
        """Take the next queued run, unless `limit` runs are running; at most one caller gets it.

        `together`: so many runs of the starter group may run beside each other, while no other runs.
        """
        with self.database.read() as db:  # most polls end here, without the write lock
            if not db.execute("SELECT 1 FROM runs WHERE status = 'queued' LIMIT 1").fetchone():
                return None
        with self.database.write() as db:
            running = [
                r["grp"] for r in db.execute("SELECT grp FROM runs WHERE status = 'running'")
            ]
            row = db.execute(
                "SELECT id, grp FROM runs WHERE status = 'queued' ORDER BY turn LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            own = str(row["grp"] or "").startswith(STARTER_GROUP)
            pair = own and {row["grp"], *running} == {row["grp"]}
            if len(running) >= (max(limit, together) if pair else limit):
                return None
            db.execute(
                "UPDATE runs SET status = 'running', started = ?, finished = NULL, error = NULL,"
                " pid = NULL, pid_start = NULL, request = NULL, requested = NULL,"
                " attempt = attempt + 1 WHERE id = ?",
                (time.time(), row["id"]),
            )
        return self.get(row["id"])

    def note_process(self, run_id: str, attempt: int, pid: int) -> None:
        """Record which process carries out an attempt, unless that is known already."""
        with self.database.write() as db:
            db.execute(
                "UPDATE runs SET pid = ?, pid_start = ?"
                " WHERE id = ? AND status = 'running' AND attempt = ? AND pid IS NULL",
                (pid, start_of(pid), run_id, attempt),
            )

    def begin(self, run_id: str) -> RunInfo | None:
        """The calling process takes a running run as its own; None if it is another's or over."""
        run_path(run_id, self.root)
        pid, start = os.getpid(), start_of(os.getpid())
        with self.database.write() as db:
            taken = db.execute(
                "UPDATE runs SET pid = :pid, pid_start = :start WHERE id = :id"
                " AND status = 'running' AND (pid IS NULL"
                " OR (pid = :pid AND (pid_start IS NULL OR pid_start = :start)))",
                {"pid": pid, "start": start, "id": run_id},
            ).rowcount
        return self.get(run_id) if taken else None

    def advance(
        self, run_id: str, attempt: int, step: int, steps: int | None, metrics: Mapping[str, Any]
    ) -> None:
        """Record how far an attempt has come, so that lists need not read diaries."""
        with self.database.write() as db:
            db.execute(
                "UPDATE runs SET step = ?, steps = coalesce(?, steps), metrics = ?"
                " WHERE id = ? AND status = 'running' AND attempt = ?",
                (step, steps, json.dumps(dict(metrics), default=str), run_id, attempt),
            )

    def finish(self, run_id: str, attempt: int, status: str, error: str | None = None) -> bool:
        """End a running attempt. False, and no change, where it is not running any more."""
        if error is not None:
            error = error.encode("utf-8", "replace").decode()[:4000]
        with self.database.write() as db:
            ended = db.execute(
                "UPDATE runs SET status = ?, error = ?, finished = ?, request = NULL,"
                " requested = NULL WHERE id = ? AND status = 'running' AND attempt = ?",
                (status, error, time.time(), run_id, attempt),
            ).rowcount
            if ended:
                RunFolder.at(run_id, self.root).request(None)
        return bool(ended)

    def request(self, run_id: str, what: str) -> None:
        """Ask for "pause" or "cancel". Waiting runs obey at once, a running one after its step.

        RunError where the run is over. To cancel what is cancelled, or to pause what is paused,
        changes nothing.
        """
        if what not in ("pause", "cancel"):
            raise RunError(_("expected the request pause or cancel, got {what!r}", what=what))
        goal = {"pause": "paused", "cancel": "cancelled"}[what]
        waiting = ("queued",) if what == "pause" else ("queued", "paused", "interrupted")
        self.get(run_id)
        with self.database.write() as db:
            status = self._status(db, run_id)
            if status == "running":
                db.execute(
                    # a pause does not soften a cancel; asking again does not restart its clock
                    "UPDATE runs SET request = :what, requested = :now WHERE id = :id"
                    " AND (request IS NULL OR (request = 'pause' AND :what = 'cancel'))",
                    {"what": what, "now": time.time(), "id": run_id},
                )
                row = db.execute("SELECT request FROM runs WHERE id = ?", (run_id,)).fetchone()
                # inside the transaction: no other change of state can fall between the two
                RunFolder.at(run_id, self.root).request(row["request"])
            elif status in waiting:
                db.execute(
                    "UPDATE runs SET status = ?, finished = ?, error = NULL WHERE id = ?",
                    (goal, time.time(), run_id),
                )
            elif status != goal:
                raise RunError(
                    _(
                        "cannot {what} run {run_id}: it is {status} already",
                        what=what,
                        run_id=run_id,
                        status=status,
                    )
                )

    def resume(self, run_id: str) -> None:
        """Put a stopped run at the end of the queue again; it continues from its checkpoint."""
        self.get(run_id)
        with self.database.write() as db:
            status = self._status(db, run_id)
            if status not in RESUMABLE:
                raise RunError(
                    _(
                        "cannot resume run {run_id}: it is {status}; only {resumable} runs can be "
                        "resumed",
                        run_id=run_id,
                        status=status,
                        resumable=", ".join(RESUMABLE),
                    )
                )
            RunFolder.at(run_id, self.root).request(None)
            db.execute(
                "UPDATE runs SET status = 'queued', error = NULL, finished = NULL, request = NULL,"
                f" requested = NULL, pid = NULL, pid_start = NULL, turn = {_NEXT_TURN}"
                " WHERE id = ?",
                (run_id,),
            )

    def take(self, run_id: str) -> RunInfo | None:
        """Give a waiting or stopped run to the calling process; it goes on from its checkpoint.

        None where it is running elsewhere; RunError where it is done.
        """
        self.get(run_id)
        with self.database.write() as db:
            status = self._status(db, run_id)
            if status == "running":
                return None
            if status != "queued" and status not in RESUMABLE:
                raise RunError(
                    _(
                        "cannot go on with run {run_id}: it is {status}; start another",
                        run_id=run_id,
                        status=status,
                    )
                )
            RunFolder.at(run_id, self.root).request(None)
            pid = os.getpid()
            db.execute(
                "UPDATE runs SET status = 'running', started = ?, finished = NULL, error = NULL,"
                " pid = ?, pid_start = ?, request = NULL, requested = NULL,"
                " attempt = attempt + 1 WHERE id = ?",
                (time.time(), pid, start_of(pid), run_id),
            )
        return self.get(run_id)

    def enter(
        self,
        run_id: str,
        config: RunConfig,
        status: str,
        *,
        error: str | None,
        created: float,
        metrics: Mapping[str, Any],
        step: int | None,
    ) -> None:
        """Put a run that has its folder already into the list, as it was left."""
        with self.database.write() as db:
            db.execute(
                "INSERT INTO runs (id, name, status, error, config, created, attempt, step, metrics,"
                f" turn) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, {_NEXT_TURN})",
                (
                    run_id,
                    clean_name(config.name) or default_name(config),
                    status,
                    error,
                    utf8(config.to_json()).decode(),
                    created,
                    step,
                    json.dumps(dict(metrics), default=str),
                ),
            )

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name; any script, in any state. RunError for an empty one."""
        info = self.get(run_id)
        name = clean_name(name)
        if not name:
            raise RunError(_("expected a name with at least one character; type one"))
        with self.database.write() as db:
            db.execute("UPDATE runs SET name = ? WHERE id = ?", (name, run_id))
            if info.folder.path.is_dir():  # as JSON: an older version's settings stay as they are
                values = json.loads(info.config_json) | {"name": name}
                text = json.dumps(values, indent=2, ensure_ascii=False)
                write_aside(info.folder.path / "config.json", utf8(text + "\n"))

    def delete(self, run_id: str) -> None:
        """Remove a run and its files for good. RunError while it is running."""
        self.get(run_id)
        with self.database.write() as db:
            if self._status(db, run_id) == "running":
                raise RunError(
                    _(
                        "cannot delete run {run_id} while it is running; cancel it first",
                        run_id=run_id,
                    )
                )
            db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        RunFolder.at(run_id, self.root).delete()

    @staticmethod
    def _status(db: sqlite3.Connection, run_id: str) -> str:
        row = db.execute("SELECT status FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise RunError(_("run {run_id} has been deleted", run_id=run_id))
        return row["status"]


def _is_id(value: object) -> bool:
    return isinstance(value, str) and RUN_ID.fullmatch(value) is not None


def default_name(config: RunConfig) -> str:
    """What a run without a name is called: method, data, model."""
    data = Path(config.data.source).name
    method = config.method.get("name", "plain")
    return clean_name(f"{method} · {data} · {Path(config.model.source).name}")
