"""The form asks for a goal where a model writes its answers; the address keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest
from explore_pages import page, widget
from streamlit.testing.v1 import AppTest
from translators import shared_translator
from victims import shared_victim


@pytest.fixture
def translator(advlab_home: Path) -> Path:
    shared_translator("bart").save(advlab_home / "models" / "bart")
    return advlab_home


def asked(**more: str) -> AppTest:
    return page(
        a="local:bart",
        text="a dog",
        attack="pgd",
        eps="4",
        unit="norm",
        steps="10",
        view="Data",
        **more,
    )


def goal_of(app: AppTest) -> str:
    found = app.query_params["goal"]
    return found if isinstance(found, str) else found[0]


def test_a_link_with_a_goal_opens_with_it_and_follows_the_form(translator: Path) -> None:
    app = asked(goal="keyword:hund")
    assert not app.exception
    assert widget(app, "selectbox", "goal").value == "keyword"
    assert widget(app, "text_input", "words").value == "hund"
    assert goal_of(app) == "keyword:hund"
    widget(app, "text_input", "words").set_value("haus").run()
    assert goal_of(app) == "keyword:haus"
    widget(app, "selectbox", "goal").set_value("other").run()
    assert goal_of(app) == "other"
    widget(app, "selectbox", "goal").set_value("").run()
    assert "goal" not in app.query_params
    assert not app.exception


def test_a_model_that_writes_nothing_has_no_goals(advlab_home: Path) -> None:
    shared_victim("bert").save(advlab_home / "models" / "bert")
    app = page(a="local:bert", text="the film was good", attack="pgd", goal="other")
    assert not app.exception
    assert not [w for w in app.selectbox if w.key and w.key.endswith(".goal")]
    assert "goal" not in app.query_params
