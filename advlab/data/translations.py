"""Sources with their translations in a person's files: a table of two columns, or two parallel files.

    pairs.tsv                      a table (CSV, TSV, JSONL, Excel, Parquet); gzipped ones too
    train.en.gz beside train.de.gz lines that belong together; the one given holds the sources

Rows with an empty side and repeated pairs are left out and told; further translations of one source
become further references.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from advlab.data.decoding import decoded, guess_encoding, name_rows
from advlab.data.files import corrections, guess
from advlab.data.raw import read_head, stream
from advlab.data.reading import read_rows
from advlab.data.rows import Row, limited
from advlab.data.scanning import unified
from advlab.errors import DataError
from advlab.language import _
from advlab.records import Example
from advlab.runs.config import DataConfig

SOURCES = ("source", "src", "input", "en", "english", "text", "sentence")
TARGETS = ("target", "tgt", "translation", "reference", "output", "de", "german", "zh", "chinese")
TABLES = {"csv", "tsv", "tab", "txt", "json", "jsonl", "ndjson", "xlsx", "parquet"}
MAX_LOST = 0.1  # share of the rows that may be unusable
LANGUAGE = re.compile(r"[a-z]{2,3}([_-][A-Za-z]{2,4})?")


def read(path: Path, config: DataConfig, notes: list[str] | None = None) -> list[Example]:
    """The pairs of a file, or of two; `notes` hears what was left out.

    In a table `text_column` and `label_column` name source and translation; of parallel files,
    `label_column` names the language of the other (`de`). DataError says what does not fit: no such
    file or column, files of different length, nothing usable, or more than a tenth unusable.
    """
    notes = [] if notes is None else notes
    if not path.is_file():
        raise DataError(
            _(
                "there is no file at {path}; check the path (now in {cwd})",
                path=path,
                cwd=Path.cwd(),
            )
        )
    language = language_of(path)
    rows = _parallel(path, config, notes) if language else _table(path, config, notes)
    return _examples(list(rows), path, notes)


def language_of(path: Path) -> str:
    """`en` of train.en or train.en.gz; empty where the name says that it is a table."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.removeprefix(".")
    return suffix if LANGUAGE.fullmatch(suffix) and suffix not in TABLES else ""


# ---- parallel files -----------------------------------------------------------------------------


def _parallel(path: Path, config: DataConfig, notes: list[str]) -> Iterator[Row]:
    other = _other(path, config)
    pair = [_lines(file, config) for file in (path, other)]
    if len(pair[0]) != len(pair[1]):
        raise DataError(
            _(
                "expected as many lines in {name} as in {other}, got {lines:,} and "
                "{other_lines:,}; give files whose lines belong together",
                name=other.name,
                other=path.name,
                lines=len(pair[1]),
                other_lines=len(pair[0]),
            )
        )
    notes.append(
        _("Line by line, {name} is translated in {other}.", name=path.name, other=other.name)
    )
    for number, (source, target) in enumerate(zip(*pair, strict=True), 1):
        yield Row(number, source, target)


def _other(path: Path, config: DataConfig) -> Path:
    """The file beside it with the same name and another language."""
    stem = _stem(path)
    beside = {
        language: file
        for file in sorted(path.parent.iterdir())
        if file.is_file() and file != path and _stem(file) == stem
        if (language := language_of(file)) and language != language_of(path)
    }
    asked = config.label_column
    if asked is not None and asked in beside:
        return beside[asked]
    if asked is None and len(beside) == 1:
        return next(iter(beside.values()))
    found = ", ".join(file.name for file in beside.values()) or "none"
    raise DataError(
        _(
            "expected one file beside {name} with its translations ({stem}.de, say), "
            "got {found}; name its language as the label column, or give a table of "
            "two columns",
            name=path.name,
            stem=stem,
            found=found,
        )
    )


