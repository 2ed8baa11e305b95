"""What several commands share: runs and models by the names people give, their texts."""

from __future__ import annotations

import argparse
import difflib
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from advlab.cli.flags import given
from advlab.errors import RunError, SettingError
from advlab.runs.config import SCRATCH
from advlab.runs.folder import RUN_ID

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.records import Dataset, Example
    from advlab.runs.config import DataConfig
    from advlab.runs.queue import RunInfo

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


def named_run(which: str) -> RunInfo | None:
    """A run by id, or the newest of that name; None where there is none."""
    from advlab.runs import jobs

    return next((info for info in jobs.runs() if which in (info.id, info.name)), None)


def find_run(which: str) -> RunInfo:
    """A run by id, or the newest of that name; RunError lists the nearest, or what there is."""
    if info := named_run(which):
        return info
    raise RunError(f"there is no run {which!r}; {_known(which)}")


def nearest(which: str) -> list[RunInfo]:
    """Runs whose id or name is like `which`, the likest first."""
    from advlab.runs import jobs

    named = {text.casefold(): info for info in jobs.runs()[::-1] for text in (info.name, info.id)}
    close = difflib.get_close_matches(which.casefold(), list(named), n=6, cutoff=0.6)
    begun = [text for text in named if which and text.startswith(which.casefold())]
    found = {named[text].id: named[text] for text in (*close, *begun)}
    return list(found.values())[:3]


def _known(which: str) -> str:
    from advlab.runs import jobs

    close = nearest(which)
    kind = "the nearest" if close else "the newest"
    runs = ", ".join(f"{r.id} ({r.name})" for r in close or jobs.runs()[:5])
    return f"{kind}: {runs}; see: advlab runs" if runs else "there are none yet: advlab train"


def open_model(which: str) -> Victim:
    """The model of a run (by id or name), of a folder, or of the hub."""
    from advlab.model.victim import Victim

    info = named_run(which)
    if info is None:
        if not _stands_for_a_model(which):
            raise RunError(f"there is no run or model {which!r}; {_known(which)}")
        return Victim.load(which)
    if not info.folder.has_model:
        raise RunError(
            f"run {which} has no model yet (it is {info.status}); wait for its first epoch"
        )
    return Victim.load(info.folder.model, name=info.name)


def _stands_for_a_model(which: str) -> bool:
    """Whether it is worth asking beyond the runs: a folder, a model that is here, a hub's name.

    What is like the name of a run is taken for a slip, unless a model of that very name is here.
    """
    from huggingface_hub import try_to_load_from_cache

    if which in (*SCRATCH, "minilm") or Path(which).expanduser().exists():
        return True
    if not _HUB_NAME.fullmatch(which) or RUN_ID.fullmatch(which):
        return Path(which).is_absolute()  # the folder that is not there is told when it is loaded
    return not nearest(which) or isinstance(try_to_load_from_cache(which, "config.json"), str)


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
