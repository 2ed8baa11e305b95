"""From rows to items: which rows are fit for training or testing, and what are the classes?

What is refused (DataError, with the rows): no second class, labels that are no classes, texts that
are no text, more than a tenth of the rows empty or unlabelled. What is mended and noted: a few empty
or unlabelled rows, repeated texts, texts with two labels, two spellings of a class.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from advlab.data.decoding import name_rows
from advlab.data.rows import Row, Table
from advlab.errors import DataError
from advlab.language import _

FEW_ROWS = 10  # fewer are too few to tell classes from free text
MAX_CLASSES = 100
MAX_TEXT = 10**6  # characters; longer is a misread file, not a text
MAX_DROPPED = 0.1  # share of rows that may be empty or unlabelled
MISSING = {"nan", "null", "na", "n/a", "<na>", "#n/a"}  # how tools write "no value"
# such a word is a class of its own where at least this share, and this number, of the rows have it
CLASS_SHARE, CLASS_ROWS = 0.05, 5


class Item(NamedTuple):
    """A row that passed: `label` is still the class's name."""

    number: int
    text: str
    label: str
    more: tuple[tuple[str, str], ...] = ()


def folded(text: str) -> str:
    """The text without case and with single spaces: texts that agree in it are the same one."""
    return " ".join(text.casefold().split())


def clean(table: Table, notes: list[str], known: Collection[str] | None = None) -> list[Item]:
    """The usable rows of a table; a few empty or unlabelled ones are left out with a note.

    `known`: the classes, where the table does not make them: NA is a class if it is one of them.
    """
    items: list[Item] = []
    empty: list[int] = []
    unlabelled: list[int] = []
    odd_texts: list[Row] = []
    odd_labels: list[Row] = []
    long: list[int] = []
    mended: list[int] = []
    missing = _missing(table, known, notes)
    for row in table.rows:
        text, label = row.text, label_of(row.label)
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
        elif label is None or label in missing:
            unlabelled.append(row.number)
        else:
            items.append(Item(row.number, text, str(label), row.more))
    _refuse_odd(table, odd_texts, long, odd_labels)
    _leave_out(table, empty, unlabelled, missing, notes)
    if not items:
        raise DataError(
            _(
                "{name}: no row has both a text and a label{choices}",
                name=table.name,
                choices=choices(table),
            )
        )
    if mended:
        notes.append(
            _(
                "Half characters in {name_rows} of {name} are shown as �.",
                name_rows=name_rows(mended),
                name=table.name,
            )
        )
    return items


def _missing(table: Table, known: Collection[str] | None, notes: list[str]) -> set[str]:
    """Those labels of the table that say "no value", such as NA, and are too rare to be a class."""
    counts = Counter(label_of(row.label) for row in table.rows)
    words = {label for label in counts if isinstance(label, str) and label.lower() in MISSING}
    declared = {folded(name) for name in (known if known is not None else table.label_names or ())}
    missing = set()
    for word in sorted(words):
        count = sum(n for label, n in counts.items() if str(label).lower() == word.lower())
        frequent = count >= max(CLASS_ROWS, CLASS_SHARE * len(table.rows))
        if folded(word) in declared:
            continue
        if known is None and table.label_names is None and frequent:
            notes.append(
                _(
                    "“{word}” in column {label_column!r} of {name} is read as a class "
                    "({count:,} rows); where it means that no label is known, delete these "
                    "rows.",
                    word=word,
                    label_column=table.label_column,
                    name=table.name,
                    count=count,
                )
            )
        else:
            missing.add(word)
    return missing


def _refuse_odd(
    table: Table, odd_texts: Sequence[Row], long: Sequence[int], odd_labels: Sequence[Row]
) -> None:
    """DataError where a row shows that a wrong column or quoting was chosen."""
    where = _("{name}, column {text_column!r}", name=table.name, text_column=table.text_column)
    if odd_texts:
        example = repr(odd_texts[0].text)[:60]
        raise DataError(
            _(
                "{where}: no text but {example} in {name}; choose the column with the "
                "text{choices}",
                where=where,
                example=example,
                name=_name(odd_texts),
                choices=choices(table),
            )
        )
    if long:
        raise DataError(
            _(
                "{where}: more than {max_text:,} characters in {name_rows}; a wrong "
                "quoting or delimiter merges rows: correct it, or cut the text",
                where=where,
                max_text=MAX_TEXT,
                name_rows=name_rows(long),
            )
        )
    if odd_labels:
        example = repr(odd_labels[0].label)[:60]
        raise DataError(
            _(
                "{name}, column {label_column!r}: {example} in {part}; expected one label "
                "for each text{choices}",
                name=table.name,
                label_column=table.label_column,
                example=example,
                part=_name(odd_labels),
                choices=choices(table),
            )
        )


