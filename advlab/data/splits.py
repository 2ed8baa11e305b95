"""From items to a data set: which text goes into which split?

What is refused (DataError): fewer than MIN_ROWS different texts to train on, or a class without one.
What is mended and noted: training texts that the test repeats. A test file is kept whole, so that its
numbers compare with others'.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

from advlab.data.cleaning import (
    Item,
    choices,
    class_names,
    clean,
    folded,
    note_spellings,
    ordered_classes,
    spelling,
    without,
    without_repeats,
)
from advlab.data.decoding import name_rows
from advlab.data.rows import Table
from advlab.errors import DataError
from advlab.language import _, n_
from advlab.records import Dataset, Example
from advlab.records.estimates import wilson
from advlab.runs.config import DataConfig

MIN_ROWS = 10
TEST_SHARE, VALIDATION_SHARE = 0.18, 0.12  # of one file
HELD_OUT_SHARE, HELD_OUT_MOST = 0.11, 350  # of the training file where the test is a second file
FEW_TEXTS, FEW_TESTED = 100, 100  # to train on, to test on: fewer say little
SUFFIXES = {
    *(".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".gz", ".tab", ".parquet", ".xlsx")
}

T = TypeVar("T")


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
    items = clean(table, notes)
    canonical = spelling([item.label for item in items], table.label_names or ())
    note_spellings(items, canonical, table, notes)
    items = [item._replace(label=canonical(item.label)) for item in items]
    names = class_names(items, table)
    items = without_repeats(items, table, notes)
    total = len(items)
    tested = _evaluation(test, names, canonical, notes) if test else []
    validated = _evaluation(validation, names, canonical, notes) if validation else []
    if test is not None:
        validated = without(validated, tested, "validation", test, notes)
        items = without(items, tested, "training", test, notes)
    if validation is not None:
        items = without(items, validated, "training", validation, notes)
    _enough(items, total, table, test or validation)
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
            _(
                "{name} has too few rows of each class for a validation and a test split; "
                "give at least 3 rows of a class, or a second file to test on",
                name=table.name,
            )
        )
    if config.limit is not None:
        items = _limited(items, [item.label for item in items], config.limit, config.seed)
    rare = sorted(label for label, count in Counter(i.label for i in items).items() if count < 3)
    if rare:
        notes.append(_("Fewer than 3 training texts in {rare}.", rare=", ".join(rare[:8])))
    data = Dataset(
        name=name or _stem(table.name),
        head=names,
        train=_examples(items, _stem(table.name)),
        validation=_examples(validated, _part(table, validation, "validation")),
        test=_examples(tested, _part(table, test, "test")),
        about=about,
        tested=held_out(tested, total, table.name) if test is None else whole(tested, test),
    )
    return _judged(data, notes)


def replace_test(data: Dataset, test: Table) -> Dataset:
    """`data` with `test` as its test split; its labels must be the data set's label names."""
    notes = [*data.notes, *test.notes]
    items = _evaluation(test, data.head, spelling(data.head, data.head), notes)
    tested = {folded(item.text) for item in items}
    kept: dict[str, tuple[Example, ...]] = {}
    for part, examples in (("training", data.train), ("validation", data.validation)):
        kept[part] = tuple(e for e in examples if folded(e.text) not in tested)
        if gone := len(examples) - len(kept[part]):
            notes.append(
                _(
                    "{gone:,} {part} texts also occur in {name}, case and spaces aside, and "
                    "were removed from {part}.",
                    gone=gone,
                    part=part,
                    name=test.name,
                )
            )
        if not kept[part]:
            raise DataError(
                _(
                    "every {part} text of {name} stands in {other} too: nothing is left; test "
                    "on other texts",
                    part=part,
                    name=data.name,
                    other=test.name,
                )
            )
    return dataclasses.replace(
        data,
        train=kept["training"],
        validation=kept["validation"],
        test=_examples(items, _stem(test.name)),
        notes=tuple(notes),
        tested=whole(items, test),
    )


def only_tested(table: Table, heads: Sequence[Collection[str]]) -> Dataset:
    """A table used whole as the test split, with nothing to train on; a few rows or one class do.

    Its classes are the first of the `heads` that has all of them (models' class names, in order),
    else those that stand in it.
    """
    notes: list[str] = []
    for head in heads:
        items = clean(table, notes := [], head)
        canonical = spelling([item.label for item in items], tuple(head))
        if {canonical(item.label) for item in items} <= set(head):
            names = tuple(head)
            break
    else:
        items = clean(table, notes := [])
        canonical = spelling([item.label for item in items], table.label_names or ())
        names = ()
    note_spellings(items, canonical, table, notes)
    items = [item._replace(label=canonical(item.label)) for item in items]
    names = names or ordered_classes(items, table)
    _note_repeats(items, table, notes)
    stem = _stem(table.name)
    examples = _examples(items, stem)
    notes = [*table.notes, *notes]
    return Dataset(stem, names, (), (), examples, notes=tuple(notes), tested=whole(items, table))


