"""One SQLite file, safe from any thread and process: each call opens its own connection."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from advlab.runs.disk import telling


class Database:
    """A file with the tables of `schema`, which are made when it is first opened.

    A folder that cannot be written to is read all the same.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path, self.schema = path, schema
        self._ready = False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection without a transaction: reads see the last commit.

        RunError where the file is damaged, or the disk is full or gone.
        """
        ready = self._ready and self.path.exists()  # the file may have been removed by hand
        with telling(self.path.parent), closing(self._connect()) as db:
            db.row_factory = sqlite3.Row
            db.text_factory = _text
            if not ready and self._writable:
                _prepare(db, self.schema)
                self._ready = True
            db.execute("PRAGMA synchronous = NORMAL")
            yield db

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its first statement on."""
        with self.read() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back by itself
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @property
    def _writable(self) -> bool:
        return not self.path.exists() or os.access(self.path.parent, os.W_OK)

    def _connect(self) -> sqlite3.Connection:
        if not self._writable:  # to be looked at all the same
            name = f"{self.path.as_uri()}?mode=ro&immutable=1"
            return sqlite3.connect(name, uri=True, isolation_level=None)
        if not self.path.exists():
            with suppress(FileExistsError):  # made here, since SQLite would let all read it
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        return sqlite3.connect(self.path, timeout=30, isolation_level=None)


def _prepare(db: sqlite3.Connection, schema: str) -> None:
    """Make the tables, in a file that several processes may be opening for the first time."""
    for __ in range(100):
        try:
            # the change to WAL does not wait for other connections as ordinary statements do
            if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            time.sleep(0.05)
    db.executescript(schema)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")  # a damaged entry must not hide the others