def _leave_out(
    table: Table,
    empty: Sequence[int],
    unlabelled: Sequence[int],
    words: Collection[str],
    notes: list[str],
) -> None:
    """A note on the rows without a text or a label; DataError where they are too many.

    `words`: what stands for a missing label in some of the unlabelled rows.
    """
    total = len(table.rows)
    named = ", ".join(f"“{word}”" for word in sorted(words))
    no_label = _("no label ({named} taken for none)", named=named) if words else _("no label")
    for bad, what, column in (
        (empty, _("an empty text"), table.text_column),
        (unlabelled, no_label, table.label_column),
    ):
        if len(bad) == total:
            raise DataError(
                _(
                    "{name}: every row has {what} in column {column!r}; choose another "
                    "column{choices}",
                    name=table.name,
                    what=what,
                    column=column,
                    choices=choices(table),
                )
            )
        if len(bad) > max(MAX_DROPPED * total, 1):
            raise DataError(
                _(
                    "{name}: {n_bad:,} of {total:,} rows have {what} in column {column!r} "
                    "({name_rows}); at most a tenth may: fill or delete them{choices}",
                    name=table.name,
                    n_bad=len(bad),
                    total=total,
                    what=what,
                    column=column,
                    name_rows=name_rows(bad),
                    choices=choices(table),
                )
            )
        if bad:
            has = "has" if len(bad) == 1 else "have"
            rows = name_rows(bad).capitalize()
            notes.append(
                _(
                    "{rows} of {name} {has} {what}: left out.",
                    rows=rows,
                    name=table.name,
                    has=has,
                    what=what,
                )
            )


def label_of(value: Any) -> str | bool | None:
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
        return value.strip() or None
    return False


# ---- classes ---------------------------------------------------------------------------------


def spelling(labels: Sequence[str], names: Sequence[str] = ()) -> Callable[[str], str]:
    """Label -> the class that it means: one class has one name, whatever its case and spaces.

    `labels`: those of all rows; of several spellings the most frequent stands, or the one in `names`,
    where the classes are declared. Where all are whole numbers, `1`, `1.0` and `01` are the same.
    """
    whole = re.compile(r"([+-]?\d{1,18})(\.0*)?")
    counts = Counter(labels)
    if all(whole.fullmatch(label) for label in {*counts, *names}):
        return lambda label: str(int(m[1])) if (m := whole.fullmatch(label)) else label
    chosen: dict[str, str] = {}
    for label, __ in counts.most_common():
        chosen.setdefault(folded(label), label)
    chosen |= {folded(name): name for name in names}
    declared = set(names)
    return lambda label: label if label in declared else chosen.get(folded(label), label)


def note_spellings(
    items: Sequence[Item], name_of: Callable[[str], str], table: Table, notes: list[str]
) -> None:
    """A note for each class that is written in several ways."""
    whole = re.compile(r"[+-]?\d+(\.0*)?")
    others: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        if name_of(item.label) != item.label and not whole.fullmatch(item.label):
            others[name_of(item.label)][item.label] += 1
    for name, counts in sorted(others.items()):
        written = ", ".join(f"“{label}” ({n:,} rows)" for label, n in counts.most_common(5))
        notes.append(
            _(
                "{written} of {name} is read as the class “{label}”.",
                written=written,
                name=table.name,
                label=name,
            )
        )


def class_names(items: Sequence[Item], table: Table) -> tuple[str, ...]:
    """The classes in their order: as declared, else numbers by size, else by the alphabet."""
    counts = Counter(item.label for item in items)
    column = _(
        "column {label_column!r} of {name}", label_column=table.label_column, name=table.name
    )
    if len(counts) == 1:
        only = next(iter(counts))
        raise DataError(
            _(
                "{column} holds one class only ({only!r}, {n_items:,} rows); training "
                "needs two or more{choices}",
                column=column,
                only=only,
                n_items=len(items),
                choices=choices(table),
            )
        )
    if len(items) >= FEW_ROWS and len(counts) > len(items) / 2:
        _refuse_classes(counts, len(items), table)
    return ordered_classes(items, table)


