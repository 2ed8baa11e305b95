"""How a table is written, guessed: delimiter, quoting, header, the text's and the label's column.

Each guess comes with its reason in words, which the page shows beside the means to correct it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from advlab.data.decoding import name_rows
from advlab.data.objects import list_in
from advlab.data.scanning import Quotes, cells, labelled, lines
from advlab.errors import DataError
from advlab.language import N_, _

SAMPLE_ROWS = 2000  # rows from which columns are guessed
DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": N_("vertical bar"), " ": "space"}
TEXT_NAMES = (
    *("text", "sentence", "review", "message", "content", "body", "tweet", "comment", "question"),
    *("headline", "sms", "description", "document", "utterance", "query", "sentence1", "premise"),
    *("title", "v2", "texts", "sentences", "reviews", "input", "phrase"),
)
LABEL_NAMES = (
    *("label", "labels", "class", "category", "sentiment", "target", "topic", "intent", "polarity"),
    *("emotion", "coarse_label", "label_text", "type", "stars", "rating", "score", "v1", "y"),
    *("is_spam", "spam", "toxic", "answer", "output"),
)


def read_separator(delimiter: str) -> str:
    """The delimiter as one character; words such as tab are understood, DataError otherwise."""
    spelt = {"\\t": "\t", "bar": "|", "pipe": "|"} | {
        word: sign for sign, word in DELIMITERS.items()
    }
    separator = spelt.get(delimiter.strip().lower(), delimiter)
    if len(separator) != 1 or separator in '"\r\n':
        raise DataError(
            _(
                "the delimiter {delimiter!r} is not one character; give one, or a word: {values}",
                delimiter=delimiter,
                values=", ".join(DELIMITERS.values()),
            )
        )
    return separator


def guess_form(text: str, name: str, separator: str | None) -> str:
    """table, jsonl or json: by how the text begins, and by the name where that is not enough."""
    if separator:
        return "table"
    start = text.lstrip()
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    named_lines = bool({".jsonl", ".ndjson"} & set(suffixes))
    if re.match(r"\[\s*\{", start):
        return "json"
    if start.startswith("{") or named_lines:
        several = [line for __, line in itertools.islice(lines(text), 2)]
        try:
            json.loads(several[0])
            complete = True
        except (ValueError, RecursionError):
            complete = False
        if start.startswith("{") and (len(several) == 1 or not complete) and list_in(start):
            return "json"
        if not complete:
            if ".json" in suffixes:
                raise DataError(
                    _(
                        "{name} is one JSON object without a list of objects in it; expected JSON "
                        'Lines ({{"text": …, "label": …}} on each line), an array of objects, or '
                        '{{"data": [ … ]}}',
                        name=name,
                    )
                )
            if start.startswith("{") and not named_lines:
                return "table"
        return "jsonl"
    if ".json" in suffixes:
        raise DataError(
            _("{name} holds neither an array of objects nor JSON Lines; save it as one", name=name)
        )
    return "table"


def guess_delimiter(text: str, name: str, quoting: bool | None, cut: bool) -> tuple[str, str]:
    """(delimiter, why): the one with which most rows have the same number of columns."""
    sample, short = text[: 2**16], cut or len(text) > 2**16
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    order = sorted(
        (d for d in DELIMITERS if d != " "), key=lambda d: d == "," and ".csv" not in suffixes
    )
    if ".csv" in suffixes:
        order.sort(key=lambda d: d != ",")
    scores: dict[str, tuple[float, int]] = {}
    for delimiter in order:
        for quoted in (True, False) if quoting is None else (quoting,):
            widths = Counter(len(row) for __, row in cells(sample, delimiter, quoted, cut=short))
            width, count = max(widths.items(), key=lambda item: item[1], default=(1, 0))
            score = round(count / max(widths.total(), 1), 2) if width > 1 else 0.0
            scores[delimiter] = max(scores.get(delimiter, (0.0, 0)), (score, width))
    best = max(order, key=lambda d: scores[d][0])
    share, width = scores[best]
    if share < 0.95 and (why := _looks_labelled(sample, short)):
        return " ", why
    if share == 0:
        return best, _("Each line is one column: no delimiter was found.")
    return best, _(
        "Delimiter {delimiters}: {share:.0%} of the rows have {width} columns.",
        delimiters=DELIMITERS[best],
        share=share,
        width=width,
    )


def _looks_labelled(text: str, cut: bool) -> str | None:
    """In words, why the lines read `LABEL text`; None where they do not."""
    rows = list(labelled(text, cut=cut))
    fits = [row for __, row in rows if len(row) == 3]
    labels = Counter(row[0] for row in fits)
    few = 2 <= len(labels) <= min(50, max(2, len(fits) / 4))
    if not fits or len(fits) < 0.98 * len(rows) or not few:
        return None
    names = ", ".join(sorted(labels)[:6]) + (", …" if len(labels) > 6 else "")
    fine = sum(row[1] != row[0] for row in fits) > len(fits) / 2
    sub = _(" What stands between the colon and the space is column “fine”.") if fine else ""
    return _(
        "Every line begins with one of {n_labels} labels ({names}), then a space: "
        "read as “LABEL text”.{sub}",
        n_labels=len(labels),
        names=names,
        sub=sub,
    )


def guess_quoting(text: str, delimiter: str, cut: bool) -> tuple[bool, list[str]]:
    """(do double quotes enclose cells, why)."""
    quotes = Quotes()
    widths = Counter(len(row) for __, row in cells(text, delimiter, True, quotes, cut=cut))
    usual = delimiter != "\t"
    if not quotes.enclosed and not quotes.bare:
        return usual, []
    plain = Counter(len(row) for __, row in cells(text, delimiter, False, cut=cut))
    even = max(widths.values()) / widths.total()
    plain_even = max(plain.values(), default=0) / max(plain.total(), 1)
    where = _("such as in row {first_bare:,}", first_bare=quotes.first_bare) if quotes.bare else ""
    mostly = usual and quotes.enclosed > 4 * quotes.bare  # a stray 5" among enclosed cells
    if quotes.bare and not mostly and (plain_even >= even or not quotes.enclosed):
        if not quotes.enclosed and usual:
            return True, []  # bare quotes are literal either way
        return False, [
            _("Quotes do not pair ({where}): taken as ordinary characters.", where=where)
        ]
    strong = quotes.doubled or even > plain_even or (quotes.spanning and not quotes.bare)
    if usual or strong or quotes.enclosed >= sum(widths.values()):
        return True, [
            _("Double quotes enclose cells ({enclosed:,} found).", enclosed=quotes.enclosed)
        ]
    return False, [_("Quotes around some cells are taken as ordinary characters.")]


def guess_header(
    rows: list[list[Any]], text_column: str | int | None, label_column: str | int | None
) -> bool:
    """Whether the first row names the columns: usual names, or words above numbers or classes."""
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    named = [
        c for c in (text_column, label_column) if isinstance(c, str) and not c.strip().isdigit()
    ]
    if named:
        return True
    known = {*TEXT_NAMES, *LABEL_NAMES}
    if any(len(cell) > 60 for cell in first) or len({c for c in first if c}) < sum(
        map(bool, first)
    ):
        return False
    if any(cell.lower().replace(" ", "_") in known for cell in first):
        return not any(cell and _is_number(cell) for cell in first)
    if not rest or any(_is_number(cell) for cell in first if cell):
        return False
    for j, cell in enumerate(first):
        column = [row[j].strip() for row in rest if j < len(row)]
        counts = Counter(column)
        if len(column) >= 3 and cell not in counts:
            if all(map(_is_number, column)):
                return True
            # a few values that repeat, and this is none of them
            if len(column) >= 8 and len(counts) <= len(column) / 4 and min(counts.values()) > 1:
                return True
    return False


def name_columns(
    records: Sequence[tuple[int, list[Any]]], header: bool, form: str
) -> tuple[str, ...]:
    """The columns' names, made distinct; their numbers from 0 where there is no header."""
    if form == "lines":
        return ("label", "fine", "text")
    if not header:
        widths = Counter(len(row) for __, row in records[:SAMPLE_ROWS])
        return tuple(str(j) for j in range(widths.most_common(1)[0][0]))
    names: list[str] = []
    for j, cell in enumerate(records[0][1]):
        column = str(cell).strip() or _("column {j}", j=j)
        names.append(column if column not in names else f"{column}.{j}")
    return tuple(names)


