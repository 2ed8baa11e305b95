"""What lies under the microscope: weights, and a batch of the texts that they are trained on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from advlab.data import load_data
from advlab.data.corpora import CORPORA
from advlab.errors import ModelError
from advlab.language import _
from advlab.records import Dataset, Example, SlowMotion
from advlab.runs import jobs
from advlab.runs.config import SCRATCH, RunConfig
from advlab.runs.starters import starter_pair
from advlab.ui.models import borrow, weights_of
from advlab.ui.turns import TURNS

if TYPE_CHECKING:
    from advlab.model.victim import Victim

FRESH = "fresh"  # in place of a run: a tiny model before its first step
TEXTS = 512  # training texts among which the batches are
SIZE = 16  # texts of a batch
MOST = 60_000_000  # parameters: each method has a copy of the model, with gradients and optimiser


@dataclass(frozen=True)
class Specimen:
    """The weights and the data. `epoch` None: the weights that the run kept."""

    model: str  # id of a run, or `FRESH`
    epoch: int | None
    corpus: str  # of a fresh model

    @property
    def config(self) -> RunConfig:
        """As its run is set up; a fresh model as the starter of its task."""
        if self.model != FRESH:
            return jobs.run(self.model).config
        plain = starter_pair(task=CORPORA[self.corpus].task)[0]
        return replace(plain, data=replace(plain.data, source=self.corpus))

    @property
    def data(self) -> Dataset:
        """Its data, with some of the training texts. DataError where a file is gone."""
        data = self.config.data
        return _data(replace(data, limit=min(TEXTS, data.limit or TEXTS)))

    @property
    def texts(self) -> int:
        """How many texts there are to train on."""
        return len(_data(self.config.data).train)

    @property
    def batches(self) -> int:
        """How many there are."""
        return -(-len(self.data.train) // SIZE)

    @property
    def key(self) -> dict[str, Any]:
        """Everything that says which weights and which texts these are."""
        weights = "" if self.model == FRESH else weights_of(self.model)
        return asdict(self) | {"weights": weights, "config": self.config.to_json()}


@st.cache_resource(max_entries=4, ttl="10m", show_spinner=False)
def _data(config: Any) -> Dataset:
    return load_data(config)


@st.cache_resource(max_entries=4, ttl="1h", show_spinner=False)
def _fresh(corpus: str) -> Any:
    from advlab.training.loop import prepare

    config = Specimen(FRESH, None, corpus).config
    victim, _data = prepare(replace(config, data=replace(config.data, limit=TEXTS)))
    victim.model.eval().requires_grad_(False)
    return victim


@contextmanager
def lent(specimen: Specimen) -> Iterator[Victim]:
    """The model in evaluation mode, for one request. It waits for its turn."""
    if specimen.model == FRESH:
        with TURNS.turn() as turn:
            view = _fresh(specimen.corpus).view()
            view.model.register_forward_pre_hook(lambda *_: turn.look())
            yield view
        return
    with borrow(specimen.model) as victim:
        if specimen.epoch is None:
            yield victim
        else:
            from advlab.training.epochs import load_epoch

            yield load_epoch(jobs.run(specimen.model).folder.path, victim, specimen.epoch)


def seen(
    specimen: Specimen, batch: int, methods: Sequence[dict[str, Any]], pinned: Example, lr: float
) -> list[SlowMotion]:
    """The batch under each method, looked at once and kept. AdvlabError says what does not fit."""
    key = {
        "batch": batch,
        "methods": list(methods),
        "pinned": asdict(pinned),
        "lr": lr,
    } | specimen.key
    return _seen(json.dumps(key), specimen)


@st.cache_data(show_spinner=False, ttl="1h", max_entries=64)
def _seen(key: str, _specimen: Specimen) -> list[SlowMotion]:
    from advlab.explain.microscope import Conditions, slow_motion
    from advlab.training.loop import epoch_batches
    from advlab.training.methods import build_method

    asked, config, data = json.loads(key), _specimen.config, _specimen.data
    with lent(_specimen) as victim:
        size = sum(p.numel() for p in victim.model.parameters())
        if size > MOST:
            raise ModelError(
                _(
                    "expected a model of at most {most} parameters, since each method has a copy of "
                    "it, got {size}; choose a smaller one",
                    most=f"{MOST:,}",
                    size=f"{size:,}",
                )
            )
        lengths = [len(t) for t in victim.reader.tokens_of(data.train)]
        places = epoch_batches(lengths, SIZE, config.train.seed, 0)[asked["batch"]]
        given = asked["pinned"]
        pinned = Example("pinned", given["text"], tuple(given["answers"]), given["beside"])
        return slow_motion(
            victim,
            [data.train[i] for i in places],
            [build_method(values) for values in asked["methods"]],
            pinned,
            Conditions(
                replace(config.train, lr=asked["lr"]),
                dropout=config.regularise.dropout,
                unit_norm=config.model.unit_norm and config.model.source in SCRATCH,
            ),
        )
