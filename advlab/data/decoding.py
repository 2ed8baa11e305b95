"""From bytes to text: is the file there, small enough, text at all, and in which encoding?

Row numbers count from 1 as an editor shows them, and every error is a `DataError` fit to show.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Sequence
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
BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Head:
    """The beginning of a file, unpacked if it was gzipped."""

    data: bytes
    complete: bool  # the file ends here
    size: int | None  # bytes of the whole; None where a gzip hides it


def name_rows(numbers: Sequence[int], shown: int = 5, word: str = "row") -> str:
    """`row 3`, `rows 3, 4 and 9`, or `rows 3, 4, 5, 6, 7 and 21 more`."""
    if len(numbers) == 1:
        return f"{word} {numbers[0]:,}"
    if len(numbers) <= shown:
        return f"{word}s {', '.join(f'{n:,}' for n in numbers[:-1])} and {numbers[-1]:,}"
    return (
        f"{word}s {', '.join(f'{n:,}' for n in numbers[:shown])} and {len(numbers) - shown:,} more"
    )


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
    if b"\x00" in data and not _wide(data):
        offset = data.index(b"\x00")
        row = data.count(b"\n", 0, offset) + 1
        raise DataError(
            f"{name} has a NUL byte in row {row:,} (byte {offset:,}), so it is binary or damaged; "
            "expected text: save it as CSV, TSV or JSONL in UTF-8"
        )


def _wide(data: bytes) -> str | None:
    """The UTF-16 or UTF-32 in which NUL bytes are ordinary, or None."""
    for mark, encoding in BOMS[1:]:
        if data.startswith(mark):
            return encoding
    sample = data[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if odd / half > 0.5 and even / half < 0.05:
        return "utf-16-le"
    if even / half > 0.5 and odd / half < 0.05:
        return "utf-16-be"
    return None


def guess_encoding(data: bytes, complete: bool = True) -> tuple[str, str]:
    """(encoding, why). `complete` False: the last character may be cut."""
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding, "the file begins with its byte-order mark"
    if wide := _wide(data):
        return wide, "every other byte is zero"
    if data.isascii():
        return "utf-8", "only ASCII characters"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=complete)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        return _guess_single(data, row)
    return "utf-8", "valid UTF-8"


def _guess_single(data: bytes, row: int) -> tuple[str, str]:
    """An encoding for bytes that are not UTF-8 from row `row` on."""
    high = sum(map(len, re.findall(rb"[\x80-\xff]+", data)))
    # two-byte Chinese: its bytes come in pairs, which accented letters among ASCII do not
    pairs = 2 * sum(len(m) // 2 for m in re.findall(rb"(?:[\xa1-\xf7][\xa1-\xfe])+", data))
    if high >= 8 and pairs >= 0.95 * high:
        try:
            codecs.getincrementaldecoder("gb18030")().decode(data, final=False)
        except UnicodeDecodeError:
            pass
        else:
            return "gb18030", f"row {row:,} is not UTF-8; the byte pairs look Chinese"
    if not re.search(rb"[\x80-\x9f]", data):
        return "latin-1", f"row {row:,} is not UTF-8; all its bytes are letters of Latin-1"
    if not re.search(rb"[\x81\x8d\x8f\x90\x9d]", data):
        return "cp1252", f"row {row:,} is not UTF-8; Windows punctuation found"
    return "latin-1", f"row {row:,} is neither UTF-8 nor Windows-1252; every byte kept as it is"


def check_encoding(encoding: str) -> str:
    """The encoding's name, stripped; DataError where Python has no such text encoding."""
    wanted = encoding.strip()
    try:
        b"a".decode(wanted)
    except UnicodeDecodeError:
        pass  # a wide encoding, to which one byte is too little
    except (LookupError, ValueError, TypeError) as error:
        raise DataError(
            f"unknown encoding {encoding!r}; try utf-8, utf-16, cp1252, latin-1 or gb18030"
        ) from error
    return wanted


def decode(data: bytes, encoding: str, name: str, *, given: bool, complete: bool = True) -> str:
    """The text without its byte-order mark.

    `given`: a person chose the encoding, so that bytes which do not fit are an error that names
    the row. A guessed encoding came from the head of the file; where the rest does not fit,
    UnicodeDecodeError goes to the caller, who guesses again from the whole.
    """
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, final=complete)
    except UnicodeDecodeError as error:
        if not given:
            raise
        row = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"row {row:,} of {name} is not {encoding}: byte 0x{data[error.start]:02x} does not "
            f"fit; leave the encoding empty to have it guessed (here {guess_encoding(data)[0]})"
        ) from error
    except UnicodeError as error:  # UTF-16 and UTF-32 say it without a position
        raise DataError(f"{name} is not {encoding}: {error}; choose another encoding") from error
    return text.removeprefix("\ufeff")
