"""Tables that are no text: Parquet and Excel files, opened as rows of cells.

A Parquet cell keeps its type, as JSON's do; an Excel cell is read as the text that stands there, as a
CSV's is. DataError says what does not fit. pyarrow and openpyxl (an extra) are imported when needed.
"""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.data.layout import Layout, named
from advlab.data.raw import opened, read_start, refuse_size
from advlab.data.rows import Progress, refuse_count, refuse_width
from advlab.data.sniffing import SAMPLE_ROWS
from advlab.errors import DataError
from advlab.language import _

TYPED = ("parquet", "xlsx")
BATCH = 256  # rows of a Parquet file that are unpacked at a time

Records = Iterator[tuple[int, list[Any]]]


@dataclass(frozen=True)
class Book:
    """An opened file: how it is laid out by its first rows, and a way to read them all."""

    layout: Layout
    rows: int | None  # without the header; None: not counted
    records: Callable[[Progress | None], Records]  # without the header
    class_names: dict[str, tuple[str, ...]]  # by column, where the file declares them


def form_of(source: Path | bytes, name: str) -> str | None:
    """parquet or xlsx by the first bytes; None for any other file."""
    start = read_start(source, name)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        try:
            with opened(source) as raw, zipfile.ZipFile(raw) as archive:
                if "xl/workbook.xml" in archive.namelist():
                    return "xlsx"
        except (OSError, zipfile.BadZipFile):
            return None
    return None


def open_book(
    source: Path | bytes,
    name: str,
    form: str,
    header: bool | None,
    wanted: tuple[str | int | None, str | int | None],
) -> Book:
    """A Parquet or Excel file. `header` (Excel): guessed where it is None, as `wanted` helps."""
    if form == "parquet":
        return _parquet(source, name)
    return _excel(source, name, header, wanted)


# ---- Parquet ---------------------------------------------------------------------------------


def _parquet(source: Path | bytes, name: str) -> Book:
    import pyarrow
    import pyarrow.parquet

    def problem(error: Exception) -> DataError:
        return DataError(
            _(
                "{name} cannot be read as a Parquet file ({brief}); fetch or write it again",
                name=name,
                brief=_brief(error),
            )
        )

    try:
        given: Any = pyarrow.BufferReader(source) if isinstance(source, bytes) else str(source)
        file = pyarrow.parquet.ParquetFile(given)
        schema, meta = file.schema_arrow, file.metadata
        size = sum(meta.row_group(k).total_byte_size for k in range(meta.num_row_groups))
    except (OSError, ValueError, TypeError, pyarrow.ArrowException) as error:
        raise problem(error) from error
    columns = tuple(str(column) for column in schema.names)
    refuse_count(name, meta.num_rows, len(columns))
    refuse_size(size, name)
    if not meta.num_rows or not columns:
        raise DataError(_("{name} has no rows; expected a text and a label in each row", name=name))
    names = _declared(schema.metadata or {})

    def records(progress: Progress | None) -> Records:
        number = unpacked = 0
        try:
            for batch in file.iter_batches(batch_size=BATCH):
                unpacked += batch.nbytes
                refuse_size(unpacked, name)
                values = [_column(batch.column(k), names.get(c)) for k, c in enumerate(columns)]
                for row in zip(*values, strict=True):
                    number += 1
                    yield number, list(row)
                if progress:
                    progress(number / meta.num_rows)
        except (OSError, pyarrow.ArrowException) as error:
            raise problem(error) from error

    sample = [record for record, __ in zip(records(None), range(SAMPLE_ROWS), strict=False)]
    layout = Layout("parquet", None, False, sample, header=True, columns=columns)
    return Book(layout, meta.num_rows, records, names)