def limit_train(data: Dataset, limit: int | None, seed: int) -> Dataset:
    """At most `limit` training texts, drawn at random, each class by its share."""
    if limit is not None:
        drawn = _limited(data.train, [str(example.answer) for example in data.train], limit, seed)
        data = dataclasses.replace(data, train=tuple(drawn))
    return _judged(data, data.notes)


# ---- what the parts are, in words ------------------------------------------------------------


def whole(items: Sequence[object], table: Table) -> str:
    """That a table is tested on as it is."""
    rows = len(table.rows)
    if len(items) == rows:
        return _("all {rows:,} texts of {name}", rows=rows, name=table.name)
    return _(
        "{n_items:,} of the {rows:,} rows of {name} (the others are unusable)",
        n_items=len(items),
        rows=rows,
        name=table.name,
    )


def held_out(items: Sequence[object], total: int, name: str) -> str:
    """Which part of a file is kept from training."""
    share = 100 * len(items) / max(total, 1)
    return _(
        "the held-out {share:.0f} % of {name}, {n_items:,} of {total:,} texts",
        share=share,
        name=name,
        n_items=len(items),
        total=total,
    )


def worth(data: Dataset) -> str | None:
    """What a model of so little data is worth, in one sentence; None where there is enough."""
    train, validation, test = len(data.train), len(data.validation), len(data.test)
    if train >= FEW_TEXTS and test >= FEW_TESTED:
        return None
    even = wilson(test // 2, test)
    half = 100 * (even.high - even.low) / 2
    return _(
        "This is little data: {train:,} texts to train on, {validation:,} to "
        "choose the epoch by, {test:,} to test. One test text is {points:.1f} "
        "points of accuracy, and its 95 % interval up to ± {half:.0f} points wide: "
        "such a model shows how training works, and no difference below "
        "{value2:.0f} points can be told.",
        train=train,
        validation=validation,
        test=test,
        points=100 / max(test, 1),
        half=half,
        value2=2 * half,
    )


def _judged(data: Dataset, notes: Sequence[str]) -> Dataset:
    """The data with its notes, and first of them what little data is worth."""
    little = worth(data)
    return dataclasses.replace(data, notes=(*([little] if little else []), *notes))


# ---- items -> splits -------------------------------------------------------------------------


def _evaluation(
    table: Table, names: Collection[str], canonical: Callable[[str], str], notes: list[str]
) -> list[Item]:
    """The rows of a test or validation table, whole; DataError where a label is new."""
    own: list[str] = list(table.notes)
    items = clean(table, own, names)
    note_spellings(items, canonical, table, own)
    items = [item._replace(label=canonical(item.label)) for item in items]
    notes.extend(note for note in own if note not in notes)
    strange = [item for item in items if item.label not in names]
    if strange:
        labels = ", ".join(repr(label) for label in sorted({item.label for item in strange})[:5])
        raise DataError(
            n_(
                "{name}: {name_rows} has the label {labels}, which no training text "
                "has; the training labels are {names}{choices}",
                "{name}: {name_rows} have the label {labels}, which no training text "
                "has; the training labels are {names}{choices}",
                len(strange),
                name=table.name,
                name_rows=name_rows([item.number for item in strange]),
                labels=labels,
                names=", ".join(names),
                choices=choices(table),
            )
        )
    _note_repeats(items, table, notes)
    return items


def _note_repeats(items: Sequence[Item], table: Table, notes: list[str]) -> None:
    """Notes on what makes a test say less: one class, repeated texts."""
    if len({item.label for item in items}) == 1:
        notes.append(_("{name} holds one class only: its accuracy says little.", name=table.name))
    twice = len(items) - len({item.text for item in items})
    if twice:
        notes.append(
            _(
                "{twice:,} texts of {name} repeat others of it; all are kept.",
                twice=twice,
                name=table.name,
            )
        )


def _enough(items: Sequence[Item], total: int, table: Table, test: Table | None) -> None:
    """DataError where too little is left to train on. `total`: different texts before `test`'s left."""
    removed = total - len(items)
    if not items and test is not None:
        raise DataError(
            _(
                "every text of {name} stands in {other} too, so nothing is left to train "
                "on; give a test file with other texts, or none: a part is then held out",
                name=table.name,
                other=test.name,
            )
        )
    if len(items) < MIN_ROWS:
        left = (
            _(" after {removed:,} that stand in {name} too", removed=removed, name=test.name)
            if removed and test
            else ""
        )
        raise DataError(
            _(
                "{name} has {n_items} different labelled texts to train on{left}; give at "
                "least {min_rows}",
                name=table.name,
                n_items=len(items),
                left=left,
                min_rows=MIN_ROWS,
            )
        )
    if len({item.label for item in items}) < 2:
        raise DataError(
            _(
                "{name}: without the texts that repeat or that the test holds, one class "
                "only is left ({label!r}); give more rows of the others",
                name=table.name,
                label=items[0].label,
            )
        )


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
        raise DataError(
            _(
                "a limit of {limit} is below the {n_classes} classes; raise it",
                limit=limit,
                n_classes=len(classes),
            )
        )
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


def _examples(items: Sequence[Item], stem: str) -> tuple[Example, ...]:
    return tuple(Example(f"{stem}:{i.number}", i.text, (i.label,), more=i.more) for i in items)


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
