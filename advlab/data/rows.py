"""What a source gives before it is checked: rows with a text and a label, and how many are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from advlab.errors import DataError
from advlab.language import _

MAX_ROWS = 500_000
MAX_COLUMNS = 1_000
MAX_CELLS = 20_000_000
MOST_OTHERS = 8  # further columns that are kept
LONGEST_OTHER = 60  # characters of their values

# called with the share that is read, 0 to 1; it may raise, to stop the reading
Progress = Callable[[float], None]
T = TypeVar("T")


class Row(NamedTuple):
    """One record: its number as an editor shows it, the text, the label as it stands there.

    `more`: the first few other columns, for parts of the data.
    """

    number: int
    text: Any
    label: Any
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """All rows of a source, two columns wide. `label_names`: where the source declares them."""

    name: str
    rows: tuple[Row, ...]
    text_column: str
    label_column: str
    notes: tuple[str, ...] = ()
    label_names: tuple[str, ...] | None = None
    others: tuple[str, ...] = ()  # the columns not used, for messages


def other_columns(values: Iterable[tuple[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Columns that can name a part of the data: short plain values, as text."""
    found = []
    for name, value in values:
        if isinstance(value, str | int | float | bool) and len(str(value)) <= LONGEST_OTHER:
            found.append((name, str(value)))
    return tuple(found[:MOST_OTHERS])


def limited(records: Iterable[tuple[int, T]], name: str, columns: int) -> Iterator[tuple[int, T]]:
    """The records; DataError as soon as they are more than MAX_ROWS, or their cells MAX_CELLS."""
    most = min(MAX_ROWS, MAX_CELLS // max(columns, 1))
    for count, record in enumerate(records, 1):
        if count > most:
            refuse_count(name, None, columns)
        yield record


def refuse_count(name: str, rows: int | None, columns: int) -> None:
    """DataError where so many rows of so many columns are too many; `rows` None: they are."""
    refuse_width(name, columns)
    most = min(MAX_ROWS, MAX_CELLS // max(columns, 1))
    if rows is None or rows > most:
        holds = _("more than {most:,}", most=most) if rows is None else f"{rows:,}"
        raise DataError(
            _(
                "{name} holds {rows} rows{columns}; at most {most:,} are read: cut the file "
                "(a few thousand rows are plenty here)",
                name=name,
                rows=holds,
                columns=_(" of {columns:,} columns", columns=columns) if most < MAX_ROWS else "",
                most=most,
            )
        )


def refuse_width(name: str, columns: int) -> None:
    """DataError where a table is too wide to be one of texts and labels."""
    if columns > MAX_COLUMNS:
        raise DataError(
            _(
                "{name} has {columns:,} columns; at most {max_columns:,} are read: keep "
                "the text and the label, or correct the delimiter",
                name=name,
                columns=columns,
                max_columns=MAX_COLUMNS,
            )
        )
