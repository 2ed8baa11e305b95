"""Every row of a person's file, read as its guess says: a block at a time, and counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from advlab.data.decoding import decoded, guess_encoding, name_rows
from advlab.data.files import Guess
from advlab.data.objects import json_array, json_lines
from advlab.data.pairs import find_pair, refusal
from advlab.data.raw import read_all, stream
from advlab.data.rows import Progress, Row, Table, limited, other_columns
from advlab.data.scanning import cells, labelled, unified
from advlab.data.sniffing import DELIMITERS
from advlab.data.typed import TYPED, open_book
from advlab.errors import DataError
from advlab.language import _, n_

UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-32")  # told by marks, or by being valid so far


def read_rows(source: Path | bytes, guess: Guess, progress: Progress | None = None) -> Table:
    """Every row of `source`, read as `guess` says. DataError names the rows that do not fit.

    `progress` is called with the share that is read, and may raise to stop the reading.
    """
    _refuse_unchosen(guess)
    assert guess.text_column is not None
    assert guess.label_column is not None
    notes: list[str] = []
    class_names = None
    if guess.format in TYPED:
        wanted = (guess.text_column, guess.label_column)
        book = open_book(source, guess.name, guess.format, guess.header, wanted)
        class_names = book.class_names.get(guess.label_column)
        records = limited(book.records(progress), guess.name, len(guess.columns))
        if guess.header and guess.format == "xlsx":
            records = _without_headers(records, list(guess.columns), guess.name, notes)
        rows = tuple(_table_rows(records, guess, notes))
    else:
        rows, guess = _text_rows(source, guess, notes, progress)
    if not rows:
        raise DataError(
            _("{name} has no rows; expected a text and a label in each row", name=guess.name)
        )
    return Table(
        guess.name,
        rows,
        guess.text_column or "",
        guess.label_column or "",
        (guess.summary, *guess.notes, *notes),
        label_names=class_names,
        others=tuple(c for c in guess.columns if c not in (guess.text_column, guess.label_column)),
    )


def _refuse_unchosen(guess: Guess) -> None:
    """DataError where a column was not recognised, or is one of two that belong together."""
    pair = find_pair(guess.columns)
    if guess.text_column is None and pair:
        raise DataError(refusal(pair, guess.name))
    for kind, column in (("text", guess.text_column), ("label", guess.label_column)):
        if column is None and len(guess.columns) == 1:
            raise DataError(
                _(
                    "{name} has one column only; a text and a label are needed: give the "
                    "delimiter if there are more",
                    name=guess.name,
                )
            )
        if column is None:
            raise DataError(
                _(
                    "no {kind} column was recognised in {name}; choose one of: {columns}",
                    kind=kind,
                    name=guess.name,
                    columns=", ".join(guess.columns),
                )
            )


def _text_rows(
    source: Path | bytes, guess: Guess, notes: list[str], progress: Progress | None
) -> tuple[tuple[Row, ...], Guess]:
    """The rows of a text file, and the guess with the encoding in which they were read."""
    if not guess.encoding_given and guess.encoding not in UNICODE:
        guess = _encoded(source, guess)
    try:
        return tuple(_rows(source, guess, notes, progress)), guess
    except UnicodeDecodeError:  # the head was ASCII alone, or UTF-8, and the rest is not
        notes.clear()
    guess = _encoded(source, guess)
    try:
        return tuple(_rows(source, guess, notes, progress)), guess
    except UnicodeDecodeError as error:
        raise DataError(
            _(
                "{name} is not {encoding} throughout; choose another encoding, or save the "
                "file as UTF-8",
                name=guess.name,
                encoding=guess.encoding,
            )
        ) from error


def _encoded(source: Path | bytes, guess: Guess) -> Guess:
    """The guess with the encoding that the whole file, not its head, is written in."""
    encoding, why = guess_encoding(read_all(source, guess.name), guess.name)
    if encoding == guess.encoding:
        return guess
    others = [note for note in guess.notes if not note.startswith("Encoding ")]
    notes = (_("Encoding {encoding}: {why}.", encoding=encoding, why=why), *others)
    return dataclasses.replace(guess, encoding=encoding, notes=notes)


def _rows(
    source: Path | bytes, guess: Guess, notes: list[str], progress: Progress | None
) -> Iterator[Row]:
    blocks = stream(source, guess.name, progress)
    text = unified(decoded(blocks, guess.encoding, guess.name, given=guess.encoding_given))
    width = len(guess.columns)
    if guess.format in ("json", "jsonl"):
        reader = json_array if guess.format == "json" else json_lines
        yield from _objects(limited(reader(text, guess.name), guess.name, width), guess)
        return
    if guess.format == "lines":
        records: Iterator[tuple[int, list[str]]] = labelled(text)
    else:
        assert guess.delimiter is not None
        records = cells(text, guess.delimiter, guess.quoting)
    if guess.declared:
        next(records, None)
    header = next(records, None) if guess.header else None
    records = limited(records, guess.name, width)
    if header:
        records = _without_headers(records, header[1], guess.name, notes)
    yield from _table_rows(records, guess, notes)


def _objects(records: Iterable[tuple[int, dict[str, Any]]], guess: Guess) -> Iterator[Row]:
    used = (guess.text_column, guess.label_column)
    for number, item in records:
        rest = [(key, value) for key, value in item.items() if key not in used]
        text, label = (item.get(column) for column in used if column is not None)
        yield Row(number, text, label, other_columns(rest))


def _without_headers(
    records: Iterable[tuple[int, list[Any]]], header: list[str], name: str, notes: list[str]
) -> Iterator[tuple[int, list[Any]]]:
    """The records less those that repeat the header, as files that were joined do; a note on these."""
    wanted = [_bare(cell) for cell in header]
    repeated = []
    for number, row in records:
        if _bare(row[0]) == wanted[0] and [_bare(cell) for cell in row] == wanted:
            repeated.append(number)
        else:
            yield number, row
    if repeated:
        what = (
            _("repeats the header: left out")
            if len(repeated) == 1
            else _("repeat the header: left out")
        )
        notes.append(
            _(
                "{name_rows} of {name} {what}.",
                name_rows=name_rows(repeated).capitalize(),
                name=name,
                what=what,
            )
        )


def _bare(cell: str) -> str:
    return cell.strip("\ufeff ").casefold()  # a joined file may begin with a byte-order mark


def _table_rows(
    records: Iterable[tuple[int, list[Any]]], guess: Guess, notes: list[str]
) -> Iterator[Row]:
    """The records as rows; DataError where some have too few or too many cells."""
    names = ["label", "fine", "text"] if guess.format == "lines" else list(guess.columns)
    assert guess.text_column is not None
    assert guess.label_column is not None
    text_at, label_at = names.index(guess.text_column), names.index(guess.label_column)
    width = len(names)
    others = [k for k in range(width) if k not in (text_at, label_at)]
    ragged: list[tuple[int, int]] = []
    ragged: list[tuple[int, int]] = []
    for number, row in records:
        if len(row) != width and (len(row) < width or any(row[width:])):
            ragged.append((number, len(row)))
        elif not ragged:
            rest = other_columns((str(names[k]), row[k]) for k in others)
            yield Row(number, row[text_at], row[label_at], rest)
    if ragged:
        _refuse_ragged(ragged, width, guess)


def _refuse_ragged(ragged: list[tuple[int, int]], width: int, guess: Guess) -> None:
    expected = _("{n} columns", n=width)
    if guess.format == "lines":
        expected = _("a label, a space and a text on each line")
    example, count = ragged[0]
    way = _("mend the file")
    if guess.delimiter is not None:
        way += _(
            ", or correct the delimiter ({delimiter!r} now) or the quoting ({quoting} now)",
            delimiter=DELIMITERS.get(guess.delimiter, guess.delimiter),
            quoting=_("on") if guess.quoting else _("off"),
        )
    raise DataError(
        n_(
            "{name}: {name_rows} does not have {expected} (row {example:,} has {count}); {way}",
            "{name}: {name_rows} do not have {expected} (row {example:,} has {count}); {way}",
            len(ragged),
            name=guess.name,
            name_rows=name_rows([number for number, __ in ragged]),
            expected=expected,
            example=example,
            count=count,
            way=way,
        )
    )
