"""The class's state on disk: one SQLite file, safe from any thread and through a killed server."""

from __future__ import annotations

from pathlib import Path

from advlab.runs.database import Database

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


class Ledger(Database):
    """`class.db` of a class's home."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(root / "class.db", _SCHEMA)
        self.root = root