def _declared(metadata: dict[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """The class names that the `datasets` library leaves in the schema, by column."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {c: tuple(map(str, f["names"])) for c, f in features.items() if "names" in f}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _column(values: Any, names: tuple[str, ...] | None) -> list[Any]:
    plain = [_plain(value) for value in values.to_pylist()]
    if names:  # numbers of classes; -1 is no class
        return [
            names[v] if isinstance(v, int) and 0 <= v < len(names) else None if v == -1 else v
            for v in plain
        ]
    return plain


def _plain(value: Any) -> Any:
    """A cell as text, number, bool or None where it is one; lists and objects as they are."""
    if isinstance(value, datetime.datetime) and value.timetz() == datetime.time():
        return value.date().isoformat()  # a day, which spreadsheets keep with a time
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta | decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):  # older writers do not say that it is text
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


# ---- Excel -----------------------------------------------------------------------------------


def _excel(
    source: Path | bytes,
    name: str,
    header: bool | None,
    wanted: tuple[str | int | None, str | int | None],
) -> Book:
    sheet, names = _sheet(source, name)
    sample: list[tuple[int, list[Any]]] = []
    complete = True
    for record in _cells(sheet, name):
        if len(sample) > SAMPLE_ROWS:
            complete = False
            break
        sample.append(record)
    if not sample:
        raise DataError(
            _("{name} is empty; expected a table with a text and a label in each row", name=name)
        )
    width = max(len(row) for __, row in sample)
    sample = [(number, row + [""] * (width - len(row))) for number, row in sample]
    notes = ()
    if len(names) > 1:
        others = ", ".join(f"“{other}”" for other in names if other != sheet.title)
        notes = (_("Sheet “{title}” is read; {others} not.", title=sheet.title, others=others),)
    layout = Layout("xlsx", None, False, sample, notes=notes)
    layout = named(layout, name, header, wanted)

    def records(progress: Progress | None) -> Records:
        again, __ = _sheet(source, name)
        found = _cells(again, name)
        if layout.header:
            next(found, None)
        last = again.max_row or 1
        for number, row in found:
            if progress and number % 1000 == 0:
                progress(min(number / last, 1.0))
            yield number, row + [""] * (width - len(row))

    return Book(layout, len(layout.records) if complete else None, records, {})


def _sheet(source: Path | bytes, name: str) -> tuple[Any, list[str]]:
    """The first sheet with cells in it, and the names of all."""
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(
            _(
                "{name} is an Excel workbook, and openpyxl, which reads them, is not "
                "installed: install it (pip install openpyxl), or save the sheet as CSV "
                "(UTF-8)",
                name=name,
            )
        ) from error
    try:
        with opened(source) as raw:
            packed = raw.read()
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            refuse_size(sum(entry.file_size for entry in archive.infolist()), name)
        # values as they were last computed, not formulas
        book = openpyxl.load_workbook(
            io.BytesIO(packed), read_only=True, data_only=True, keep_links=False
        )
        sheets = [s for s in book.worksheets if s.sheet_state == "visible"] or book.worksheets
        filled = (s for s in sheets if next(_cells(s, name), None) is not None)
        sheet = next(filled, sheets[0])
    except DataError:
        raise
    except Exception as error:  # the library raises whatever its parts do
        raise DataError(
            _(
                "{name} cannot be read as an Excel workbook ({brief}); save it anew, or as CSV",
                name=name,
                brief=_brief(error),
            )
        ) from error
    return sheet, [s.title for s in sheets]


def _cells(sheet: Any, name: str) -> Records:
    """(row number, cells as text) of the rows that are not empty."""
    try:
        for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
            cells = _shown(row)
            refuse_width(name, len(cells))
            if cells:
                yield number, cells
    except DataError:
        raise
    except Exception as error:  # the library raises whatever its parts do
        raise DataError(
            _(
                "{name} cannot be read as an Excel workbook ({brief}); save it anew, or as CSV",
                name=name,
                brief=_brief(error),
            )
        ) from error


def _shown(row: Sequence[Any]) -> list[Any]:
    """The cells as text, without the empty ones at the end."""
    last = max((k for k, value in enumerate(row, 1) if value is not None), default=0)
    return ["" if value is None else _text(value) for value in row[:last]]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(_plain(value))


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}{'…' if len(text) > 200 else ''}"
