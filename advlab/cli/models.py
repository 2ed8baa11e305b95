"""What several commands share: runs and models by the names people give, their texts."""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from advlab.cli.flags import given
from advlab.errors import RunError, SettingError

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.records import Dataset, Example
    from advlab.runs.config import DataConfig
    from advlab.runs.queue import RunInfo


def named_run(which: str) -> RunInfo | None:
    """A run by id, or the newest of that name; None where there is none."""
    from advlab.runs import jobs

    return next((info for info in jobs.runs() if which in (info.id, info.name)), None)


def find_run(which: str) -> RunInfo:
    """A run by id, or the newest of that name; RunError lists what there is."""
    from advlab.runs import jobs

    if info := named_run(which):
        return info
    known = ", ".join(f"{r.id} ({r.name})" for r in jobs.runs()[:5]) or "none yet"
    raise RunError(f"expected a run's id or name, got {which!r}; the newest runs: {known}")


def open_model(which: str) -> Victim:
    """The model of a run (by id or name), of a folder, or of the hub."""
    from advlab.model.victim import Victim

    info = named_run(which)
    if info is None:
        return Victim.load(which)
    if not info.folder.has_model:
        raise RunError(
            f"run {which} has no model yet (it is {info.status}); wait for its first epoch"
        )
    return Victim.load(info.folder.model, name=info.name)


def run_data(which: str) -> DataConfig:
    """The data settings of a run; SettingError for a model that is no run."""
    info = named_run(which)
    if info is None:
        raise SettingError(
            f"expected --data, since {which!r} is not a run; give a corpus or a file"
        )
    return info.config.data


def class_of(label: str | None, names: Sequence[str]) -> int | str | None:
    """The class that `--label` means: its name, or its number where no class is called so."""
    if label and label.isdecimal() and label not in names:
        return int(label)
    return label


def texts_to_test(
    args: argparse.Namespace, victims: Sequence[Victim]
) -> tuple[Dataset, list[Example]]:
    """The data of the flags, or of the first run, and those of its test texts to use."""
    from advlab.data import load_data
    from advlab.runs.config import DataConfig
    from advlab.settings import build

    if args.max_texts is not None and args.max_texts < 1:
        raise SettingError(f"expected --max-texts of at least 1, got {args.max_texts}; change it")
    values = given(args, DataConfig)
    data = load_data(build(DataConfig, values) if values else run_data(args.models[0]))
    _same_classes(victims, data)
    texts = list(data.test)
    if args.max_texts:
        random.Random(args.attack_seed).shuffle(texts)
        texts = texts[: args.max_texts]
    return data, texts


def _same_classes(victims: Sequence[Victim], data: Dataset) -> None:
    for victim in victims:
        if tuple(victim.head) != tuple(data.head):
            raise SettingError(
                f"expected data with the classes of {victim.name} ({', '.join(victim.head)}), "
                f"got {', '.join(data.head)}; evaluate on data with the same labels"
            )
