"""Models for the pages: which there are, loaded once, and lent out safely.

A cached model is shared by all sessions. It never trains, nobody hooks onto it or toggles it: each
request borrows a view that shares its weights, and few requests run at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from advlab.errors import AdvlabError, ModelError
from advlab.language import _, retold, speak
from advlab.model.card import files_digest, folder_digest, weights_hash
from advlab.runs import jobs
from advlab.runs.config import home
from advlab.runs.spaces import current
from advlab.runs.starters import shown_name
from advlab.ui.memory import set_aside
from advlab.ui.turns import TURNS

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.runs.config import RunConfig
    from advlab.tasks import Task

KEPT = max(1, int(os.environ.get("ADVLAB_MODELS_KEPT", "3")))  # models in memory
LOCAL = "local:"  # id of a model folder under $ADVLAB_HOME/models
_loads = count(1)  # of models, in this process


def model_choices() -> dict[str, str]:
    """Models that can be opened, id -> title: runs with a saved model, newest first, then folders.

    Folders are Hugging Face models under `$ADVLAB_HOME/models`. Equal titles are told apart.
    """
    found = {
        run.id: shown_name(run.name)
        for run in jobs.runs()
        if run.folder.has_model and not run.active
    }
    for models in reversed(_homes()):
        for folder in sorted(models.glob("*/config.json")):
            found[f"{LOCAL}{folder.parent.name}"] = _("{name} (folder)", name=folder.parent.name)
    titles = list(found.values())
    return {
        id_: title if titles.count(title) == 1 else f"{title} · {id_[-4:]}"
        for id_, title in found.items()
    }


def fitting_pair(ids: Sequence[str]) -> list[str]:
    """Two models to open with: the newest that has another one of the same data beside it.

    A plainly trained one stands first, then one that was trained otherwise. Without such a pair the
    newest model alone: models of other data cannot be compared on its sentences.
    """
    configs = {}
    for i in ids:
        with suppress(AdvlabError):  # settings of another version
            configs |= {} if i.startswith(LOCAL) else {i: jobs.run(i).config}
    for newest, config in configs.items():
        same = [
            i
            for i, other in configs.items()
            if i != newest and _data_of(other) == _data_of(config) and other.task == config.task
        ]
        unlike = [i for i in same if configs[i].method["name"] != config.method["name"]]
        plain = [i for i in unlike if configs[i].method["name"] == "plain"]
        partner = next(iter(plain or unlike or same), None)
        if partner is not None:
            return sorted([newest, partner], key=lambda i: configs[i].method["name"] != "plain")
    return list(ids[:1]) if configs else list(ids[:2])


def _data_of(config: RunConfig) -> tuple[str | None, ...]:
    """What decides which classes and texts a run knows; how many of them it used does not."""
    data = config.data
    return data.source, data.text_column, data.label_column, data.hub_config


def model_folder(id_: str) -> Path:
    """Where a model's files are; ModelError where there is no such model."""
    if id_.startswith(LOCAL):
        for models in _homes():
            folder = models / id_.removeprefix(LOCAL)
            inside = folder.parent == models and folder.resolve().is_relative_to(models)
            if inside and (folder / "config.json").is_file():
                return folder
    else:
        run = jobs.run(id_)  # RunError says which run is missing
        if run.folder.has_model:
            return run.folder.model
    raise ModelError(
        _("expected a model that is saved, found none for {id!r}; choose another", id=id_[:60])
    )


def _homes() -> list[Path]:
    """The folders of model folders: one's own and, in a class, the class's."""
    space = current()
    shared = [space.shared / "models"] if space is not None and space.shared is not None else []
    return [folder.resolve() for folder in (home() / "models", *shared)]


def load_victim(id_: str) -> Victim:
    """The shared model of a run or folder, loaded once; for reading its names, not for attacks."""
    folder = model_folder(id_)
    title = model_choices().get(id_, folder.name)
    with st.spinner(_("Loading the model…")):
        victim = _load(id_, folder_digest(folder), str(folder), title)
    return victim if victim.name == title else victim.called(title)


def answers_of(id_: str) -> tuple[str, ...]:
    """The answers that a model knows by name; none for one that cannot be loaded."""
    try:
        return load_victim(id_).head
    except AdvlabError:
        return ()  # whoever attacks it is told why


def task_of(id_: str) -> Task:
    """What a model is asked; classification for one that cannot be loaded."""
    from advlab.tasks import build_task

    try:
        return load_victim(id_).task
    except AdvlabError:
        return build_task("classification")  # whoever attacks it is told why


@contextmanager
def borrow(id_: str) -> Iterator[Victim]:
    """A view of a model for one request, in evaluation mode; waits for its turn.

    Each pass through the view looks at the turn: too long, or no longer wanted, it ends there.
    """
    victim = load_victim(id_)
    with TURNS.turn() as turn:
        view = victim.view()
        view.model.register_forward_pre_hook(lambda *_: turn.look())
        yield view


def weights_of(id_: str) -> str:
    """The hash of a model's weights, `Victim.hash`: what links, capsules and reports name it by.

    The model is loaded where its card does not tell it. ModelError where it cannot be.
    """
    folder = model_folder(id_)
    return weights_hash(folder) or _loaded_hash(files_digest(folder), str(folder))


def has_weights(id_: str, wanted: str) -> bool:
    """Whether a link's hash is this model's. Older links hold the digest of the files."""
    with suppress(AdvlabError):  # a broken model is not the one
        return bool(wanted) and wanted in (files_digest(model_folder(id_)), weights_of(id_))
    return False


@lru_cache(maxsize=256)
def _loaded_hash(files: str, folder: str) -> str:
    """The hash of a model whose card does not tell it; the files' own tells when to look again."""
    from advlab.ui.launch import warm_up

    warm_up()
    from advlab.model.victim import Victim

    return Victim.load(folder).hash


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _load(id_: str, files: str, folder: str, _title: str) -> Victim:
    from advlab.ui.launch import warm_up

    warm_up()
    from advlab.model.victim import Victim

    try:
        with speak("en"):  # its notes are kept for everyone, and told anew to each reader
            victim = Victim.load(folder, name=_title)
    except ModelError as error:
        raise ModelError(retold(str(error))) from error
    victim.model.eval().requires_grad_(False)
    __ = victim.table, victim.scale, victim.hash  # once here, rather than in every view
    set_aside(again=next(_loads) % KEPT == 0)  # at most so many dead ones wait for it
    return victim
