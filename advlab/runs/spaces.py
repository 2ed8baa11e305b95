"""Whose data folder it is: the user's one, or in a class one for each student.

`advlab.runs.config.home()` asks here, so all that reads or writes below it is its owner's by
construction. Three answers, the first that is known:

    inside(space)       set for a block of code: tests, the server's own work for a student
    resolve_by(who)     the pages register who knows the visitor whose page a thread draws
    space.json          in $ADVLAB_HOME: a worker process is at home in the space that it works for

None of them: the process has one user and no limits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from advlab.runs.disk import write_aside
from advlab.settings import plain

FILE = "space.json"


@dataclass(frozen=True)
class Limits:
    """What a student may ask of the server. Checked in `advlab.runs.limits`."""

    waiting: int = 6  # runs that are queued or running
    runs: int = 60  # runs in all, finished ones too
    disk: int = 1024  # MiB that runs and files take
    minutes: int = 20  # that a run may train
    models: tuple[str, ...] = ("tiny", "small")  # names that a run may start from
    epochs: int = 12
    texts: int = 20_000  # rows of a file
    tokens: int = 256  # maximum length of a run
    batch: int = 128  # texts
    effort: int = 20  # ascent steps, restarts or repeats of a training method
    characters: int = 1_000  # of a text that is attacked
    measured: int = 500  # texts of one measurement
    work: int = 250_000  # steps × restarts × tokens × models of one attack
    upload: int = 5  # MiB of a file


@dataclass(frozen=True)
class Space:
    """A data folder with an owner. `shared`: the data folder whose models are read beside."""

    root: Path
    shared: Path | None = None
    limits: Limits | None = None

    def write(self) -> None:
        """Leave what it is in the folder, for the worker processes."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {
            "shared": None if self.shared is None else str(self.shared),
            "limits": None if self.limits is None else plain(self.limits),
        }
        write_aside(self.root / FILE, json.dumps(found, indent=2).encode())


_here: ContextVar[Space | None] = ContextVar("space", default=None)
_resolvers: list[Callable[[], Space | None]] = []


def resolve_by(who: Callable[[], Space | None] | None) -> None:
    """Registers who knows the visitor's space; None: nobody does any more."""
    _resolvers[:] = [who] if who is not None else []


@contextmanager
def inside(space: Space | None) -> Iterator[None]:
    """This space is meant within the block."""
    before = _here.set(space)
    try:
        yield
    finally:
        _here.reset(before)


def current() -> Space | None:
    """The space that is meant here and now; None: the user's own folder, without limits."""
    space = _here.get()
    if space is not None:
        return space
    for who in _resolvers:
        space = who()
        if space is not None:
            return space
    own = os.environ.get("ADVLAB_HOME")
    return _written(own) if own else None


@lru_cache(maxsize=8)
def _written(root: str) -> Space | None:
    """What `Space.write` left in a folder; None where it is no space."""
    folder = Path(root).expanduser().resolve()
    try:
        found = json.loads((folder / FILE).read_bytes())
    except OSError:
        return None
    shared, limits = found.get("shared"), found.get("limits")
    if limits is not None:
        limits = Limits(**{**limits, "models": tuple(limits["models"])})
    return Space(folder, None if shared is None else Path(shared), limits)
