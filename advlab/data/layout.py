"""The head of a file taken apart: into which rows and columns, and why so?

`json_objects` gives a finished layout; `table` one without names, which `named` takes from the first
row or counts. What is None among the arguments is guessed.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from advlab.data.objects import json_array, json_lines, list_in
from advlab.data.rows import refuse_width
from advlab.data.scanning import cells, labelled
from advlab.data.sniffing import (
    SAMPLE_ROWS,
    guess_delimiter,
    guess_header,
    guess_quoting,
    name_columns,
    ragged_notes,
)
from advlab.errors import DataError
from advlab.language import _

DECLARED = re.compile(r'"?sep=([^\r\n])"?[^\S\n]*\r?\n', re.IGNORECASE)  # as Excel writes it


@dataclass(frozen=True)
class Layout:
    """The rows of a file's head as cells, and how they were taken apart."""

    form: str
    separator: str | None
    quoting: bool
    records: list[tuple[int, list[Any]]]
    header: bool = False
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    declared: bool = False  # the first record, `sep=;`, names the separator and is none


def json_objects(text: str, name: str, form: str, cut: bool) -> Layout:
    """JSON: a column for each key."""
    reader = json_array if form == "json" else json_lines
    objects = list(reader(text, name, cut=cut))
    if not objects:
        raise DataError(_("{name} holds no complete record; expected one object a line", name=name))
    columns = tuple(dict.fromkeys(str(key) for __, item in objects for key in item))
    records = [(number, [item.get(key) for key in columns]) for number, item in objects]
    refuse_width(name, len(columns))
    inside = list_in(text) if form == "json" and text.lstrip().startswith("{") else None
    notes = ()
    if inside:
        notes = (
            _(
                "The records stand under the key “{inside}”; the others are not read.",
                inside=inside[0],
            ),
        )
    return Layout(form, None, False, records, columns=columns, notes=notes)


def table(text: str, name: str, separator: str | None, quoting: bool | None, cut: bool) -> Layout:
    """A delimited table, or lines "LABEL text"; its columns have no names yet."""
    notes: list[str] = []
    declared = DECLARED.match(text)
    if declared:
        notes.append(
            _(
                "The line “{declared}” names the delimiter and is no row.",
                declared=declared[0].strip(),
            )
        )
    if separator is None:
        if declared:
            separator = str(declared[1])
        else:
            separator, why = guess_delimiter(text, name, quoting, cut)
            notes.append(why)
    if separator == " ":
        form, quoting = "lines", False
        records = list(labelled(text, cut=cut))
    else:
        form = "tsv" if separator == "\t" else "csv"
        if quoting is None:
            quoting, reasons = guess_quoting(text, separator, cut)
            notes += reasons
        records = list(cells(text, separator, quoting, cut=cut))
    records = records[1:] if declared else records
    if not records:
        raise DataError(
            _("{name} holds no complete row in its first megabyte; check the quoting", name=name)
        )
    return Layout(
        form, separator, quoting, records, notes=tuple(notes), declared=declared is not None
    )


def named(
    layout: Layout,
    name: str,
    header: bool | None,
    wanted: tuple[str | int | None, str | int | None],
) -> Layout:
    """The table with its columns' names, which are its first row if it has a `header`.

    `wanted`: the text's and the label's column, as far as they are given.
    """
    if layout.form == "lines":
        header = False
    elif header is None:
        header = guess_header([row for __, row in layout.records[:SAMPLE_ROWS]], *wanted)
    columns = name_columns(layout.records, header, layout.form)
    refuse_width(name, len(columns))
    records = layout.records[1:] if header else layout.records
    if not records:
        raise DataError(
            _(
                "{name} has a header ({columns}) and no rows below it; add rows",
                name=name,
                columns=", ".join(columns),
            )
        )
    notes = (*layout.notes, *ragged_notes(records, columns))
    return dataclasses.replace(layout, records=records, header=header, columns=columns, notes=notes)
