"""A person's own file: how is it written, which column is the text, which the label?

`guess` looks at the first megabyte and says what it found, with a preview; every part can be
corrected. `read_rows` then reads the whole as the guess says. Both take a path or the bytes of an
upload, change nothing, and raise nothing but DataError.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.data.decoding import check_encoding, decode, guess_encoding, name_rows
from advlab.data.layout import json_objects, named, table
from advlab.data.raw import Head, read_all, read_head
from advlab.data.rows import Progress, Row, Table, other_columns
from advlab.data.scanning import cells, json_array, json_lines, labelled, unify
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
from advlab.errors import DataError
from advlab.runs.config import DataConfig, home

PREVIEW_ROWS = 10


@dataclass(frozen=True)
class Guess:
    """How a file is read, what its first rows are, and why (`notes`)."""

    name: str
    format: str  # csv, tsv, jsonl, json, or lines ("LABEL text")
    encoding: str
    delimiter: str | None  # None for JSON
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

    @property
    def summary(self) -> str:
        """One sentence: how the file is read."""
        parts = [self.format.upper() if self.format != "lines" else "lines “LABEL text”"]
        parts.append(self.encoding)
        if self.format in ("csv", "tsv"):
            parts.append(
                f"{DELIMITERS.get(self.delimiter or '', repr(self.delimiter))} between columns"
            )
            parts.append(
                "quotes enclose cells" if self.quoting else "quotes are ordinary characters"
            )
            parts.append("first row names the columns" if self.header else "no header")
        parts.append(f"text in column {self.text_column}, label in column {self.label_column}")
        return f"{self.name} read as {', '.join(parts)}."


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
    name = name or (source.name if isinstance(source, Path) else "the upload")
    head = read_head(source, name)
    cut = not head.complete
    notes: list[str] = []
    given = bool(encoding)
    if encoding:
        encoding = check_encoding(encoding)
    else:
        encoding, why = guess_encoding(head.data, name, head.complete)
        notes.append(f"Encoding {encoding}: {why}.")
    text = unify(decode(head.data, encoding, name, given=given, complete=head.complete))
    if not text.strip():
        raise DataError(f"{name} is empty; expected a table with a text and a label in each row")
    separator = read_separator(delimiter) if delimiter else None
    form = guess_form(text, name, separator)
    if form in ("json", "jsonl"):
        layout = json_objects(text, name, form, cut)
    else:
        layout = table(text, name, separator, quoting, cut)
        layout = named(layout, name, header, (text_column, label_column))
    sample = [row for _, row in layout.records[:SAMPLE_ROWS]]
    chosen = _choose(layout.columns, sample, name, text_column, label_column)
    notes += layout.notes
    for kind, value in zip(("text", "label"), chosen, strict=True):
        if value is None:
            choices = ", ".join(layout.columns)
            notes.append(f"No {kind} column was recognised; choose one of: {choices}.")
    return Guess(
        name=name,
        format=layout.form,
        encoding=encoding,
        delimiter=layout.separator,
        quoting=layout.quoting,
        header=layout.header,
        columns=layout.columns,
        text_column=chosen[0],
        label_column=chosen[1],
        rows=_count(len(layout.records), head),
        rows_exact=head.complete,
        preview=_preview(sample, len(layout.columns)),
        notes=tuple(notes),
        encoding_given=given,
    )


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
            f"text and label of {name} are both column {text!r}; "
            f"choose two of: {', '.join(columns)}"
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


def read_rows(source: Path | bytes, guess: Guess, progress: Progress | None = None) -> Table:
    """Every row of `source`, read as `guess` says. DataError names the rows that do not fit."""
    for kind, column in (("text", guess.text_column), ("label", guess.label_column)):
        if column is None and len(guess.columns) == 1:
            raise DataError(
                f"{guess.name} has one column only; a text and a label are needed: "
                "give the delimiter if there are more"
            )
        if column is None:
            raise DataError(
                f"no {kind} column was recognised in {guess.name}; "
                f"choose one of: {', '.join(guess.columns)}"
            )
    data = read_all(source, guess.name)
    notes = list(guess.notes)
    if not guess.encoding_given:  # from the head, which may be all ASCII where the rest is not
        encoding, why = guess_encoding(data, guess.name)
        if encoding != guess.encoding:
            notes = [note for note in notes if not note.startswith("Encoding ")]
            notes.insert(0, f"Encoding {encoding}: {why}.")
            guess = dataclasses.replace(guess, encoding=encoding)
    text = decode(data, guess.encoding, guess.name, given=guess.encoding_given)
    assert guess.text_column is not None
    assert guess.label_column is not None
    rows = tuple(_rows(unify(text), guess))
    if not rows:
        raise DataError(f"{guess.name} has no rows; expected a text and a label in each row")
    return Table(
        guess.name,
        rows,
        guess.text_column,
        guess.label_column,
        (guess.summary, *notes),
        others=tuple(c for c in guess.columns if c not in (guess.text_column, guess.label_column)),
    )


def _rows(text: str, guess: Guess) -> Iterator[Row]:
    assert guess.text_column is not None
    assert guess.label_column is not None
    used = (guess.text_column, guess.label_column)
    if guess.delimiter is None:
        reader = json_array if guess.format == "json" else json_lines
        for number, item in reader(text, guess.name):
            rest = [(k, v) for k, v in item.items() if k not in used]
            yield Row(
                number,
                item.get(guess.text_column),
                item.get(guess.label_column),
                other_columns(rest),
            )
        return
    if guess.format == "lines":
        records = labelled(text)
        at = {"label": 0, "fine": 1, "text": 2}
        text_at, label_at, width = at[guess.text_column], at[guess.label_column], 3
        names = list(at)
    else:
        records = cells(text, guess.delimiter, guess.quoting)
        text_at = guess.columns.index(guess.text_column)
        label_at = guess.columns.index(guess.label_column)
        width, names = len(guess.columns), list(guess.columns)
    others = [k for k in range(width) if k not in (text_at, label_at)]
    if guess.header:
        next(records, None)
    ragged: list[tuple[int, int]] = []
    for number, row in records:
        if len(row) != width and (len(row) < width or any(row[width:])):
            ragged.append((number, len(row)))
        elif not ragged:
            rest = other_columns((str(names[k]), row[k]) for k in others)
            yield Row(number, row[text_at], row[label_at], rest)
    if ragged:
        if guess.format == "lines":
            expected = "a label, a space and a text on each line"
        else:
            expected = f"{width} columns"
        example, count = ragged[0]
        raise DataError(
            f"{guess.name}: {name_rows([n for n, _ in ragged])} "
            f"{'does' if len(ragged) == 1 else 'do'} not have {expected} "
            f"(row {example:,} has {count}); mend the file, or correct the delimiter "
            f"({DELIMITERS.get(guess.delimiter, guess.delimiter)!r} now) or the quoting "
            f"({'on' if guess.quoting else 'off'} now)"
        )


def save_upload(data: bytes, name: str) -> Path:
    """Keeps an uploaded file under the user's data folder, where a training run can read it.

    The same bytes and name give the same path; an existing file is never changed.
    """
    safe = re.sub(r"[^\w.()+-]+", "_", Path(name.replace("\\", "/")).name).strip("._") or "upload"
    folder = home() / "data" / hashlib.sha256(data).hexdigest()[:12]
    path = folder / safe[-100:]
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{path.name}.{os.getpid()}-{threading.get_ident()}"  # two may upload it
        aside.write_bytes(data)
        aside.replace(path)
    return path
