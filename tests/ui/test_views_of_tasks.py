"""The views of the Explore page for models that point at their answer or write it."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from task_cases import KINDS, case

from advlab.ui.explore.view import VIEWS


@pytest.fixture
def home_of_tasks(advlab_home: Path) -> Path:
    """One tiny random model of each task as a folder under `models`."""
    for kind in KINDS:
        case(kind)[0].save(advlab_home / "models" / kind)
    return advlab_home


def one_view() -> None:
    """A page that draws one view of the first text of a task under its model."""
    import streamlit as st
    from task_cases import case

    from advlab.attacks import build_attack
    from advlab.ui.explore.request import Request
    from advlab.ui.explore.results import Problem, attacked
    from advlab.ui.explore.view import VIEWS

    kind = st.session_state["kind"]
    example = case(kind)[1][2]  # a short one
    attack = build_attack({"name": "pgd", "steps": 2, "eps": 1.0})
    request = Request(
        example.text, example.answer, (f"local:{kind}",), attack, 0, beside=example.beside
    )
    found = attacked(f"local:{kind}", request)
    assert not isinstance(found, Problem), found
    VIEWS[st.session_state["view"]]([found])


def opened(view: str, kind: str) -> AppTest:
    app = AppTest.from_function(one_view, default_timeout=60)
    app.session_state["kind"], app.session_state["view"] = kind, view
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    """All that is said on the page."""
    html = " ".join(e.proto.body for e in app.get("html"))
    told = [*app.markdown, *app.caption, *app.subheader]
    return " ".join([unescape(re.sub(r"<[^>]+>", "", html)), *(m.value for m in told)])


SAYS = {  # what no other task's picture of a view says
    ("Overview", "qa"): "framed: the answer",
    ("Overview", "translation"): "of the reference per token",
    ("Overview", "dialogue"): "of the reference per token",
    ("Saliency", "translation"): "the encoder's layers",
    ("Saliency", "dialogue"): "Explained: logit of",
    ("Saliency", "qa"): "Explained: score of",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("view", list(VIEWS))
@pytest.mark.usefixtures("home_of_tasks")
def test_every_view_of_every_task_is_drawn_to_its_end(view: str, kind: str):
    app = opened(view, kind)
    said = texts(app)
    assert not app.error
    assert "expected " not in said  # the words of an error
    assert not re.search(r"\b(class(es)?|sentiment|label)\b", said, re.IGNORECASE)
    assert re.search(SAYS.get((view, kind), ""), said)


@pytest.mark.parametrize("kind", ["translation", "dialogue"])
@pytest.mark.usefixtures("home_of_tasks")
def test_every_player_of_a_perturbation_shows_what_is_written_token_by_token(kind: str):
    app = opened("Perturbation", kind)
    reels = [
        json.loads(e.proto.json)["reel"]
        for e in app.get("bidi_component")
        if "reel" in e.proto.json
    ]
    assert len(reels) == 2
    assert all(panel["chips"] for reel in reels for panel in reel["panels"])
