"""A file's bytes: is it there, small enough, and text at all? Every error is a `DataError`."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from advlab.errors import DataError

MAX_BYTES = 200 * 2**20  # a file above it is refused before it is read
HEAD_BYTES = 2**20  # a guess and its preview read no more than this

# what the first bytes say about files that people mistake for tables, and the way out
SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (
        b"PAR1",
        "a Parquet file",
        "put it in a folder and load that as hub:FOLDER, or save it as CSV",
    ),
    (b"ARROW1", "an Arrow file", "load its folder as hub:FOLDER, or save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "open it and save it as CSV"),
    (b"%PDF", "a PDF", "copy its table into a CSV file"),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (b"\x89PNG", "a PNG picture", "choose a text file"),
    (b"\xff\xd8\xff", "a JPEG picture", "choose a text file"),
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it first"),
    (b"\x89HDF", "an HDF5 file", "save its table as CSV"),
    (b"{\\rtf", "a rich-text document", "save it as plain text"),
    (b"\x80\x03", "a Python pickle, which advlab never opens", "save its table as CSV"),
    (b"\x80\x04", "a Python pickle, which advlab never opens", "save its table as CSV"),
    (b"\x80\x05", "a Python pickle, which advlab never opens", "save its table as CSV"),
)


@dataclass(frozen=True)
class Head:
    """The beginning of a file, unpacked if it was gzipped."""

    data: bytes
    complete: bool  # the file ends here
    size: int | None  # bytes of the whole; None where a gzip hides it


def read_head(source: Path | bytes, name: str) -> Head:
    """At most HEAD_BYTES of the file; DataError where it is absent, too large or no text."""
    return _read(source, name, HEAD_BYTES)


def read_all(source: Path | bytes, name: str) -> bytes:
    """The whole file; DataError where it is absent, too large or no text."""
    return _read(source, name, MAX_BYTES).data


def _read(source: Path | bytes, name: str, wanted: int) -> Head:
    if isinstance(source, bytes):
        size = len(source)
        _refuse_size(size, name)
        data = source[:wanted]
    else:
        path = Path(source).expanduser()
        try:
            if path.is_dir():
                raise DataError(
                    f"{name} is a folder; give one CSV, TSV or JSONL file in it, "
                    "or hub:FOLDER for a saved data set"
                )
            if not path.exists():
                raise DataError(f"there is no file at {path}; check the path")
            if not path.is_file():
                raise DataError(f"{path} is not a regular file; give a CSV, TSV or JSONL file")
            size = path.stat().st_size
            _refuse_size(size, name)
            with path.open("rb") as stream:
                data = stream.read(wanted)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if data.startswith(b"\x1f\x8b"):
        return _unpack(source, name, wanted)
    _refuse_binary(data, name)
    return Head(data, complete=len(data) >= size, size=size)


def _unpack(source: Path | bytes, name: str, wanted: int) -> Head:
    """A gzip's content, at most `wanted` + 1 bytes: a small one may hold gigabytes."""
    import io

    try:
        raw = (
            io.BytesIO(source)
            if isinstance(source, bytes)
            else Path(source).expanduser().open("rb")
        )
        with raw, gzip.GzipFile(fileobj=raw) as stream:
            data = stream.read(wanted + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{name} is a damaged gzip file ({error}); fetch or pack it again"
        ) from error
    if wanted == MAX_BYTES:
        _refuse_size(len(data), name)
    _refuse_binary(data, name)
    complete = len(data) <= wanted
    return Head(data[:wanted], complete, len(data) if complete else None)


def _refuse_size(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise DataError(
            f"{name} holds {size / 2**20:,.0f} MB; at most {MAX_BYTES // 2**20} MB are read: "
            "cut the file (a few thousand rows are plenty here)"
        )


def _refuse_binary(data: bytes, name: str) -> None:
    if data.startswith(b"PK\x03\x04"):
        kind, way = "a zip archive", "unpack it first"
        for folder, document in ((b"xl/", "an Excel workbook"), (b"word/", "a Word document")):
            if folder in data:
                kind, way = f"{document} (.xlsx, .docx)", "open it and save it as CSV (UTF-8)"
        raise DataError(f"{name} is {kind}, not a text file: {way}")
    for magic, kind, way in SIGNATURES:
        if data.startswith(magic):
            raise DataError(f"{name} is {kind}, not a table in text form: {way}")
    if re.match(rb"\s*<(!doctype html|html)", data[:512], re.IGNORECASE):
        raise DataError(f"{name} is a web page, not a data file: fetch the raw file instead")