def ragged_notes(records: Sequence[tuple[int, list[Any]]], columns: Sequence[str]) -> Iterator[str]:
    """A sentence where rows of the preview are too short or too long."""
    width = len(columns)
    bad = [n for n, row in records if len(row) < width or any(row[width:])]
    if bad and "fine" not in columns:
        yield _(
            "{name_rows} of the preview lack or exceed the {width} columns.",
            name_rows=name_rows(bad).capitalize(),
            width=width,
        )


def find_column(wanted: str | int, columns: Sequence[str], name: str) -> str:
    """The column of that name, or of that number from 0; DataError lists what there is."""
    asked = str(wanted).strip()
    if asked in columns:
        return asked
    loose = [column for column in columns if column.casefold() == asked.casefold()]
    if len(loose) == 1:
        return loose[0]
    if asked.isdecimal() and int(asked) < len(columns):
        return columns[int(asked)]
    raise DataError(
        _(
            "{name} has no column {wanted!r}; its columns are: {columns}",
            name=name,
            wanted=wanted,
            columns=", ".join(columns),
        )
    )


def pick_columns(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    text: str | None = None,
    label: str | None = None,
) -> tuple[str | None, str | None]:
    """(text, label) by name where a usual name is there, else by what the cells look like.

    Text: strings, the longest on average. Label: few values that repeat. What is given stays.
    """
    stats = {}
    for j, column in enumerate(columns):
        values = [row[j] for row in rows if j < len(row) and row[j] not in (None, "")]
        simple = [v for v in values if isinstance(v, str | int | float)]
        words = [v for v in simple if isinstance(v, str) and not _is_number(v)]
        stats[column] = (
            len(set(simple)) if len(simple) == len(values) else 10**9,
            sum(map(len, words)) / max(len(values), 1),
            len(words) / max(len(values), 1),
            len(values),
        )

    def by_name(names: Iterable[str], fits: Any) -> str | None:
        low = {column.strip().lower().replace(" ", "_"): column for column in reversed(columns)}
        return next((low[n] for n in names if n in low and fits(low[n])), None)

    def is_label(column: str) -> bool:
        distinct, __, __, count = stats[column]
        return 1 <= distinct <= max(2, min(100, count / 2))

    text = text or by_name(TEXT_NAMES, lambda c: c != label and stats[c][2] > 0.5)
    label = label or by_name(LABEL_NAMES, lambda c: c != text and is_label(c))
    if text is None:
        wordy = [c for c in columns if c != label and stats[c][2] > 0.5]
        named = by_name(TEXT_NAMES, lambda c: c != label)  # empty or numbers: said later, by row
        text = max(wordy, key=lambda c: stats[c][1], default=named)
    if label is None:
        rest = [c for c in columns if c != text]
        able = [c for c in rest if is_label(c) and stats[c][0] > 1]
        label = min(able, key=lambda c: stats[c][0], default=None)
        if label is None and len(rest) == 1:
            label = rest[0]  # wrong perhaps; then the check of the labels says how
    return text, label


def take(row: Sequence[Any], places: Iterable[int]) -> list[Any]:
    """The cells at those places; an empty one where the row is too short."""
    return [row[j] if j < len(row) else "" for j in places]


def shown(cell: object) -> str:
    """A cell as the preview shows it."""
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False, default=str)


def _is_number(cell: object) -> bool:
    try:
        float(str(cell).strip().replace(",", "."))
    except ValueError:
        return False
    return True
