"""A person's questions: SQuAD's JSON (1.1 and 2.0), or a table or JSON Lines with a column a part.

Each example is a text, a question, and answers that stand in the text, with the place of the first. An
answer may be missing: a cell without one, `is_impossible`, or SubjQA's word for it. Every answer is
looked up at the place that the file gives; where it stands elsewhere, once, it is found there, and
where the text does not have it the question is left out. All of that is told.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from advlab.data.cleaning import MAX_DROPPED, MAX_TEXT
from advlab.data.decoding import check_encoding, decode, guess_encoding, name_rows
from advlab.data.layout import Layout, json_objects, named, table
from advlab.data.raw import read_all
from advlab.data.rows import limited, other_columns
from advlab.data.scanning import unify
from advlab.data.sniffing import find_column, guess_form, read_separator
from advlab.errors import DataError
from advlab.language import _
from advlab.records.examples import NO_ANSWER, Example
from advlab.runs.config import DataConfig

# by which names files have the parts
TEXT = ("context", "passage", "paragraph", "review", "text", "document")
QUESTION = ("question", "query")
ANSWER = ("answer", "answers", "answer_text", "answer_texts", "human_ans_spans", "span")
PLACE = ("answer_start", "answer_starts", "answer_place", "human_ans_indices", "start", "offset")
MISSING = "ANSWERNOTFOUND"  # as SubjQA writes it, at the end of each text too
_RANGE = re.compile(r"\s*[(\[]?\s*(\d{1,9})\s*[,;:]\s*(\d{1,9})\s*[)\]]?\s*")
_KEPT = 4  # numbers of rows in a note


@dataclass(frozen=True)
class Asked:
    """A row as the file has it: answers with the places where they begin and end, if given."""

    number: int  # of the row or the question, from 1
    text: str
    question: str
    answers: tuple[tuple[str, int | None, int | None], ...]  # empty: there is none
    id: str = ""
    more: tuple[tuple[str, str], ...] = ()


@dataclass
class Heard:
    """What was noticed while reading: what happened, and to which rows."""

    rows: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def notes(self, name: str, unit: str) -> Iterator[str]:
        """A sentence for each."""
        for what, numbers in self.rows.items():
            yield _(
                "{name_rows} of {name}: {what}.",
                name_rows=name_rows(numbers, _KEPT, unit).capitalize(),
                name=name,
                what=what,
            )


def read(path: Path, config: DataConfig, notes: list[str] | None = None) -> list[Example]:
    """The questions of a file; `notes` hears what was left out or mended.

    DataError says what does not fit: no such file, no such columns, nothing usable, or more than a
    tenth of the questions unusable.
    """
    name, heard = path.name, Heard()
    text, said = _text(path, config)
    squad = _squad(text)
    rows = list(
        limited(_paragraphs(squad, name) if squad else _rows(text, name, config, said), name, 4)
    )
    unit = "question" if squad else "row"
    usable = [made for __, row in rows if (made := _checked(row, heard))]
    lost = len(rows) - len(usable)
    reasons = "; ".join(heard.notes(name, unit))
    if not usable or lost > max(MAX_DROPPED * len(rows), 1):
        raise DataError(
            _(
                "{name}: {lost:,} of {n_rows:,} questions cannot be used, at most a tenth "
                "may. {reason} Expected a text, a question, and an answer that stands in "
                "the text (or none)",
                name=name,
                lost=lost,
                n_rows=len(rows),
                reason=reasons or _("It holds none"),
            )
        )
    examples = _joined(usable, Path(name).stem, heard)
    if notes is not None:
        notes += [*said, *heard.notes(name, unit)]
    return examples


# ---- from a file to rows ------------------------------------------------------------------------


def _text(path: Path, config: DataConfig) -> tuple[str, list[str]]:
    """The file as text, and in which encoding."""
    path, notes = Path(path).expanduser(), []
    data = read_all(path, path.name)
    if config.encoding:
        encoding = check_encoding(config.encoding)
    else:
        encoding, why = guess_encoding(data, path.name)
        notes.append(_("Encoding {encoding}: {why}.", encoding=encoding, why=why))
    text = unify(decode(data, encoding, path.name, given=bool(config.encoding)))
    if not text.strip():
        raise DataError(
            _("{name} is empty; expected questions with their texts and answers", name=path.name)
        )
    return text, notes


def _squad(text: str) -> list[Any] | None:
    """The list under `data` of a file in SQuAD's form; None for any other file."""
    if not text.lstrip().startswith("{") or '"paragraphs"' not in text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith('{"question') or "\n{" in text.strip():
            return None  # JSON Lines
        raise DataError(
            _("expected JSON as SQuAD has it, got {error}; mend the file", error=error)
        ) from error
    data = found.get("data") if isinstance(found, dict) else None
    return data if isinstance(data, list) else None


