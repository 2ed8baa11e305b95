"""Runs in every state that they can be in, and the pages that show them; no browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import places
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from advlab.records import Dataset, Event, Example
from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig
from advlab.training import worker

ROOT = places.ROOT
START, NEW, RUNS = "pages/learn/start.py", "pages/train/new.py", "pages/train/runs.py"
EXPLORE = "pages/explore/explore.py"
RATE = {"value": 0.8, "low": 0.7, "high": 0.88, "n": 120}


@pytest.fixture
def quiet_server(advlab_home: Path) -> Iterator[None]:
    """No caches and no scheduler left over. What is queued stays queued: see `busy`."""
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    jobs.stop_scheduler()


def config(name: str = "", **method: Any) -> RunConfig:
    return RunConfig(name, DataConfig("reviews"), method={"name": "plain"} | method)  # type: ignore[arg-type]


def trainer(settings: RunConfig, folder: Path, *, resume: bool = False, stop: Any = None):
    """A few events like a real run's, then what the method's `end` says."""
    now = time.time()
    yield Event(
        "start",
        0,
        now,
        {"epochs": 2, "steps": 4, "label_names": ["a", "b"], "majority": 0.5, "eval_eps": 0.5},
    )
    for step in (1, 2):
        yield Event(
            "step",
            step,
            now,
            {
                "epoch": step / 2,
                "clean_loss": 0.6,
                "adv_loss": 0.7,
                "eta": 3.0,
                "cost": 2.0,
                "texts_per_second": 9.0,
            },
        )
    end = settings.method.get("end", "done")
    if end == "failed":
        raise KeyError("weights")
    yield Event("alarm", 2, now, {"name": "collapse", "message": "the loss *stayed* at chance"})
    yield Event(
        "epoch",
        4,
        now,
        {
            "epoch": 1,
            "clean_accuracy": RATE,
            "robust_accuracy": RATE,
            "majority": 0.5,
            "best": True,
        },
    )
    if end == "done":
        shutil.copytree(SAVED / "model", folder / "model")
    yield Event("end", 4, now, {"reason": end, "test_accuracy": RATE, "seconds": 2.0})


SAVED = Path()  # a tiny random model, made once


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> None:
    global SAVED
    from advlab.model.tiny import tiny_victim

    SAVED = tmp_path_factory.mktemp("saved")
    texts = tuple(
        Example(str(i), f"a good text {i}", (("negative", "positive")[i % 2],)) for i in range(8)
    )
    data = Dataset("tests", ("negative", "positive"), texts, texts, texts)
    tiny_victim("tiny", data, seed=0, max_length=32).save(SAVED / "model")


def make(state: str, name: str = "My run") -> str | None:
    """A run in the given state, by the real queue and worker."""
    if state == "none":
        return None
    if state == "queued":
        jobs.open_here(config("busy"))  # this process holds the one place
        return jobs.submit(config(name))
    info = jobs.open_here(config(name, end=state))
    if state == "running":
        with info.folder.writer() as diary:
            for event in trainer(info.config, info.folder.path):
                if event.kind != "end":
                    diary.append(event)
    else:
        worker.run(info.id, train=trainer)
    return info.id


def page(path: str, **params: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90).run()
    app.switch_page(path)
    for name, value in params.items():
        app.query_params[name] = value
    return app.run()


def said(app: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "warning", "error", "subheader", "title")
    return "\n".join(str(e.value) for kind in kinds for e in app.get(kind))


def keys(app: AppTest) -> set[str]:
    return {str(b.key) for b in app.button}
