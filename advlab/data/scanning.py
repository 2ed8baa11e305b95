"""From text to records, each with the row at which it starts as an editor numbers it.

A record is a list of cells (tables, labelled lines) or a mapping (JSON). Lines end at \\n only,
with one \\r before it dropped: texts hold other line-break characters, and no row may be split or
merged at them. (The standard library's csv module refuses a bare \\r outside quotes, and loses the
number of the row at which a record starts.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advlab.errors import DataError

# LABEL text, LABEL:sub text (TREC) or __label__LABEL text (fastText); the first space separates
LABELLED = re.compile(r"(?:__label__)?([^\s:]{1,40})(:\S{1,60})? +(\S.*)", re.DOTALL)
OPEN_TAIL = 2**16  # an unclosed quote this near to the end of a cut text is the cut's doing


@dataclass
class Quotes:
    """How double quotes were used in what was scanned; grows while the records are read."""

    enclosed: int = 0  # "cell"
    doubled: int = 0  # "cell with ""quotes"""
    spanning: int = 0  # enclosed cells that hold the delimiter or a line break
    bare: int = 0  # quotes in cells that are not enclosed: unpaired, or not meant as enclosing
    first_bare: int = 0  # its row


def unify(text: str) -> str:
    """The old Macintosh's \\r line ends as \\n; everything else untouched."""
    return text.replace("\r", "\n") if "\r" in text and "\n" not in text else text


def lines(text: str) -> Iterator[tuple[int, str]]:
    """(row number, line) of the lines that are not blank."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if line.strip():
            yield number, line


def cells(
    text: str, delimiter: str, quoting: bool, quotes: Quotes | None = None, *, cut: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of a delimited table (RFC 4180). Blank lines are skipped.

    With `quoting`, a cell may be enclosed in double quotes and then hold delimiters, line breaks
    and doubled quotes. A cell that begins with a quote and is not enclosed to its end is taken
    literally. `cut`: the text ends anywhere, and its last record is left out.
    """
    quotes = Quotes() if quotes is None else quotes
    marks = _marks(delimiter)
    position, number = 0, 1
    held: tuple[int, list[str]] | None = None  # one behind, so that a cut record can be dropped
    while position < len(text):
        end = text.find("\n", position)
        stop = len(text) if end < 0 else end
        start = number
        if not quoting or text.find('"', position, stop) < 0:
            line = text[position:stop].removesuffix("\r")
            row = line.split(delimiter) if line.strip() else []
            position, number = stop + 1, number + 1
        else:
            found = _quoted(text, position, number, marks, quotes, cut)
            if found is None:
                break
            row, position, number = found
        if row:
            if held:
                yield held
            held = (start, row)
    else:
        if cut and not text.endswith("\n"):
            return
    if held:
        yield held


@dataclass(frozen=True)
class _Marks:
    """A delimiter, and the shapes that a cell can have with it."""

    delimiter: str
    enclosed: re.Pattern[str]
    unclosed: re.Pattern[str]
    literal: re.Pattern[str]


def _marks(delimiter: str) -> _Marks:
    mark = re.escape(delimiter)
    # possessive repeats: an unclosed quote costs one pass, not a backtracking explosion
    return _Marks(
        delimiter,
        enclosed=re.compile(rf' *"((?:[^"]++|"")*+)" *(?={mark}|\r?\n|\r?\Z)'),
        unclosed=re.compile(r' *"(?:[^"]++|"")*+\Z'),
        literal=re.compile(rf"[^{mark}\n]*"),
    )


def _quoted(
    text: str, position: int, number: int, marks: _Marks, quotes: Quotes, cut: bool
) -> tuple[list[str], int, int] | None:
    """(cells, position, row number) past one record that has quotes; None where it was cut off."""
    row: list[str] = []
    while True:
        match = marks.enclosed.match(text, position)
        if match:
            value = match[1]
            quotes.enclosed += 1
            quotes.spanning += marks.delimiter in value or "\n" in value
            number += value.count("\n")
            if '""' in value:
                quotes.doubled += 1
                value = value.replace('""', '"')
        else:
            near_end = len(text) - position < OPEN_TAIL
            if cut and near_end and marks.unclosed.match(text, position):
                return None
            match = marks.literal.match(text, position)
            assert match is not None  # it matches the empty string too
            value = match[0]
            if text[match.end() : match.end() + 1] != marks.delimiter:
                value = value.removesuffix("\r")
            if '"' in value:
                quotes.bare += 1
                quotes.first_bare = quotes.first_bare or number
        row.append(value)
        position = match.end()
        if text.startswith(marks.delimiter, position):
            position += 1
            continue
        position += text.startswith("\r", position)
        return row, position + 1, number + 1  # past the \n, or past the end


def labelled(text: str, *, cut: bool = False) -> Iterator[tuple[int, list[str]]]:
    """(row number, [label, label with sub-label, text]) of lines `LABEL[:sub] text`.

    A line of another shape gives one cell, which the caller reports as ragged.
    """
    if cut:
        text = text[: text.rfind("\n") + 1]
    for number, line in lines(text):
        match = LABELLED.fullmatch(line)
        yield number, [match[1], match[1] + (match[2] or ""), match[3]] if match else [line]


def json_lines(text: str, name: str, *, cut: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row number, object) of JSON Lines; DataError names the row that is none."""
    if cut:
        text = text[: text.rfind("\n") + 1]
    for number, line in lines(text):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"row {number:,} of {name} is not JSON ({error}); "
                "JSON Lines has one complete object on each line"
            ) from error
        if not isinstance(value, dict):
            raise DataError(
                f"row {number:,} of {name} holds {_kind(value)}; JSON Lines has one object "
                '{"text": …, "label": …} on each line'
            )
        yield number, value


def json_array(text: str, name: str, *, cut: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """(item number from 1, object) of a JSON array of objects, read one at a time."""
    decoder = json.JSONDecoder()
    space = re.compile(r"[\s]*")
    position = text.index("[") + 1
    number = 0
    while True:
        position = space.match(text, position).end()  # type: ignore[union-attr]
        if text.startswith("]", position):
            return
        if number:
            if not text.startswith(",", position):
                if cut and position >= len(text):
                    return
                raise DataError(f"{name}: expected a comma or ] after item {number:,} of the array")
            position = space.match(text, position + 1).end()  # type: ignore[union-attr]
        number += 1
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            if cut:
                return
            raise DataError(f"item {number:,} of {name} is not JSON ({error}); mend it") from error
        if not isinstance(value, dict):
            raise DataError(f"item {number:,} of {name} is {_kind(value)}; expected an object")
        yield number, value


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {list: "an array", dict: "an object", str: "a string", bool: "true or false"}
    return names.get(type(value), "a number")
