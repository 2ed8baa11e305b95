"""Where the examples come from: built-in corpora, a person's own files, public data sets.

    load_data(DataConfig("reviews"))                       a built-in corpus
    load_data(DataConfig("train.tsv", eval_source="dev.tsv"))
    load_data(DataConfig("hub:ag_news"))                   a public data set, by name
    load_data(DataConfig("squad.json", task="qa"))         what the rows are, where not classes

A page shows `advlab.data.files.guess(path)` before anything runs.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.errors import DataError
from advlab.language import _
from advlab.runs.config import DataConfig
from advlab.runs.limits import check_rows, check_source

if TYPE_CHECKING:
    from advlab.data.corpora import CORPORA
    from advlab.data.files import Guess
    from advlab.data.rows import Progress, Table
    from advlab.records import Dataset, Example

HUB = "hub:"
# who reads the files of a task, where its examples have other answers than a class
READERS = {
    "qa": "advlab.data.questions",
    "translation": "advlab.data.translations",
    "dialogue": "advlab.data.dialogues",
}

__all__ = ["CORPORA", "load_data"]


def __getattr__(name: str) -> Any:
    if name != "CORPORA":
        raise AttributeError(f"module 'advlab.data' has no attribute {name!r}")
    from advlab.data.corpora import CORPORA

    return CORPORA


def load_data(config: DataConfig, progress: Progress | None = None) -> Dataset:
    """The data set that `config` names, checked and split; DataError says what does not fit.

    `progress` is called with the share of a file that is read, and may raise to stop the reading.
    """
    from advlab.data.splits import limit_train, make_dataset, replace_test

    config, source = fitted(config), config.source.strip()
    check_sources(config)
    if config.task in READERS:
        return _answered(config)
    if source in _corpora():
        data = _corpora()[source].build()
        if config.eval_source:
            data = replace_test(data, _test_table(config, progress=progress))
        return limit_train(data, config.limit, config.seed)
    if source.startswith(HUB):
        from advlab.data.hub import read_hub

        tables = read_hub(source.removeprefix(HUB), config)
        test = _test_table(config) if config.eval_source else tables.get("test")
        name = Path(source.removeprefix(HUB)).name.removesuffix(".parquet")
        validation = tables.get("validation")
        return make_dataset(tables["train"], config, test=test, validation=validation, name=name)
    table, guess = _file_table(source, config, progress=progress)
    test = _test_table(config, guess, progress) if config.eval_source else None
    return make_dataset(table, config, test=test)


def fitted(config: DataConfig) -> DataConfig:
    """The config with the task that its built-in corpus is for."""
    corpus = _corpora().get(config.source.strip())
    return dataclasses.replace(config, task=corpus.task) if corpus else config


def _answered(config: DataConfig) -> Dataset:
    """Examples whose answers are texts: a corpus, or a file read by the task's own reader."""
    from advlab.data.answered import divided, limited, tested_on

    source, notes = config.source.strip(), list[str]()
    if source in _corpora():
        data = _corpora()[source].build()
    else:
        data = divided(read_answered(source, config, notes), config, Path(source).name)
    if config.eval_source:
        name = Path(config.eval_source).name
        data = tested_on(data, read_answered(config.eval_source, config, notes), name)
    data = dataclasses.replace(data, notes=(*notes, *data.notes))
    return limited(data, config.limit, config.seed)


def read_answered(source: str, config: DataConfig, notes: list[str] | None = None) -> list[Example]:
    """The examples of a file of another task than classification, each with its answers.

    `notes` hears what the reader left out.
    """
    check_source(source, _corpora())
    path = Path(source.strip()).expanduser()
    if source.startswith(HUB):
        raise DataError(
            _(
                "expected a file or a built-in corpus for {task}, got {source}; public "
                "data sets are read for classification alone: save it as a file",
                task=config.task,
                source=source,
            )
        )
    if not path.exists():
        raise DataError(_nothing_at(source))
    examples = importlib.import_module(READERS[config.task]).read(path, config, notes)
    check_rows(len(examples))
    return examples


def read_tested(config: DataConfig) -> Table:
    """All rows of the file to test on, or of the only file, where that is to be used whole."""
    from advlab.data.files import corrections, guess

    source = config.source.strip()
    check_sources(config)
    if not config.eval_source:
        return _file_table(source, config)[0]
    if source in _corpora() or source.startswith(HUB):
        return _test_table(config)
    return _test_table(config, guess(Path(source).expanduser(), **corrections(config)))


def check_sources(config: DataConfig) -> None:
    """DataError where a config names what is not for its reader: see `advlab.runs.limits`."""
    for source in (config.source, config.eval_source):
        if source:
            check_source(source, _corpora())


def _corpora() -> dict[str, Any]:
    from advlab.data.corpora import CORPORA

    return CORPORA


def _file_table(
    source: str, config: DataConfig, training: Guess | None = None, progress: Progress | None = None
) -> tuple[Table, Guess]:
    """A file's rows. A second file is read with the columns of the `training` file if it has them."""
    from advlab.data.files import corrections, guess
    from advlab.data.reading import read_rows

    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(_nothing_at(source))
    found = guess(path, **corrections(config))
    if training and {training.text_column, training.label_column} <= set(found.columns):
        found = dataclasses.replace(
            found, text_column=training.text_column, label_column=training.label_column
        )
    table = read_rows(path, found, progress)
    check_rows(len(table.rows))
    return table, found


def _test_table(
    config: DataConfig, training: Guess | None = None, progress: Progress | None = None
) -> Table:
    """The rows to test on: a second file, or the test split of a public data set."""
    source = (config.eval_source or "").strip()
    if source.startswith(HUB):
        from advlab.data.hub import read_hub

        tables = read_hub(source.removeprefix(HUB), config)
        return tables.get("test") or tables.get("validation") or tables["train"]
    return _file_table(source, config, training, progress)[0]


def _nothing_at(source: str) -> str:
    names = sorted(_corpora())
    if Path(source).suffix or "/" in source or "\\" in source:
        return _(
            "there is no file at {source}; check the path (now in {cwd})",
            source=source,
            cwd=Path.cwd(),
        )
    near = difflib.get_close_matches(source, names, n=1)
    meant = _(" (did you mean {near}?)", near=near[0]) if near else ""
    return _(
        "there is no built-in corpus and no file {source!r}{meant}; the corpora "
        "are {names}; give one of them, a CSV, TSV, JSONL, Excel or Parquet file, "
        "or hub:NAME",
        source=source,
        meant=meant,
        names=", ".join(names),
    )
