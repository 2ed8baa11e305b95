"""On which texts is a model evaluated, and which of them does it know from training?

A file is used whole. Only where a run is evaluated on the very file that it was trained on, its
held-out part stands for it, as its own settings divided it. Corpora and public data sets keep their
test split. Whatever is used is told in words.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.data import HUB, READERS, load_data, read_answered, read_tested
from advlab.data.answered import only
from advlab.data.cleaning import folded
from advlab.data.splits import only_tested
from advlab.errors import DataError, SettingError
from advlab.language import _, n_
from advlab.records import Dataset, Example
from advlab.runs.config import DataConfig
from advlab.settings import build


@dataclass(frozen=True)
class Trained:
    """A model as far as data goes: its classes, and what it was trained on (None: not known)."""

    name: str
    head: tuple[str, ...]
    data: DataConfig | None = None


@dataclass(frozen=True)
class Chosen:
    """`data.test`: the texts to evaluate on. `fitting`: texts on which one δ for all may be made."""

    data: Dataset
    told: str  # which texts they are
    fitting: tuple[Example, ...]
    fitted: str  # which texts `fitting` are


@dataclass(frozen=True)
class Seen:
    """How many of some texts a model knows from training; None: not known."""

    model: str
    count: int | None
    told: str

    @property
    def sentence(self) -> str:
        """`told`, with a capital and a full stop."""
        return _("{told}.", told=f"{self.told[0].upper()}{self.told[1:].removesuffix('.')}")


def choose_texts(values: Mapping[str, Any], models: Sequence[Trained]) -> Chosen:
    """The texts that settings of a DataConfig name; those of the first model's data if they are empty.

    SettingError: nothing is named and the first model is no run, or a run's own file is to be read
    or divided in another way than for its training. DataError: as `load_data`.
    """
    named = values.get("eval_source") or values.get("source")
    if named is None:
        first = models[0]
        if first.data is None:
            raise SettingError(
                _(
                    "expected --data, since {name!r} is not a run; give a corpus or a file",
                    name=first.name,
                )
            )
        _refuse_other(values, first)
        return _own_test(first)
    config = build(DataConfig, values)
    if not is_file(named):
        data = load_data(config)
        return Chosen(
            data,
            told_of(data),
            data.validation,
            _("the validation texts of {name}", name=data.name),
        )
    own = next((m for m in models if m.data and same_file(named, m.data.source)), None)
    if own is not None:
        _refuse_other({k: v for k, v in values.items() if k != "eval_source"}, own)
        return _own_file(own)
    data = _whole(config, models)
    fitting, fitted = _fitting(data, models)
    return Chosen(data, told_of(data), fitting, fitted)


def _whole(config: DataConfig, models: Sequence[Trained]) -> Dataset:
    """A file that no model was trained on, used whole."""
    task = models[0].data.task if models and models[0].data else config.task
    if task not in READERS:
        return only_tested(read_tested(config), [m.head for m in models])
    source = config.eval_source or config.source
    return only(read_answered(source, dataclasses.replace(config, task=task)), Path(source).name)


def told_of(data: Dataset) -> str:
    """What the test split of a data set is, in words."""
    return data.tested or _(
        "the {n_test:,} test texts of {name}", n_test=len(data.test), name=data.name
    )


def own_told(model: Trained, data: Dataset) -> str:
    """What the test split of the data that a run was trained on is to it."""
    if model.data is None or not is_file(model.data.source) or model.data.eval_source:
        return told_of(data)
    rest = (
        _("the rest")
        if model.data.limit is None
        else _("{n_train:,} texts of the rest", n_train=len(data.train))
    )
    return _(
        "{told_of}; {name} was trained on {rest}", told_of=told_of(data), name=model.name, rest=rest
    )


def is_file(source: str) -> bool:
    """Whether a data source is neither a built-in corpus nor a public data set."""
    from advlab.data.corpora import CORPORA

    return source.strip() not in CORPORA and not source.strip().startswith(HUB)


def same_file(one: str, other: str) -> bool:
    """Whether two sources are one file, by their path or by their bytes."""
    a, b = (Path(source.strip()).expanduser() for source in (one, other))
    try:
        if not a.is_file() or not b.is_file():
            return False
        return a.samefile(b) or (a.stat().st_size == b.stat().st_size and _digest(a) == _digest(b))
    except OSError:
        return False


def _digest(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def seen_in_training(examples: Sequence[Example], models: Sequence[Trained]) -> list[Seen]:
    """How many of the texts, case and spaces aside, stand in the training texts of each model."""
    texts = [folded(e.text) for e in examples]
    training: dict[DataConfig, set[str] | DataError] = {}
    found = []
    for model in models:
        if model.data is None:
            told = _("what {name} was trained on is not known here", name=model.name)
            found.append(Seen(model.name, None, told))
            continue
        if model.data not in training:
            try:
                training[model.data] = {folded(e.text) for e in load_data(model.data).train}
            except DataError as error:
                training[model.data] = error
        known = training[model.data]
        if isinstance(known, DataError):
            told = _(
                "the training texts of {name} cannot be read now: {known}",
                name=model.name,
                known=known,
            )
            found.append(Seen(model.name, None, told))
            continue
        count = sum(text in known for text in texts)
        told = _(
            "{count:,} of these {n_texts:,} texts stand in the training texts of {name}",
            count=count,
            n_texts=len(texts),
            name=model.name,
        )
        if not count:
            told = _("none of these texts stands in the training texts of {name}", name=model.name)
        found.append(Seen(model.name, count, told))
    return found


def _own_test(model: Trained) -> Chosen:
    """The test split of the data that a run was trained with."""
    assert model.data is not None
    data = load_data(model.data)
    return Chosen(data, own_told(model, data), data.validation, _validation(model))


def _own_file(model: Trained) -> Chosen:
    """What a run has not learned of the file that it was trained on."""
    assert model.data is not None
    if model.data.eval_source is None:
        return _own_test(model)
    data = load_data(model.data)  # tested on a second file: of the first, validation is held out
    told = _(
        "the {n:,} texts of {name} that {model} was not trained on; its epoch was chosen by them",
        n=len(data.validation),
        name=Path(model.data.source).name,
        model=model.name,
    )
    own = dataclasses.replace(data, test=data.validation, tested=told)
    return Chosen(own, told, data.train, _("the training texts of {name}", name=model.name))


def _refuse_other(values: Mapping[str, Any], model: Trained) -> None:
    """SettingError where a run's own file is to be read or divided in another way than by the run."""
    other = [k for k, v in values.items() if k != "source" and v != getattr(model.data, k)]
    if other:
        names = ", ".join(name.replace("_", " ") for name in sorted(other))
        raise SettingError(
            n_(
                "{name} was trained on this data with another {names}, so its held-out "
                "part would not be the same; leave it out, or name another file",
                "{name} was trained on this data with another {names}, so its held-out "
                "part would not be the same; leave them out, or name another file",
                len(other),
                name=model.name,
                names=names,
            )
        )


def _fitting(data: Dataset, models: Sequence[Trained]) -> tuple[tuple[Example, ...], str]:
    """Texts beside those of a file used whole: a run's validation split, else the file itself."""
    tested = {folded(e.text) for e in data.test}
    for model in models:
        if model.data is None or model.head != data.head:
            continue
        try:
            validation = load_data(model.data).validation
        except DataError:
            continue
        if found := tuple(e for e in validation if folded(e.text) not in tested):
            return found, _validation(model)
    return data.test, _(
        "the same texts, as no run with these classes has a validation split to use"
    )


def _validation(model: Trained) -> str:
    return _("the validation texts of {name}", name=model.name)
