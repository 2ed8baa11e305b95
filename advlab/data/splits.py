"""From rows to a data set: are they fit for training, and which text goes into which split?

What is refused (DataError, with the rows): no second class, labels that are no classes, texts that
are no text, more than a tenth of the rows empty or unlabelled, fewer than MIN_ROWS rows. What is
mended and noted: a few empty or unlabelled rows, repeated texts, texts with two labels, training
texts that the test repeats. A test file is kept whole, so that its numbers compare with others'.
"""

from __future__ import annotations

import dataclasses
import math
import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from advlab.data.decoding import name_rows
from advlab.data.files import Row, Table
from advlab.errors import DataError
from advlab.records import Dataset, Example
from advlab.runs.config import DataConfig

MIN_ROWS = 10
MAX_CLASSES = 100
MAX_TEXT = 10**6  # characters; longer is a misread file, not a text
MAX_DROPPED = 0.1  # share of rows that may be empty or unlabelled
TEST_SHARE, VALIDATION_SHARE = 0.18, 0.12  # of one file
HELD_OUT_SHARE, HELD_OUT_MOST = 0.11, 350  # of the training file where the test is a second file
MISSING = {"", "nan", "null", "na", "n/a", "<na>"}
SUFFIXES = {".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".gz", ".tab", ".parquet"}

T = TypeVar("T")


class Item(NamedTuple):
    """A row that passed: `label` is still the class's name."""

    number: int
    text: str
    label: str
    more: tuple[tuple[str, str], ...] = ()


def make_dataset(
    table: Table,
    config: DataConfig,
    *,
    test: Table | None = None,
    validation: Table | None = None,
    name: str = "",
    about: str = "",
) -> Dataset:
    """Checked, de-duplicated and split: the same table, config and seed give the same splits.

    Without `test`: 70 % training, 12 % validation, 18 % test, each class divided alike. With it,
    `test` is used whole and 11 % of `table`, at most 350 texts, validate (unless `validation` is
    given). `limit` draws from the training texts that remain; validation and test do not depend
    on it.
    """
    notes = list(table.notes)
    items = _clean(table, notes)
    canonical = _canonical([item.label for item in items])
    items = [item._replace(label=canonical(item.label)) for item in items]
    names = _label_names(items, table)
    items = _without_repeats(items, table, notes)
    known = {label: index for index, label in enumerate(names)}
    tested = _evaluation(test, known, canonical, notes) if test else []
    validated = _evaluation(validation, known, canonical, notes) if validation else []
    if test is not None:
        validated = _without(validated, tested, "validation", test, notes)
        items = _without(items, tested, "training", test, notes)
    if validation is not None:
        items = _without(items, validated, "training", validation, notes)
    _enough(items, table)
    rng = random.Random(f"split {config.seed}")
    if test is None:
        items, tested = _divide(items, TEST_SHARE, 2, rng)
    if validation is None:
        share = VALIDATION_SHARE / (1 - TEST_SHARE)
        if test is not None:  # a tested-on second file leaves more to train on
            share = min(HELD_OUT_SHARE, HELD_OUT_MOST / max(len(items), 1))
        items, validated = _divide(items, share, 2, rng)
    if not validated or not tested:
        raise DataError(
            f"{table.name} has too few rows of each class for a validation and a test split; "
            "give at least 3 rows of a class, or a second file to test on"
        )
    if config.limit is not None:
        items = _limited(items, [item.label for item in items], config.limit, config.seed)
    rare = sorted(label for label, count in Counter(i.label for i in items).items() if count < 3)
    if rare:
        notes.append(f"Fewer than 3 training texts in {', '.join(rare[:8])}.")
    return Dataset(
        name=name or _stem(table.name),
        head=names,
        train=_examples(items, _stem(table.name), known),
        validation=_examples(validated, _part(table, validation, "validation"), known),
        test=_examples(tested, _part(table, test, "test"), known),
        about=about,
        notes=tuple(notes),
    )


def replace_test(data: Dataset, test: Table) -> Dataset:
    """`data` with `test` as its test split; its labels must be the data set's label names."""
    notes = [*data.notes, *test.notes]
    known = {label: index for index, label in enumerate(data.head)}
    items = _evaluation(test, known, _canonical(data.head), notes)
    tested = {item.text for item in items}
    return dataclasses.replace(
        data,
        train=tuple(example for example in data.train if example.text not in tested),
        validation=tuple(example for example in data.validation if example.text not in tested),
        test=_examples(items, _stem(test.name), known),
        notes=tuple(notes),
    )


def limit_train(data: Dataset, limit: int | None, seed: int) -> Dataset:
    """At most `limit` training texts, drawn at random, each class by its share."""
    if limit is None:
        return data
    drawn = _limited(data.train, [str(example.answer) for example in data.train], limit, seed)
    return dataclasses.replace(data, train=tuple(drawn))


# ---- rows -> items ---------------------------------------------------------------------------


def _clean(table: Table, notes: list[str]) -> list[Item]:
    """The usable rows of a table; a few empty or unlabelled ones are left out with a note."""
    items: list[Item] = []
    empty: list[int] = []
    unlabelled: list[int] = []
    odd_texts: list[Row] = []
    odd_labels: list[Row] = []
    long: list[int] = []
    mended: list[int] = []
    for row in table.rows:
        text, label = row.text, _label(row.label)
        if text is None or (isinstance(text, float) and math.isnan(text)):
            text = ""
        if not isinstance(text, str):
            odd_texts.append(row)
            continue
        if len(text) > MAX_TEXT:
            long.append(row.number)
            continue
        text = text.strip()
        if not text.isascii() and _lone_surrogate(text):
            # half a character pair, which JSON can hold and no tokenizer can read
            text = re.sub("[\ud800-\udfff]", "\ufffd", text)
            mended.append(row.number)
        if label is False:
            odd_labels.append(row)
        elif _blank(text):
            empty.append(row.number)
        elif label is None:
            unlabelled.append(row.number)
        else:
            items.append(Item(row.number, text, str(label), row.more))
    _refuse_odd(table, odd_texts, long, odd_labels)
    _leave_out(table, empty, unlabelled, notes)
    if not items:
        raise DataError(f"{table.name}: no row has both a text and a label{_choices(table)}")
    if mended:
        notes.append(f"Half characters in {name_rows(mended)} of {table.name} are shown as \ufffd.")
    return items


def _refuse_odd(
    table: Table, odd_texts: Sequence[Row], long: Sequence[int], odd_labels: Sequence[Row]
) -> None:
    """DataError where a row shows that a wrong column or quoting was chosen."""
    where = f"{table.name}, column {table.text_column!r}"
    if odd_texts:
        example = repr(odd_texts[0].text)[:60]
        raise DataError(
            f"{where}: no text but {example} in {_name(odd_texts)}; "
            f"choose the column with the text{_choices(table)}"
        )
    if long:
        raise DataError(
            f"{where}: more than {MAX_TEXT:,} characters in {name_rows(long)}; "
            "a wrong quoting or delimiter merges rows: correct it, or cut the text"
        )
    if odd_labels:
        example = repr(odd_labels[0].label)[:60]
        raise DataError(
            f"{table.name}, column {table.label_column!r}: {example} in {_name(odd_labels)}; "
            f"expected one label for each text{_choices(table)}"
        )


def _leave_out(
    table: Table, empty: Sequence[int], unlabelled: Sequence[int], notes: list[str]
) -> None:
    """A note on the rows without a text or a label; DataError where they are too many."""
    total = len(table.rows)
    for bad, what, column in (
        (empty, "an empty text", table.text_column),
        (unlabelled, "no label", table.label_column),
    ):
        if len(bad) == total:
            raise DataError(
                f"{table.name}: every row has {what} in column {column!r}; "
                f"choose another column{_choices(table)}"
            )
        if len(bad) > max(MAX_DROPPED * total, 1):
            raise DataError(
                f"{table.name}: {len(bad):,} of {total:,} rows have {what} in column {column!r} "
                f"({name_rows(bad)}); at most a tenth may: fill or delete them{_choices(table)}"
            )
        if bad:
            has = "has" if len(bad) == 1 else "have"
            rows = name_rows(bad).capitalize()
            notes.append(f"{rows} of {table.name} {has} {what}: left out.")


def _label(value: Any) -> str | bool | None:
    """The class's name; None where it is missing, False where the value can be no class."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        word = value.strip()
        return None if word.lower() in MISSING else word
    return False


def _canonical(labels: Sequence[str]) -> Callable[[str], str]:
    """Where all labels are whole numbers, `1`, `1.0` and `01` are the same class."""
    whole = re.compile(r"([+-]?\d{1,18})(\.0*)?")
    if not all(whole.fullmatch(label) for label in set(labels)):
        return lambda label: label
    return lambda label: str(int(m[1])) if (m := whole.fullmatch(label)) else label


def _label_names(items: Sequence[Item], table: Table) -> tuple[str, ...]:
    """The classes in their order: as declared, else numbers by size, else by the alphabet."""
    counts = Counter(item.label for item in items)
    column = f"column {table.label_column!r} of {table.name}"
    if len(counts) == 1:
        only = next(iter(counts))
        raise DataError(
            f"{column} holds one class only ({only!r}, {len(items):,} rows); "
            f"training needs two or more{_choices(table)}"
        )
    if len(items) >= MIN_ROWS and (len(counts) > MAX_CLASSES or len(counts) > len(items) / 2):
        examples = ", ".join(repr(label[:30]) for label in list(counts)[:3])
        raise DataError(
            f"{column} holds {len(counts):,} different labels in {len(items):,} rows "
            f"({examples}, …): this looks like free text or numbers, not classes; at most "
            f"{MAX_CLASSES} classes are trained: choose another column{_choices(table)}"
        )
    if table.label_names is not None and counts.keys() <= set(table.label_names):
        return table.label_names
    try:
        return tuple(sorted(counts, key=lambda label: (float(label), label)))
    except ValueError:
        return tuple(sorted(counts))


def _without_repeats(items: Sequence[Item], table: Table, notes: list[str]) -> list[Item]:
    """Each text once; a text with two labels not at all."""
    labels: dict[str, set[str]] = defaultdict(set)
    for item in items:
        labels[item.text].add(item.label)
    kept: dict[str, Item] = {}
    repeats: list[int] = []
    conflicts: list[int] = []
    for item in items:
        if len(labels[item.text]) > 1:
            conflicts.append(item.number)
        elif item.text in kept:
            repeats.append(item.number)
        else:
            kept[item.text] = item
    if repeats:
        notes.append(
            f"{len(repeats):,} repeated texts of {table.name} left out "
            f"(the first of each is kept): {name_rows(repeats)}."
        )
    if conflicts:
        notes.append(
            f"{len(conflicts):,} rows of {table.name} left out, the same text with different "
            f"labels: {name_rows(conflicts)}."
        )
    return list(kept.values())


def _evaluation(
    table: Table, known: dict[str, int], canonical: Callable[[str], str], notes: list[str]
) -> list[Item]:
    """The rows of a test or validation table, whole; DataError where a label is new."""
    own: list[str] = list(table.notes)
    items = [item._replace(label=canonical(item.label)) for item in _clean(table, own)]
    notes.extend(note for note in own if note not in notes)
    strange = [item for item in items if item.label not in known]
    if strange:
        labels = ", ".join(repr(label) for label in sorted({item.label for item in strange})[:5])
        raise DataError(
            f"{table.name}: {name_rows([item.number for item in strange])} "
            f"{'has' if len(strange) == 1 else 'have'} the label {labels}, which no training text "
            f"has; the training labels are {', '.join(known)}{_choices(table)}"
        )
    if len({item.label for item in items}) == 1:
        notes.append(f"{table.name} holds one class only: its accuracy says little.")
    twice = len(items) - len({item.text for item in items})
    if twice:
        notes.append(f"{twice:,} texts of {table.name} repeat others of it; all are kept.")
    return items


def _without(
    items: Sequence[Item], held: Sequence[Item], part: str, table: Table, notes: list[str]
) -> list[Item]:
    """`items` less the texts of `held`: no text stands in two splits."""
    texts = {item.text for item in held}
    shared = [item.number for item in items if item.text in texts]
    if shared:
        notes.append(
            f"{len(shared):,} {part} texts also occur in {table.name} and were removed from "
            f"{part}: {name_rows(shared)}."
        )
    return [item for item in items if item.text not in texts]


def _enough(items: Sequence[Item], table: Table) -> None:
    if len(items) < MIN_ROWS:
        raise DataError(
            f"{table.name} has {len(items)} different labelled texts to train on; "
            f"give at least {MIN_ROWS}"
        )
    if len({item.label for item in items}) < 2:
        raise DataError(
            f"{table.name}: without the texts that repeat or that the test holds, one class only "
            f"is left ({items[0].label!r}); give more rows of the others"
        )


# ---- items -> splits -------------------------------------------------------------------------


def _divide(
    items: Sequence[Item], share: float, least: int, rng: random.Random
) -> tuple[list[Item], list[Item]]:
    """(kept, held out), both in file order; of each class of at least `least` rows at least one."""
    classes: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        classes[item.label].append(place)
    held: set[int] = set()
    for label in sorted(classes):
        places = classes[label]
        if len(places) >= least:
            count = min(max(1, int(share * len(places) + 0.5)), len(places) - 1)
            held.update(rng.sample(places, count))
    kept = [item for place, item in enumerate(items) if place not in held]
    return kept, [items[place] for place in sorted(held)]


def _limited(items: Sequence[T], labels: Sequence[str], limit: int, seed: int) -> list[T]:
    """`limit` of the items in their order, classes by largest remainder, at least one of each."""
    if limit >= len(items):
        return list(items)
    classes: dict[str, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        classes[label].append(place)
    if limit < len(classes):
        raise DataError(f"a limit of {limit} is below the {len(classes)} classes; raise it")
    rng = random.Random(f"limit {seed}")
    ideal = {label: limit * len(places) / len(items) for label, places in classes.items()}
    count = {label: max(1, int(part)) for label, part in ideal.items()}
    by_gap = sorted(classes, key=lambda label: (count[label] - ideal[label], label))
    while sum(count.values()) != limit:
        step = 1 if sum(count.values()) < limit else -1
        able = [c for c in by_gap if 1 <= count[c] + step <= len(classes[c])]
        best = min(able, key=lambda c: step * (count[c] - ideal[c]))
        count[best] += step
    drawn = [p for label in sorted(classes) for p in rng.sample(classes[label], count[label])]
    return [items[place] for place in sorted(drawn)]


def _examples(items: Sequence[Item], stem: str, known: dict[str, int]) -> tuple[Example, ...]:
    return tuple(Example(f"{stem}:{i.number}", i.text, (i.label,), more=i.more) for i in items)


# ---- words -----------------------------------------------------------------------------------


def _stem(name: str) -> str:
    path = Path(name)
    while path.suffix.lower() in SUFFIXES:
        path = path.with_suffix("")
    return path.name or name


def _part(table: Table, given: Table | None, part: str) -> str:
    """What the ids of a split begin with: its own file's name, told apart from the first file's."""
    stem = _stem(table.name)
    if given is None:
        return stem
    return _stem(given.name) + ("-" + part) * (_stem(given.name) == stem)


def _name(rows: Sequence[Row]) -> str:
    return name_rows([row.number for row in rows])


def _choices(table: Table) -> str:
    return f" (other columns: {', '.join(table.others)})" if table.others else ""


def _lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _blank(text: str) -> bool:
    """Nothing to read: only spaces, control and zero-width characters."""
    return len(text) < 50 and all(c.isspace() or unicodedata.category(c)[0] == "C" for c in text)