def _paragraphs(data: Sequence[Any], name: str) -> Iterator[tuple[int, Asked]]:
    """The questions of SQuAD's articles, counted from 1."""
    count = 0
    for article in data:
        for paragraph in _list(article, "paragraphs", name):
            context = paragraph.get("context") if isinstance(paragraph, Mapping) else None
            for asked in _list(paragraph, "qas", name):
                count += 1
                answers = [] if asked.get("is_impossible") else _list(asked, "answers", name)
                found = [(a.get("text"), a.get("answer_start")) for a in answers]
                yield (
                    count,
                    Asked(
                        count,
                        _string(context),
                        _string(asked.get("question")),
                        tuple((_string(text), _whole(start), None) for text, start in found),
                        _string(asked.get("id")),
                        other_columns([("title", article.get("title"))]),
                    ),
                )


def _list(owner: Any, key: str, name: str) -> list[Any]:
    """The list of objects that an object of SQuAD's has under a key; DataError for anything else."""
    found = owner.get(key, [] if key == "answers" else None) if isinstance(owner, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise DataError(
            _(
                "{name}: expected a list of objects under “{key}”, as SQuAD has it (data → "
                "paragraphs → qas → answers), got {found!r}; mend the file",
                name=name,
                key=key,
                found=str(found)[:60],
            )
        )
    return found


def _rows(
    text: str, name: str, config: DataConfig, notes: list[str]
) -> Iterator[tuple[int, Asked]]:
    """The rows of a table or of JSON Lines."""
    layout = _layout(text, name, config)
    columns = layout.columns
    parts = {
        "text": _column("text", config.text_column, TEXT, columns, name),
        "question": _column("question", None, QUESTION, columns, name),
        "answer": _column("answer", config.label_column, ANSWER, columns, name),
    }
    place = next((c for w in PLACE for c in columns if c.casefold() == w), None)
    told = ", ".join(
        _("{part} in column {column}", part=part, column=column) for part, column in parts.items()
    )
    notes.append(
        f"{told}, {f'places in {place}' if place else 'no column with places'}.".capitalize()
    )
    used = {*parts.values(), place}
    for number, cells in layout.records:
        if len(cells) < len(columns) or any(cells[len(columns) :]):
            raise DataError(
                _(
                    "{name}: row {number:,} has {n_cells} cells, expected {n_columns}; mend "
                    "the row, or correct the delimiter or the quoting",
                    name=name,
                    number=number,
                    n_cells=len(cells),
                    n_columns=len(columns),
                )
            )
        row = dict(zip(columns, cells, strict=False))
        answers = _answers(row[parts["answer"]], row[place] if place else None)
        if row.get("is_impossible") in (True, "true", "True", "1"):
            answers = ()
        more = other_columns((k, v) for k, v in row.items() if k not in used)
        text_, question = _string(row[parts["text"]]), _string(row[parts["question"]])
        yield number, Asked(number, text_, question, answers, more=more)


def _layout(text: str, name: str, config: DataConfig) -> Layout:
    separator = read_separator(config.delimiter) if config.delimiter else None
    form = guess_form(text, name, separator)
    if form in ("json", "jsonl"):
        return json_objects(text, name, form, cut=False)
    found = table(text, name, separator, config.quoting, cut=False)
    if config.header is False:
        raise DataError(
            _("{name}: expected a first row that names the columns; add one", name=name)
        )
    return named(found, name, True, (None, None))


def _column(
    part: str, given: str | None, names: Sequence[str], columns: Sequence[str], name: str
) -> str:
    """The column of a part, as given or by its usual names."""
    if given:
        return find_column(given, columns, name)
    for wanted in names:
        for column in columns:
            if column.strip().casefold() == wanted:
                return column
    raise DataError(
        _(
            "no {part} column was recognised in {name}, which has {columns}; expected "
            "one called {names}",
            part=part,
            name=name,
            columns=", ".join(columns),
            names=", ".join(names[:3]),
        )
    )


def _answers(value: Any, place: Any) -> tuple[tuple[str, int | None, int | None], ...]:
    """A cell's answers with their places: one text, a list, or the object that SQuAD's tables have."""
    value, place = _parsed(value), _parsed(place)
    if isinstance(value, Mapping):  # {"text": […], "answer_start": […]}
        value, place = value.get("text"), value.get("answer_start", place)
    if isinstance(value, list) and all(isinstance(v, Mapping) for v in value):
        value, place = [v.get("text") for v in value], [v.get("answer_start") for v in value]
    texts = value if isinstance(value, list) else [value]
    ranged = _RANGE.fullmatch(place) if isinstance(place, str) else None
    if ranged:
        starts, end = [int(ranged[1])], int(ranged[2])
    else:
        starts, end = place if isinstance(place, list) else [place], None
    starts = [*starts, *[None] * len(texts)]
    found = [(_string(t), _whole(s), end) for t, s in zip(texts, starts, strict=False)]
    return tuple(a for a in found if a[0].strip() and a[0].strip() != MISSING)


def _parsed(value: Any) -> Any:
    """A cell that is written as JSON or as Python has it, as what it says; any other as it is."""
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return value
    for reader in (json.loads, ast.literal_eval):
        try:
            found = reader(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return found if isinstance(found, list | dict) else value
    return value


def _string(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _whole(value: Any) -> int | None:
    """A place as a number of characters; None where there is none."""
    try:
        return int(str(value).strip())
    except ValueError:
        return None


# ---- from rows to examples ----------------------------------------------------------------------


def _checked(row: Asked, heard: Heard) -> Example | None:
    """The row as an example, None where it cannot be used."""
    text = row.text.rstrip().removesuffix(MISSING).rstrip() if MISSING in row.text else row.text
    problem = _problem(text, row)
    if problem:
        heard.rows[f"{problem}: left out"].append(row.number)
        return None
    name = row.id or str(row.number)
    if not row.answers:
        return Example(name, text, (NO_ANSWER,), row.question.strip(), more=row.more)
    found = [_standing(text, answer) for answer in row.answers]
    sure = [pair for pair in found if pair]
    if not sure:
        heard.rows["the answer does not stand in the text: left out"].append(row.number)
        return None
    if len(sure) < len(found):
        heard.rows["some of its answers do not stand in the text"].append(row.number)
    __, place, moved = sure[0]
    if place is None:
        heard.rows["the answer stands at several places, and any of them is taken"].append(
            row.number
        )
    elif moved:
        heard.rows["the answer stands elsewhere than said, once, and is read there"].append(
            row.number
        )
    answers = tuple(dict.fromkeys(a for a, __, __ in sure))
    return Example(name, text, answers, row.question.strip(), place, row.more)


def _problem(text: str, row: Asked) -> str:
    if not text.strip():
        return _("no text")
    if len(text) > MAX_TEXT:
        return _("more than {max_text:,} characters", max_text=MAX_TEXT)
    if not row.question.strip():
        return _("no question")
    if re.search("[\ud800-\udfff]", text + row.question):
        return _("half a character, which no model can read")
    return ""


def _standing(
    text: str, answer: tuple[str, int | None, int | None]
) -> tuple[str, int | None, bool] | None:
    """An answer as it stands in the text, its place (None: several), whether that is not as said."""
    words, start, end = answer
    if start is not None and text[start : start + len(words)] == words:
        return words, start, False
    if start is not None and end is not None and start < end <= len(text):
        there = text[
            start:end
        ].strip()  # tokenised answers differ from the text in signs and blanks
        if there and re.sub(r"[\W_]", "", there) == re.sub(r"[\W_]", "", words):
            return there, text.index(there, start), False
    words = words.strip()
    count = text.count(words)
    if not count:
        return None
    return words, text.index(words) if count == 1 else None, start is not None


def _joined(examples: Sequence[Example], stem: str, heard: Heard) -> list[Example]:
    """One example for each text with a question; the answers of several rows are all known."""
    found: dict[tuple[str, str], Example] = {}
    for number, example in enumerate(examples, 1):
        key = (example.text, example.beside)
        first = found.get(key)
        if first is None:
            found[key] = replace(example, id=f"{stem}:{example.id}")
            continue
        heard.rows["the same question to the same text as before: its answers are joined"].append(
            int(example.id) if example.id.isdigit() else number
        )
        both = tuple(dict.fromkeys((*first.answers, *example.answers)))
        said = tuple(answer for answer in both if answer != NO_ANSWER) or both
        place = first.place if said[0] == first.answer else example.place
        found[key] = replace(first, answers=said, place=place)
    return list(found.values())
