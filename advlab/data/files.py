"""A person's own file: how is it written, which column is the text, which the label?

`guess` looks at the first megabyte and says what it found, with a preview; every part can be
corrected. `advlab.data.reading` then reads the whole as the guess says. Both take a path or the bytes
of an upload, change nothing, and raise nothing but DataError.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.data.decoding import check_encoding, decode, guess_encoding
from advlab.data.layout import Layout, json_objects, named, table
from advlab.data.pairs import find_pair, note, refusal
from advlab.data.raw import Head, read_head
from advlab.data.scanning import unify
from advlab.data.sniffing import (
    DELIMITERS,
    SAMPLE_ROWS,
    find_column,
    guess_form,
    pick_columns,
    read_separator,
    shown,
    take,
)
from advlab.data.typed import form_of, open_book
from advlab.errors import DataError
from advlab.language import _
from advlab.runs.config import DataConfig, home
from advlab.runs.limits import check_upload

PREVIEW_ROWS = 10


@dataclass(frozen=True)
class Guess:
    """How a file is read, what its first rows are, and why (`notes`)."""

    name: str
    format: str  # csv, tsv, jsonl, json, lines ("LABEL text"), parquet or xlsx
    encoding: str  # empty for Parquet and Excel
    delimiter: str | None  # None for JSON, Parquet and Excel
    quoting: bool
    header: bool
    columns: tuple[str, ...]  # by number from 0 where there is no header
    text_column: str | None  # one of `columns`; None: not found, to be chosen
    label_column: str | None
    rows: int | None  # without the header; None: a gzip too large to be counted in a preview
    rows_exact: bool  # False: estimated from the head
    preview: tuple[tuple[str, ...], ...]  # PREVIEW_ROWS × columns
    notes: tuple[str, ...] = ()
    encoding_given: bool = False
    declared: bool = False  # the first line, `sep=;`, names the delimiter

    @property
    def summary(self) -> str:
        """One sentence: how the file is read."""
        kinds = {"lines": _("lines “LABEL text”"), "parquet": "Parquet", "xlsx": "Excel"}
        parts = [kinds.get(self.format, self.format.upper())]
        if self.encoding:
            parts.append(self.encoding)
        if self.format in ("csv", "tsv"):
            parts.append(
                _(
                    "{delimiters} between columns",
                    delimiters=DELIMITERS.get(self.delimiter or "", repr(self.delimiter)),
                )
            )
            parts.append(
                _("quotes enclose cells") if self.quoting else _("quotes are ordinary characters")
            )
        if self.format in ("csv", "tsv", "xlsx"):
            parts.append(_("first row names the columns") if self.header else _("no header"))
        parts.append(
            _(
                "text in column {text_column}, label in column {label_column}",
                text_column=self.text_column,
                label_column=self.label_column,
            )
        )
        return _("{name} read as {parts}.", name=self.name, parts=", ".join(parts))


def corrections(config: DataConfig) -> dict[str, Any]:
    """What the config says about reading a file, as keyword arguments of `guess`."""
    names = ("text_column", "label_column", "encoding", "delimiter", "quoting", "header")
    return {name: getattr(config, name) for name in names if getattr(config, name) is not None}


def guess(
    source: Path | bytes,
    name: str = "",
    *,
    text_column: str | int | None = None,
    label_column: str | int | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    quoting: bool | None = None,
    header: bool | None = None,
) -> Guess:
    """How `source` is written, from its first megabyte; what is given here is taken as given.

    Columns are given by name, or by number from 0. `delimiter` may be spelt out (tab, comma,
    semicolon, space …); a space means lines "LABEL text" whose first space separates.
    DataError: no such file, too large, not text, empty, or no such column.
    """
    name = name or (source.name if isinstance(source, Path) else _("the upload"))
    wanted = (text_column, label_column)
    if form := form_of(source, name):
        book = open_book(source, name, form, header, wanted)
        first = _First(book.layout, "", [], book.rows, book.rows is not None)
    else:
        first = _first(source, name, wanted, encoding, delimiter, quoting, header)
    layout, notes = first.layout, first.notes
    sample = [row for __, row in layout.records[:SAMPLE_ROWS]]
    text, label = _choose(layout.columns, sample, name, text_column, label_column)
    notes += layout.notes
    pair = find_pair(layout.columns)
    if pair and text in pair:
        if text_column is None:
            text = None
            notes.append(f"{refusal(pair, name)}.")
        elif said := note(pair, str(text), name):
            notes.append(said)
    for kind, value in (("text", text), ("label", label)):
        if value is None and not (pair and kind == "text"):
            choices = ", ".join(layout.columns)
            notes.append(
                _(
                    "No {kind} column was recognised; choose one of: {choices}.",
                    kind=kind,
                    choices=choices,
                )
            )
    return Guess(
        name=name,
        format=layout.form,
        encoding=first.encoding,
        delimiter=layout.separator,
        quoting=layout.quoting,
        header=layout.header,
        columns=layout.columns,
        text_column=text,
        label_column=label,
        rows=first.rows,
        rows_exact=first.complete,
        preview=_preview(sample, len(layout.columns)),
        notes=tuple(notes),
        encoding_given=bool(encoding),
        declared=layout.declared,
    )


@dataclass(frozen=True)
class _First:
    """The head of a file, taken apart."""

    layout: Layout
    encoding: str
    notes: list[str]
    rows: int | None
    complete: bool


def _first(
    source: Path | bytes,
    name: str,
    wanted: tuple[str | int | None, str | int | None],
    encoding: str | None,
    delimiter: str | None,
    quoting: bool | None,
    header: bool | None,
) -> _First:
    """The head of a text file; what is None is guessed."""
    head = read_head(source, name)
    cut = not head.complete
    notes: list[str] = []
    given = bool(encoding)
    if encoding:
        encoding = check_encoding(encoding)
    else:
        encoding, why = guess_encoding(head.data, name, head.complete)
        notes.append(_("Encoding {encoding}: {why}.", encoding=encoding, why=why))
    text = unify(decode(head.data, encoding, name, given=given, complete=head.complete))
    if not text.strip():
        raise DataError(
            _("{name} is empty; expected a table with a text and a label in each row", name=name)
        )
    separator = read_separator(delimiter) if delimiter else None
    form = guess_form(text, name, separator)
    if form in ("json", "jsonl"):
        layout = json_objects(text, name, form, cut)
    else:
        layout = table(text, name, separator, quoting, cut)
        layout = named(layout, name, header, wanted)
    return _First(layout, encoding, notes, _count(len(layout.records), head), head.complete)


def _choose(
    columns: Sequence[str],
    sample: Sequence[Sequence[Any]],
    name: str,
    text_column: str | int | None,
    label_column: str | int | None,
) -> tuple[str | None, str | None]:
    """The columns with the text and the label; None for one that was not recognised."""
    text, label = pick_columns(
        columns,
        sample,
        text=None if text_column is None else find_column(text_column, columns, name),
        label=None if label_column is None else find_column(label_column, columns, name),
    )
    if text is not None and text == label:
        raise DataError(
            _(
                "text and label of {name} are both column {text!r}; choose two of: {columns}",
                name=name,
                text=text,
                columns=", ".join(columns),
            )
        )
    return text, label


def _count(records: int, head: Head) -> int | None:
    """The rows of the whole file, estimated where only its head was read; None: not known."""
    if head.complete:
        return records
    return None if head.size is None else round(records * head.size / len(head.data))


def _preview(sample: Sequence[Sequence[Any]], width: int) -> tuple[tuple[str, ...], ...]:
    rows = sample[:PREVIEW_ROWS]
    return tuple(tuple(shown(cell) for cell in take(row, range(width))) for row in rows)


def save_upload(data: bytes, name: str) -> Path:
    """Keeps an uploaded file under the user's data folder, where a training run can read it.

    The same bytes and name give the same path; an existing file is never changed.
    """
    check_upload(len(data))
    safe = re.sub(r"[^\w.()+-]+", "_", Path(name.replace("\\", "/")).name).strip("._") or "upload"
    folder = home() / "data" / hashlib.sha256(data).hexdigest()[:12]
    path = folder / safe[-100:]
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{path.name}.{os.getpid()}-{threading.get_ident()}"  # two may upload it
        aside.write_bytes(data)
        aside.replace(path)
    return path
