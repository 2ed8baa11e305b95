"""What several commands share: runs and models by the names people give, their texts."""

from __future__ import annotations

import argparse
import difflib
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from advlab.cli.flags import given
from advlab.errors import RunError, SettingError
from advlab.runs.config import SCRATCH
from advlab.runs.folder import RUN_ID

if TYPE_CHECKING:
    from advlab.data.evaluation import Seen
    from advlab.model.victim import Victim
    from advlab.records import Dataset, Example
    from advlab.runs.info import RunInfo

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


def class_of(label: str | None, names: Sequence[str]) -> int | str | None:
    """The class that `--label` means: its name, or its number where no class is called so."""
    from advlab.tasks.names import own_name

    if label and (known := own_name(names, label)):
        return known
    return int(label) if label and label.isdecimal() else label


@dataclass(frozen=True)
class Tested:
    """The texts that a command evaluates on, and what it says of them."""

    data: Dataset
    texts: list[Example]
    told: str  # which texts they are
    seen: list[Seen]  # how many of them each model knows from training
    fitting: tuple[Example, ...]
    fitted: str  # which texts those are

    @property
    def more(self) -> bool:
        """Whether the data has further texts to evaluate on."""
        return len(self.texts) < len(self.data.test)

    def show(self) -> None:
        """Print all of it: notes on the data to standard error."""
        for note in self.data.notes:
            print(f"note: {note}", file=sys.stderr)
        print(f"Texts: {self.told}.")
        for one in self.seen:
            print(f"  {one.sentence}")


def texts_to_test(args: argparse.Namespace, victims: Sequence[Victim]) -> Tested:
    """The data of the flags, or of the first run, and those of its test texts to use."""
    from advlab.data.evaluation import Trained, choose_texts, seen_in_training
    from advlab.runs.config import DataConfig

    if args.max_texts is not None and args.max_texts < 1:
        raise SettingError(f"expected --max-texts of at least 1, got {args.max_texts}; change it")
    models = []
    for which, victim in zip(args.models, victims, strict=True):
        info = named_run(which)
        models.append(Trained(victim.name, victim.head, info.config.data if info else None))
    chosen = choose_texts(given(args, DataConfig), models)
    texts, told = list(chosen.data.test), chosen.told
    if args.max_texts and args.max_texts < len(texts):
        random.Random(args.attack_seed).shuffle(texts)
        texts = texts[: args.max_texts]
        told = f"{len(texts):,}, drawn at random, of {told}"
    seen = seen_in_training(texts, models)
    return Tested(chosen.data, texts, told, seen, chosen.fitting, chosen.fitted)


def named_for(victims: Sequence[Victim], data: Dataset) -> list[Victim]:
    """The models with their answers called as in the data, which standard error tells.

    SettingError for a model of other answers.
    """
    named = [victim.naming(data.head) for victim in victims]
    for victim in named:
        for note in victim.notes:
            print(f"note: {victim.name}: {note}", file=sys.stderr)
    return named
