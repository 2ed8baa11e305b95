"""A file's bytes: is it there, small enough, and text at all? Every error is a `DataError`."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from advlab.data.rows import Progress
from advlab.errors import DataError
from advlab.language import N_, _
from advlab.runs.limits import check_source

MAX_BYTES = 200 * 2**20  # a file above it is refused before it is read, a gzip once it is known
HEAD_BYTES = 2**20  # a guess and its preview read no more than this
BLOCK_BYTES = 2**20
GZIP = b"\x1f\x8b"

# what the first bytes say about files that people mistake for tables, and the way out
SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", N_("a packed Parquet file"), N_("unpack it first")),
    (b"ARROW1", N_("an Arrow file"), N_("load its folder as hub:FOLDER, or save it as CSV")),
    (b"\xd0\xcf\x11\xe0", N_("an old Excel or Word file"), N_("open it and save it as CSV")),
    (b"%PDF", "a PDF", N_("copy its table into a CSV file")),
    (b"SQLite format 3\x00", N_("an SQLite database"), N_("export the table as CSV")),
    (b"\x89PNG", N_("a PNG picture"), N_("choose a text file")),
    (b"\xff\xd8\xff", N_("a JPEG picture"), N_("choose a text file")),
    (b"BZh", "a bzip2 archive", N_("unpack it first")),
    (b"\xfd7zXZ", N_("an xz archive"), N_("unpack it first")),
    (b"7z\xbc\xaf\x27\x1c", N_("a 7-Zip archive"), N_("unpack it first")),
    (b"Rar!", N_("a RAR archive"), N_("unpack it first")),
    (b"\x28\xb5\x2f\xfd", N_("a Zstandard archive"), N_("unpack it first")),
    (b"\x89HDF", N_("an HDF5 file"), N_("save its table as CSV")),
    (b"{\\rtf", N_("a rich-text document"), N_("save it as plain text")),
    (b"\x80\x03", N_("a Python pickle, which advlab never opens"), N_("save its table as CSV")),
    (b"\x80\x04", N_("a Python pickle, which advlab never opens"), N_("save its table as CSV")),
    (b"\x80\x05", N_("a Python pickle, which advlab never opens"), N_("save its table as CSV")),
)


@dataclass(frozen=True)
class Head:
    """The beginning of a file, unpacked if it was gzipped."""

    data: bytes
    complete: bool  # the file ends here
    size: int | None  # bytes of the whole; None where a gzip hides it


def read_head(source: Path | bytes, name: str) -> Head:
    """At most HEAD_BYTES of the file; DataError where it is absent, too large or no text."""
    data = b""
    for block in stream(source, name):
        data += block
        if len(data) > HEAD_BYTES:
            break
    complete = len(data) <= HEAD_BYTES
    packed = read_start(source, name).startswith(GZIP)
    size = len(data) if complete else None if packed else _size(source, name)
    return Head(data[:HEAD_BYTES], complete, size)


def read_all(source: Path | bytes, name: str) -> bytes:
    """The whole file; DataError where it is absent, too large or no text."""
    return b"".join(stream(source, name))


def stream(source: Path | bytes, name: str, progress: Progress | None = None) -> Iterator[bytes]:
    """The file, unpacked, a block at a time. A small gzip may hold gigabytes: it is counted.

    DataError where the file is absent, too large or no text. `progress`: the share that was read.
    """
    size, total = max(_size(source, name), 1), 0
    with opened(source) as raw:
        packed = raw.read(2) == GZIP
        raw.seek(0)
        unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
        while True:
            try:
                block = unpacked.read(BLOCK_BYTES)
            except (OSError, EOFError, zlib.error) as error:
                if packed:
                    raise DataError(
                        _(
                            "{name} is a damaged gzip file ({error}); fetch or pack it again",
                            name=name,
                            error=error,
                        )
                    ) from error
                raise DataError(
                    _("{name} cannot be read: {error}", name=name, error=error)
                ) from error
            if not block:
                return
            if not total:
                _refuse_binary(block, name)
            total += len(block)
            refuse_size(total, name)
            if progress:
                progress(min(raw.tell() / size, 1.0))
            yield block


def read_start(source: Path | bytes, name: str) -> bytes:
    """The first bytes as they stand, by which kinds of files are told apart."""
    _size(source, name)
    with opened(source) as raw:
        return raw.read(8)


def opened(source: Path | bytes) -> BinaryIO:
    """The source as a binary file; DataError where it cannot be opened."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    path = Path(source).expanduser()
    check_source(str(path), ())
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(
            _("{path} cannot be read: {reason}", path=path, reason=error.strerror or error)
        ) from error


def _size(source: Path | bytes, name: str) -> int:
    """Bytes as they stand; DataError where there is no such file, or it is too large."""
    if isinstance(source, bytes):
        refuse_size(len(source), name)
        return len(source)
    path = Path(source).expanduser()
    check_source(str(path), ())
    try:
        if path.is_dir():
            raise DataError(
                _(
                    "{name} is a folder; give one CSV, TSV or JSONL file in it, or hub:FOLDER "
                    "for a saved data set",
                    name=name,
                )
            )
        if not path.exists():
            raise DataError(_("there is no file at {path}; check the path", path=path))
        if not path.is_file():
            raise DataError(
                _("{path} is not a regular file; give a CSV, TSV or JSONL file", path=path)
            )
        size = path.stat().st_size
    except OSError as error:
        raise DataError(
            _("{path} cannot be read: {reason}", path=path, reason=error.strerror or error)
        ) from error
    refuse_size(size, name)
    return size


def refuse_size(size: int, name: str) -> None:
    """DataError where so many bytes are too many."""
    if size > MAX_BYTES:
        raise DataError(
            _(
                "{name} holds {size:,.0f} MB; at most {max_bytes} MB are read: cut the "
                "file (a few thousand rows are plenty here)",
                name=name,
                size=size / 2**20,
                max_bytes=MAX_BYTES // 2**20,
            )
        )


def _refuse_binary(data: bytes, name: str) -> None:
    if data.startswith(b"PK\x03\x04"):
        kind, way = _("a zip archive"), _("unpack it first")
        if b"word/" in data:
            kind, way = _("a Word document"), _("open it and save its table as CSV (UTF-8)")
        raise DataError(
            _("{name} is {kind}, not a text file: {way}", name=name, kind=kind, way=way)
        )
    for magic, kind, way in SIGNATURES:
        if data.startswith(magic):
            raise DataError(
                _(
                    "{name} is {kind}, not a table in text form: {way}",
                    name=name,
                    kind=kind,
                    way=way,
                )
            )
    if re.match(rb"\s*<(!doctype html|html)", data[:512], re.IGNORECASE):
        raise DataError(
            _("{name} is a web page, not a data file: fetch the raw file instead", name=name)
        )
