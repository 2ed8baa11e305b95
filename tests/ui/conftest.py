"""Models under `models`, and caches that no test inherits."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from explore_pages import TEXTS
from runs_in_states import quiet_server, saved_model
from streamlit.components.v2 import manifest_scanner

from advlab.classroom import Classroom
from advlab.classroom.scheduler import FairScheduler
from advlab.runs import jobs
from advlab.ui.classroom import session

__all__ = ["quiet_server", "saved_model"]


@pytest.fixture(autouse=True, scope="session")
def packages_are_scanned_once():
    """A page run in this process searches every installed package for components: a second each."""
    with pytest.MonkeyPatch.context() as patch:
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The folder of a random tiny model by its seed, made once: to be copied, not to be changed."""
    from advlab.model.tiny import tiny_victim
    from advlab.records import Dataset, Example

    texts = tuple(
        Example(str(i), text, (("negative", "positive")[label],))
        for i, (text, label) in enumerate(TEXTS * 3)
    )
    data = Dataset("tests", ("negative", "positive"), texts, texts, texts)
    made = tmp_path_factory.mktemp("random")

    def folder(seed: int) -> Path:
        if not (made / str(seed)).exists():
            tiny_victim("tiny", data, seed=seed, max_length=32).save(made / str(seed))
        return made / str(seed)

    return folder


@pytest.fixture
def two_models(advlab_home: Path, random_model: Callable[[int], Path]) -> Path:
    """Two random tiny models as folders under `models`."""
    for seed, name in enumerate(("first", "second")):
        shutil.copytree(random_model(seed), advlab_home / "models" / name)
    return advlab_home


@pytest.fixture(autouse=True)
def empty_caches():
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


class Asleep(FairScheduler):
    """What is queued stays queued."""

    def start(self) -> None:
        """Do nothing."""


@pytest.fixture
def room(advlab_home: Path) -> Iterator[Classroom]:
    """A class that this process serves."""
    room = Classroom(advlab_home)
    session.open_room(room)
    jobs.use_scheduler(Asleep(room.root, room.spaces))
    yield room
    jobs.use_scheduler(None)
    session.open_room(None)
