"""Writing that survives: the new stands beside the old, is on the disk, and then takes its place.

A killed process, a full disk or a power cut finds the old or the new, whole; never a part, never
nothing. `fsync` comes before the rename, since a file system may carry out the two in either order.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advlab.errors import RunError
from advlab.language import _

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def write_aside(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, finds the old content or the new, never a part."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Have every file below a folder on the disk, and all names."""
    for base, __, names in os.walk(folder):
        for name in names:
            sync(Path(base) / name)
        sync(Path(base))


def put_folder(aside: Path, target: Path) -> None:
    """Let a folder that was written aside take the place of `target`, which is never absent.

    Where the system cannot exchange two names at once, the old one stands as `old_of(target)` for a
    moment.
    """
    sync_folder(aside)
    if target.exists() and not _exchange(aside, target):
        old = old_of(target)
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        aside.rename(target)
        sync(target.parent)
        shutil.rmtree(old, ignore_errors=True)
        return
    if not target.exists():
        aside.rename(target)
    sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)  # after an exchange: what stood there before


def old_of(target: Path) -> Path:
    """Where the folder that is being replaced stands meanwhile."""
    return target.with_name(f".old-{target.name}")


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system cannot."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if hasattr(library, "renameat2"):
            return library.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0
        if hasattr(library, "renamex_np"):
            return library.renamex_np(*names, _EXCHANGE) == 0
    except (OSError, TypeError):  # Windows names no library of its own
        pass
    return False


def is_whole(file: Path) -> bool:
    """Whether a safetensors file is as long as its header says: nothing was cut off its end."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            size = os.fstat(opened.fileno()).st_size
            if not 0 < length <= size - 8:
                return False
            header = json.loads(opened.read(length))
        ends = [int(v["data_offsets"][1]) for k, v in header.items() if k != "__metadata__"]
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return False
    return size == 8 + length + max(ends, default=0)


def checkpoints(folder: Path) -> tuple[list[Path], list[Path]]:
    """A run's checkpoints, the oldest first: those that are whole, and those that are damaged.

    Names are `step-0000120`, and `step-0000120-001` where that step was saved a second time.
    """
    whole: list[Path] = []
    damaged: list[Path] = []
    for place in sorted((folder / "checkpoints").glob("step-*")):
        tensors = sorted(place.glob("*.safetensors"))
        fits = step_of(place) is not None and all(is_whole(file) for file in tensors)
        (whole if fits else damaged).append(place)
    return whole, damaged


def step_of(checkpoint: Path) -> int | None:
    """The step at which a checkpoint was written; None where it does not say."""
    try:
        return int(json.loads((checkpoint / "state.json").read_bytes())["step"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def telling(place: Path) -> Iterator[None]:
    """Raise RunError, with what to do, where the disk or the list of runs fails within."""
    try:
        yield
    except OSError as error:
        raise RunError(trouble(error, place)) from error
    except sqlite3.Error as error:
        if not isinstance(error, sqlite3.OperationalError) and type(error) is not (
            sqlite3.DatabaseError
        ):
            raise  # a statement that is wrong is a mistake in advlab
        raise RunError(_database_trouble(str(error), place)) from error


def trouble(error: OSError, place: Path) -> str:
    """What went wrong on the disk, in a sentence with what to do. `place`: where it was tried."""
    where = error.filename or place
    if isinstance(where, bytes):
        where = os.fsdecode(where)
    known = {
        errno.ENOSPC: _(
            "the disk that holds {place} is full; free some space and try again", place=place
        ),
        errno.EDQUOT: _(
            "the quota of {place} is used up; free some space and try again", place=place
        ),
        errno.EFBIG: _(
            "{where} may not grow further; raise the limit on file sizes and try again", where=where
        ),
        errno.EROFS: _(
            "{place} may only be read; set ADVLAB_HOME to a folder that can be written", place=place
        ),
        errno.EACCES: _(
            "{where} may not be used; change its permissions or set ADVLAB_HOME", where=where
        ),
        errno.EPERM: _(
            "{where} may not be changed; change its permissions or set ADVLAB_HOME", where=where
        ),
        errno.ENOENT: _(
            "there is no {where}; check the path, and whether it was deleted meanwhile", where=where
        ),
        errno.ENOTDIR: _(
            "expected a folder, but a part of {where} is a file; choose another place", where=where
        ),
        errno.EEXIST: _(
            "expected a folder, but {where} is a file; choose another place", where=where
        ),
        errno.EISDIR: _(
            "expected a file, but {where} is a folder; choose another place", where=where
        ),
    }
    reason = error.strerror or str(error)
    return known.get(
        error.errno or 0,
        _("{where} cannot be used: {reason}; try again", where=where, reason=reason),
    )


def _database_trouble(reason: str, place: Path) -> str:
    file = place / "runs.db"
    if "full" in reason:
        return _("the disk that holds {place} is full; free some space and try again", place=place)
    if "readonly" in reason or "read-only" in reason:
        return _(
            "{file} may only be read; set ADVLAB_HOME to a folder that can be written", file=file
        )
    if "locked" in reason or "busy" in reason:
        return _("{file} is in use for long by another process; try again", file=file)
    if "unable to open" in reason:
        return _(
            "{file} cannot be opened; look at the permissions of {place}, or set ADVLAB_HOME",
            file=file,
            place=place,
        )
    return _(
        "the list of runs {file} is damaged ({reason}); make it anew from the "
        "runs' folders: advlab runs rebuild",
        file=file,
        reason=reason,
    )