def _stem(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem


def _lines(path: Path, config: DataConfig) -> list[str]:
    head = read_head(path, path.name)
    encoding = config.encoding or guess_encoding(head.data, path.name, head.complete)[0]
    given = config.encoding is not None
    try:
        text = "".join(unified(decoded(stream(path, path.name), encoding, path.name, given=given)))
    except UnicodeDecodeError as error:
        raise DataError(
            _(
                "{name} is not {encoding} throughout; choose its encoding, or save it as UTF-8",
                name=path.name,
                encoding=encoding,
            )
        ) from error
    # not splitlines: a line may hold signs that it takes for the end of one
    found = text.split("\n")
    if found[-1] == "":
        found.pop()
    return [line for __, line in limited(enumerate(found), path.name, 2)]


# ---- tables -------------------------------------------------------------------------------------


def _table(path: Path, config: DataConfig, notes: list[str]) -> Iterator[Row]:
    given = corrections(config)
    found = guess(path, **given)
    source = found.text_column if config.text_column is not None else None
    target = found.label_column if config.label_column is not None else None
    source = source or _named(found.columns, SOURCES, target)
    target = target or _named(found.columns, TARGETS, source)
    left = [c for c in found.columns if c not in (source, target)]
    if len(found.columns) == 2 and (source is None or target is None):
        source = source or left.pop(0)
        target = target or left.pop(0)
    if source is None or target is None:
        missing = "source" if source is None else "translation"
        raise DataError(
            _(
                "no column with the {missing} was recognised in {name}; choose text and "
                "label column among: {columns}",
                missing=missing,
                name=path.name,
                columns=", ".join(found.columns),
            )
        )
    chosen = dataclasses.replace(found, text_column=source, label_column=target)
    table = read_rows(path, chosen)
    kept = [n for n in table.notes if "column was recognised" not in n and n != chosen.summary]
    notes += [
        _(
            "{name}: {source} is translated in {target}.",
            name=path.name,
            source=source,
            target=target,
        ),
        *kept,
    ]
    yield from table.rows


def _named(columns: Sequence[str], names: Sequence[str], taken: str | None) -> str | None:
    """The first column with one of these names, in the order of the names."""
    free = {c.strip().casefold(): c for c in columns if c != taken}
    return next((free[name] for name in names if name in free), None)


# ---- pairs --------------------------------------------------------------------------------------


def _examples(rows: Sequence[Row], path: Path, notes: list[str]) -> list[Example]:
    made: dict[str, list[str]] = {}
    more: dict[str, tuple[tuple[str, str], ...]] = {}
    empty: list[int] = []
    repeated: list[int] = []
    for row in rows:
        source, target = _text(row.text), _text(row.label)
        if not source or not target:
            empty.append(row.number)
            continue
        known = made.setdefault(source, [])
        more.setdefault(source, row.more)
        if target in known:
            repeated.append(row.number)
        else:
            known.append(target)
    said = []
    for numbers, what in ((empty, _("an empty side")), (repeated, _("a pair that came before"))):
        if numbers:
            said.append(
                _(
                    "{name_rows} of {name} left out: {what}.",
                    name_rows=name_rows(numbers).capitalize(),
                    name=path.name,
                    what=what,
                )
            )
    if not made or len(empty) > max(MAX_LOST * len(rows), 1):
        raise DataError(
            _(
                "{name}: {n_empty:,} of {n_rows:,} rows cannot be used, at most a tenth "
                "may. {said} Expected a source and its translation in each row",
                name=path.name,
                n_empty=len(empty),
                n_rows=len(rows),
                said=" ".join(said),
            )
        )
    several = sum(len(known) > 1 for known in made.values())
    if several:
        said.append(
            _(
                "{several:,} sources of {name} have several translations: all count.",
                several=several,
                name=path.name,
            )
        )
    notes += said
    stem = _stem(path)
    return [
        Example(f"{stem}-{i}", source, tuple(known), more=more[source])
        for i, (source, known) in enumerate(made.items(), 1)
    ]


def _text(cell: Any) -> str:
    """A cell as one line; a list's first text would be a guess, so only texts and numbers are."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return ""
    return " ".join(str(cell).split())
