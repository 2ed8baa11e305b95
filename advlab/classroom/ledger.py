"""The class's state on disk: one SQLite file, safe from any thread and through a killed server."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from advlab.runs.disk import telling

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS students (
    id     TEXT PRIMARY KEY,
    name   TEXT UNIQUE NOT NULL,
    owner  TEXT UNIQUE,          -- of a login, where there is one
    joined REAL NOT NULL         -- seconds since 1970
);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY,     -- SHA-256 of what stands in the cookie
    who    TEXT NOT NULL         -- a student, or teacher
);
CREATE TABLE IF NOT EXISTS holds (
    lesson TEXT NOT NULL,
    step   INTEGER NOT NULL,
    PRIMARY KEY (lesson, step)
);
CREATE TABLE IF NOT EXISTS polls (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    question TEXT NOT NULL,
    choices  TEXT NOT NULL,      -- JSON; [] asks for a number
    state    TEXT NOT NULL,      -- open, closed, revealed
    measured TEXT,
    made     REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    poll    INTEGER NOT NULL REFERENCES polls,
    student TEXT NOT NULL REFERENCES students,
    value   TEXT NOT NULL,
    made    REAL NOT NULL,
    PRIMARY KEY (poll, student)
);
CREATE TABLE IF NOT EXISTS challenges (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    kind  TEXT NOT NULL,
    text  TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,         -- open, closed
    made  REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS entries (
    challenge INTEGER NOT NULL REFERENCES challenges,
    student   TEXT NOT NULL REFERENCES students,
    value     REAL NOT NULL,
    detail    TEXT NOT NULL,
    made      REAL NOT NULL
);
"""


class Ledger:
    """`class.db` of a class's home. Each call opens its own connection."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "class.db"
        self._ready = False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees the last commit; RunError where the file cannot be used."""
        with telling(self.root), closing(self._connect()) as db:
            db.row_factory = sqlite3.Row
            if not self._ready:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA)
                self._ready = True
            yield db

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its first statement on."""
        with self.read() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):  # made here, since SQLite would let all read it
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        return sqlite3.connect(self.path, timeout=30, isolation_level=None)
