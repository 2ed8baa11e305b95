"""Public data sets by name, and saved ones by folder, through the `datasets` library.

In this order: a folder or a Parquet file on this machine; the local cache of `datasets`; the hub,
after a probe of PROBE_SECONDS, because an unreachable hub costs the library most of a minute of
retries. Remote code is never run: this library no longer has it, and no flag here asks for it.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advlab.data.pairs import find_pair, note, refusal
from advlab.data.rows import Row, Table, other_columns
from advlab.data.sniffing import SAMPLE_ROWS, find_column, pick_columns
from advlab.errors import DataError
from advlab.language import _
from advlab.runs.config import DataConfig, home

PROBE_SECONDS = 2.0
MAX_ROWS = 200_000  # of a split; more are drawn from, at random
TRAIN = ("train", "training")
VALIDATION = ("validation", "valid", "val", "dev", "validation_matched")
TEST = ("test", "testing", "eval", "evaluation")


def read_hub(name: str, config: DataConfig) -> dict[str, Table]:
    """The labelled splits of a data set as tables: `train`, and where it has them `test`, `validation`.

    A data set whose test labels are withheld is tested on its validation split; one with neither
    is divided later. DataError: unreachable hub, unknown name, no such column.
    """
    name = name.strip()
    if not name:
        raise DataError(_("expected hub:NAME, such as hub:ag_news or hub:owner/name"))
    loaded = _load(name, config.hub_config)
    splits = loaded if isinstance(loaded, Mapping) else {"train": loaded}
    if not splits:
        raise DataError(_("{name} has no splits; choose another data set", name=name))
    roles = {role: _first(splits, names) for role, names in _ROLES.items()}
    stem = Path(name).name.removesuffix(".parquet")
    base = roles["train"] or next(iter(splits))
    tables = {"train": _table(splits[base], f"{stem}-{base}", config)}
    if roles["train"] is None:
        return tables
    for role in ("validation", "test"):
        split = roles[role]
        if split is not None:
            table = _table(splits[split], f"{stem}-{split}", config, like=tables["train"])
            if any(row.label is not None for row in table.rows):
                tables[role] = table
    if "test" not in tables and "validation" in tables:
        tables["test"] = tables.pop("validation")  # part of the training rows will validate
    return tables


_ROLES = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def _first(splits: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((split for name in names for split in splits if split.lower() == name), None)


def _load(name: str, hub_config: str | None) -> Any:
    """A Dataset or a dict of them, from disk, from the cache or from the hub."""
    import datasets

    path = Path(name).expanduser()
    # a cache of its own: the library files a folder under its last name, where a later
    # search for a public data set of that name would find it
    cache = str(home() / "cache" / "datasets")
    try:
        if path.is_dir():
            if (path / "dataset_dict.json").exists() or (path / "state.json").exists():
                return datasets.load_from_disk(str(path))
            return datasets.load_dataset(str(path), hub_config, cache_dir=cache)
        if path.is_file() and path.suffix == ".parquet":
            return datasets.load_dataset("parquet", data_files=str(path), cache_dir=cache)
    except Exception as error:
        raise DataError(
            _(
                "the folder {path} cannot be read as a data set: {brief}",
                path=path,
                brief=_brief(error),
            )
        ) from error
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise DataError(
            _("there is no data set folder at {path}; check the path, or give hub:NAME", path=path)
        )
    cached = _from_cache(name, hub_config)
    if cached is not None:
        return cached
    _probe(name)
    try:
        return datasets.load_dataset(name, hub_config)
    except Exception as error:
        raise DataError(
            _(
                "the public data set {name!r} cannot be loaded: {brief}; check the name, "
                "and where it has several configurations give one of them (hub "
                "configuration)",
                name=name,
                brief=_brief(error),
            )
        ) from error


def _from_cache(name: str, hub_config: str | None) -> Any | None:
    """The data set as an earlier download left it, without touching the network; else None."""
    from datasets import config
    from datasets.naming import camelcase_to_snakecase
    from datasets.packaged_modules.cache.cache import Cache

    *owner, last = name.split("/")
    folder = Path(config.HF_DATASETS_CACHE) / "___".join([*owner, camelcase_to_snakecase(last)])
    if not any(folder.glob(f"{hub_config or '*'}/*/*/dataset_info.json")):
        return None
    try:
        builder = Cache(
            repo_id=name, dataset_name=last, config_name=hub_config, version="auto", hash="auto"
        )
        builder.download_and_prepare()
        return builder.as_dataset()
    except Exception as error:  # several configurations, or a damaged cache
        raise DataError(
            _(
                "the cached copy of {name!r} in {folder} cannot be used: {brief}; give the "
                "configuration (hub configuration), or delete that folder",
                name=name,
                folder=folder,
                brief=_brief(error),
            )
        ) from error


def _probe(name: str) -> None:
    """DataError within PROBE_SECONDS unless the hub, or the proxy before it, takes a connection."""
    from datasets import config

    endpoint = os.environ.get("HF_ENDPOINT") or config.HF_ENDPOINT
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        reason: str | None = _("HF_HUB_OFFLINE is set")
    else:
        reason = unreachable(endpoint)
    if reason is None:
        return
    raise DataError(
        f"the public data set {name!r} is not on this machine, and the hub at {endpoint} cannot be "
        f"reached ({reason}). Where there is a network, fetch it once with "
        f"“hf download {name} --repo-type dataset --local-dir FOLDER”, copy FOLDER here and give "
        f"hub:FOLDER; downloads are kept in {config.HF_DATASETS_CACHE}. Or give a local "
        "CSV, TSV or JSONL file"
    )


def unreachable(endpoint: str) -> str | None:
    """Why no connection to `endpoint` opens; None where one does."""
    url = urllib.parse.urlsplit(endpoint)
    host = url.hostname or endpoint
    proxy = urllib.request.getproxies().get(url.scheme)
    if proxy and not urllib.request.proxy_bypass(host):
        url = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
        host = url.hostname or proxy
    try:
        port = url.port or (80 if url.scheme == "http" else 443)
    except ValueError:
        return _("{endpoint!r} is no address", endpoint=endpoint)
    outcome: list[str | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
            outcome.append(None)
        except OSError as error:
            outcome.append(f"{host}:{port}: {error.strerror or error}")

    # in a thread, since looking up a host name obeys no timeout
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return (
        outcome[0]
        if outcome
        else _(
            "{host}:{port}: no answer in {probe_seconds:g} s",
            host=host,
            port=port,
            probe_seconds=PROBE_SECONDS,
        )
    )


def _table(split: Any, name: str, config: DataConfig, like: Table | None = None) -> Table:
    """One split as a table; columns from the config, from the training split, or guessed."""
    columns = list(split.column_names)
    notes: list[str] = []
    if like is not None:
        text, label = (find_column(c, columns, name) for c in (like.text_column, like.label_column))
    else:
        text, label = _columns(split, name, config)
        notes.append(
            _(
                "{name}: text in column {text}, label in column {label}.",
                name=name,
                text=text,
                label=label,
            )
        )
        pair = find_pair(columns)
        if pair and text in pair and not config.text_column:
            raise DataError(refusal(pair, name))
        if pair and (said := note(pair, text, name)):
            notes.append(said)
    numbers = range(len(split))
    if len(split) > MAX_ROWS:
        numbers = sorted(random.Random(f"rows {config.seed}").sample(numbers, MAX_ROWS))
        notes.append(
            _(
                "{max_rows:,} of the {n_split:,} rows of {name} drawn at random.",
                max_rows=MAX_ROWS,
                n_split=len(split),
                name=name,
            )
        )
        split = split.select(numbers)
    names = _class_names(split, label)
    labels = list(split[label])
    if names:
        labels = [names[i] if isinstance(i, int) and 0 <= i < len(names) else None for i in labels]
    elif set(map(type, labels)) == {int} and -1 in labels and min(labels) == -1:
        labels = [None if i == -1 else i for i in labels]  # -1 marks a withheld label
    others = tuple(column for column in columns if column not in (text, label))
    more = [list(split[column]) for column in others]
    rows = tuple(
        Row(
            number + 1,
            given,
            answer,
            other_columns((name, values[i]) for name, values in zip(others, more, strict=True)),
        )
        for i, (number, given, answer) in enumerate(zip(numbers, split[text], labels, strict=True))
    )
    return Table(name, rows, text, label, tuple(notes), names, others)


def _columns(split: Any, name: str, config: DataConfig) -> tuple[str, str]:
    """(text, label): as given, else the column of classes and the one that looks like text."""
    columns = list(split.column_names)
    text, label = (
        find_column(column, columns, name) if column else None
        for column in (config.text_column, config.label_column)
    )
    if label is None:
        declared = [c for c in columns if c != text and _class_names(split, c)]
        label = next((c for c in declared if c.lower() in ("label", "labels")), None)
        label = label or (declared[0] if declared else None)
    head = split[: min(SAMPLE_ROWS, len(split))]
    sample = list(zip(*(head[column] for column in columns), strict=True))
    text, label = pick_columns(columns, sample, text=text, label=label)
    if text is None or label is None:
        lacking = "text" if text is None else "label"
        raise DataError(
            _(
                "no {lacking} column was recognised in {name}; choose one of: {columns}",
                lacking=lacking,
                name=name,
                columns=", ".join(columns),
            )
        )
    if text == label:
        raise DataError(
            _("text and label of {name} are both column {text!r}; choose two", name=name, text=text)
        )
    return text, label


def _class_names(split: Any, column: str) -> tuple[str, ...] | None:
    names = getattr(split.features[column], "names", None)
    return tuple(names) if names else None


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}{'…' if len(text) > 300 else ''}"