def ordered_classes(items: Sequence[Item], table: Table) -> tuple[str, ...]:
    """The classes in their order, one being enough; DataError above MAX_CLASSES."""
    counts = Counter(item.label for item in items)
    if len(counts) > MAX_CLASSES:
        _refuse_classes(counts, len(items), table)
    if table.label_names is not None and counts.keys() <= set(table.label_names):
        return table.label_names
    try:
        return tuple(sorted(counts, key=lambda label: (float(label), label)))
    except ValueError:
        return tuple(sorted(counts))


def _refuse_classes(counts: Counter[str], rows: int, table: Table) -> None:
    examples = ", ".join(repr(label[:30]) for label in list(counts)[:3])
    raise DataError(
        _(
            "column {label_column!r} of {name} holds {n_counts:,} different labels in "
            "{rows:,} rows ({examples}, …): this looks like free text or numbers, not "
            "classes; at most {max_classes} classes are trained: choose another "
            "column{choices}",
            label_column=table.label_column,
            name=table.name,
            n_counts=len(counts),
            rows=rows,
            examples=examples,
            max_classes=MAX_CLASSES,
            choices=choices(table),
        )
    )


# ---- repeats ---------------------------------------------------------------------------------


def without_repeats(items: Sequence[Item], table: Table, notes: list[str]) -> list[Item]:
    """Each text once, case and spaces aside; a text with two labels not at all."""
    keys = [folded(item.text) for item in items]
    labels: dict[str, set[str]] = defaultdict(set)
    for key, item in zip(keys, items, strict=True):
        labels[key].add(item.label)
    kept: dict[str, Item] = {}
    repeats: list[int] = []
    conflicts: list[int] = []
    for key, item in zip(keys, items, strict=True):
        if len(labels[key]) > 1:
            conflicts.append(item.number)
        elif key in kept:
            repeats.append(item.number)
        else:
            kept[key] = item
    if not kept:
        raise DataError(
            _(
                "{name}: every text stands there with different labels ({name_rows}), so "
                "none can be learned; mend the labels, or choose another column{choices}",
                name=table.name,
                name_rows=name_rows(conflicts),
                choices=choices(table),
            )
        )
    aside = _(" but for case and spaces") if len(set(keys)) < len({i.text for i in items}) else ""
    if repeats:
        told = _("; case and spaces aside") if aside else ""
        notes.append(
            _(
                "{n_repeats:,} repeated texts of {name} left out (the first of each is "
                "kept{told}): {name_rows}.",
                n_repeats=len(repeats),
                name=table.name,
                told=told,
                name_rows=name_rows(repeats),
            )
        )
    if conflicts:
        notes.append(
            _(
                "{n_conflicts:,} rows of {name} left out, the same text{aside} with "
                "different labels: {name_rows}.",
                n_conflicts=len(conflicts),
                name=table.name,
                aside=aside,
                name_rows=name_rows(conflicts),
            )
        )
    return list(kept.values())


def without(
    items: Sequence[Item], held: Sequence[Item], part: str, table: Table, notes: list[str]
) -> list[Item]:
    """`items` less the texts of `held`, case and spaces aside: no text stands in two splits."""
    exact = {item.text for item in held}
    texts = {folded(text) for text in exact}
    kept, same, alike = [], [], []
    for item in items:
        if item.text in exact:
            same.append(item.number)
        elif folded(item.text) in texts:
            alike.append(item.number)
        else:
            kept.append(item)
    for numbers, how in ((same, ""), (alike, _(", but for case or spaces,"))):
        if numbers:
            notes.append(
                _(
                    "{n_numbers:,} {part} texts also occur{how} in {name} and were removed "
                    "from {part}: {name_rows}.",
                    n_numbers=len(numbers),
                    part=part,
                    how=how,
                    name=table.name,
                    name_rows=name_rows(numbers),
                )
            )
    return kept


# ---- words -----------------------------------------------------------------------------------


def _name(rows: Sequence[Row]) -> str:
    return name_rows([row.number for row in rows])


def choices(table: Table) -> str:
    """The columns that could be chosen instead, in brackets."""
    return _(" (other columns: {others})", others=", ".join(table.others)) if table.others else ""


def _lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _blank(text: str) -> bool:
    """Nothing to read: only spaces, control and zero-width characters."""
    return len(text) < 50 and all(c.isspace() or unicodedata.category(c)[0] == "C" for c in text)
