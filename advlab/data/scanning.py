"""From text to records, each with the row at which it starts as an editor numbers it.

A record is a list of cells; for JSON see `advlab.data.objects`. A text is a string, or comes in blocks
and is dropped as it is read, so that a large file takes little memory. Lines end at \\n only,
with one \\r before it dropped: texts hold other line-break characters, and no row may be split or
merged at them. (The standard library's csv module refuses a bare \\r outside quotes, and loses the
number of the row at which a record starts.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from advlab.errors import DataError
from advlab.language import _

# LABEL text, LABEL:sub text (TREC) or __label__LABEL text (fastText); the first space separates
LABELLED = re.compile(r"(?:__label__)?([^\s:]{1,40})(:\S{1,60})? +(\S.*)", re.DOTALL)
OPEN_TAIL = 2**16  # an unclosed quote this near to the end of a cut text is the cut's doing
LONGEST_CELL = 2**21  # characters that are waited for until a quote closes
LONGEST_RECORD = 2**24  # characters


@dataclass
class Quotes:
    """How double quotes were used in what was scanned; grows while the records are read."""

    enclosed: int = 0  # "cell"
    doubled: int = 0  # "cell with ""quotes"""
    spanning: int = 0  # enclosed cells that hold the delimiter or a line break
    bare: int = 0  # quotes in cells that are not enclosed: unpaired, or not meant as enclosing
    first_bare: int = 0  # its row


class Feed:
    """A text that comes in blocks: `text` is what has come and is not dropped yet."""

    def __init__(self, blocks: str | Iterable[str]) -> None:
        self._blocks = iter((blocks,) if isinstance(blocks, str) else blocks)
        self.text = next(self._blocks, "")

    def more(self, position: int) -> bool:
        """Drop what stands before `position` and add a block; False at the end of the text.

        DataError where one record goes on and on: its quotes or line ends are not what they seem.
        """
        if len(self.text) - position > LONGEST_RECORD:
            raise DataError(
                _(
                    "one record holds more than {longest_record:,} characters; check the line "
                    "ends, the quoting and the delimiter",
                    longest_record=LONGEST_RECORD,
                )
            )
        block = next(self._blocks, None)
        if block is None:
            return False
        self.text = self.text[position:] + block
        return True


def unify(text: str) -> str:
    """The old Macintosh's \\r line ends as \\n; everything else untouched."""
    return text.replace("\r", "\n") if "\r" in text and "\n" not in text else text


def unified(blocks: Iterable[str]) -> Iterator[str]:
    """The blocks, with the old Macintosh's line ends as `unify` makes them, by the first block."""
    old = None
    for block in blocks:
        old = "\r" in block and "\n" not in block if old is None else old
        yield block.replace("\r", "\n") if old else block


def lines(text: str | Iterable[str]) -> Iterator[tuple[int, str]]:
    """(row number, line) of the lines that are not blank."""
    feed = Feed(text)
    position, number, searched = 0, 0, 0
    while True:
        end = feed.text.find("\n", searched)
        if end < 0:
            searched = len(feed.text) - position
            if feed.more(position):
                position = 0
                continue
            end = len(feed.text)
        number += 1
        line = feed.text[position:end].removesuffix("\r")
        if line.strip():
            yield number, line
        position = searched = end + 1
        if position > len(feed.text):
            return


def cells(
    text: str | Iterable[str],
    delimiter: str,
    quoting: bool,
    quotes: Quotes | None = None,
    *,
    cut: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of a delimited table (RFC 4180). Blank lines are skipped.

    With `quoting`, a cell may be enclosed in double quotes and then hold delimiters, line breaks
    and doubled quotes. A cell that begins with a quote and is not enclosed to its end is taken
    literally. `cut`: the text ends anywhere, and its last record is left out.
    """
    quotes = Quotes() if quotes is None else quotes
    marks = _marks(delimiter)
    feed, ended = Feed(text), isinstance(text, str)
    position, number = 0, 1
    held: tuple[int, list[str]] | None = None  # one behind, so that a cut record can be dropped
    while True:
        end = feed.text.find("\n", position)
        if end < 0 and not ended:
            ended = not feed.more(position)
            position = 0 if not ended else position
            continue
        if position >= len(feed.text):
            if cut and not feed.text.endswith("\n"):
                return
            break
        stop = len(feed.text) if end < 0 else end
        start = number
        if not quoting or feed.text.find('"', position, stop) < 0:
            line = feed.text[position:stop].removesuffix("\r")
            row = line.split(delimiter) if line.strip() else []
            position, number = stop + 1, number + 1
        else:
            open_tail = OPEN_TAIL if cut else 0 if ended else LONGEST_CELL
            found = _quoted(feed.text, position, number, marks, quotes, open_tail)
            # what ends with the text that has come, may go on in the text to come
            if not ended and (found is None or found[1] > len(feed.text)):
                ended = not feed.more(position)
                position = 0 if not ended else position
                continue
            if found is None:
                break
            row, position, number = found
        if row:
            if held:
                yield held
            held = (start, row)
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
    text: str, position: int, number: int, marks: _Marks, quotes: Quotes, open_tail: int
) -> tuple[list[str], int, int] | None:
    """(cells, position, row number) past one record that has quotes; None where it was cut off.

    That is, where a quote in the last `open_tail` characters is not closed.
    """
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
            near_end = len(text) - position < open_tail
            if near_end and marks.unclosed.match(text, position):
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


def labelled(text: str | Iterable[str], *, cut: bool = False) -> Iterator[tuple[int, list[str]]]:
    """(row number, [label, label with sub-label, text]) of lines `LABEL[:sub] text`.

    A line of another shape gives one cell, which the caller reports as ragged.
    """
    for number, line in lines(_whole(text, cut)):
        match = LABELLED.fullmatch(line)
        yield number, [match[1], match[1] + (match[2] or ""), match[3]] if match else [line]


def _whole(text: str | Iterable[str], cut: bool) -> str | Iterable[str]:
    """A text that is `cut` anywhere, without its last line."""
    return text[: text.rfind("\n") + 1] if cut and isinstance(text, str) else text
