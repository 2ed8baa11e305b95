"""Switching tabs and pages loses nothing that was chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import places
import pytest
from explore_pages import page, widget
from streamlit.testing.v1 import AppTest

from advlab.records.measured import OUTCOMES
from advlab.ui.explore import findings, many
from advlab.ui.explore.request import Request

ROOT = places.ROOT
EXPLORE, MANY, RUNS = ("pages/explore/explore.py", "pages/explore/many.py", "pages/train/runs.py")


def visit(path: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    app.session_state["many.count"] = 3  # of the data's sentences, before a test types its own
    return go(app, path)


def go(app: AppTest, path: str) -> AppTest:
    """The way of the navigation: another page with an empty address."""
    app.switch_page(path)
    for name in list(app.query_params):
        del app.query_params[name]
    app.session_state["controls"] = True  # Explore's fold of controls is open
    return app.run()


def own_texts(app: AppTest, text: str) -> AppTest:
    widget(app, "selectbox", "source").set_value(many.OWN_TEXTS).run()
    return widget(app, "text_area", "text").set_value(text).run()


def test_many_keeps_its_sentences_and_settings_while_another_page_is_open(two_models: Path):
    app = own_texts(visit(MANY), "a dull film\nnever a better play")
    widget(app, "selectbox", "attack").set_value("fgm").run()
    widget(app, "number_input", "eps").set_value(0.125).run()
    widget(app, "selectbox", "a").set_value("local:first").run()
    widget(app, "text_input", "search").set_value("dull").run()
    go(app, RUNS)
    go(app, MANY)
    assert not app.exception
    assert widget(app, "selectbox", "source").value == many.OWN_TEXTS
    assert widget(app, "text_area", "text").value == "a dull film\nnever a better play"
    assert widget(app, "selectbox", "attack").value == "fgm"
    assert widget(app, "number_input", "eps").value == 0.125
    assert widget(app, "selectbox", "a").value == "local:first"
    assert widget(app, "text_input", "search").value == "dull"
    assert set(app.dataframe[0].value["text"]) == {"a dull film"}


def test_many_follows_models_and_attack_when_they_change_on_explore(two_models: Path):
    app = own_texts(visit(MANY), "a dull film")
    go(app, EXPLORE)
    widget(app, "number_input", "eps").set_value(0.375).run()
    widget(app, "selectbox", "a").set_value("local:first").run()
    go(app, MANY)
    assert widget(app, "number_input", "eps").value == 0.375
    assert widget(app, "selectbox", "a").value == "local:first"
    assert widget(app, "text_area", "text").value == "a dull film"


def test_explore_keeps_what_was_chosen_while_another_page_is_open(two_models: Path):
    app = visit(EXPLORE)
    widget(app, "text_area", "text").set_value("a dull plot").run()
    widget(app, "selectbox", "attack").set_value("fgsm").run()
    widget(app, "selectbox", "label").set_value("positive").run()
    widget(app, "number_input", "seed").set_value(5).run()
    go(app, RUNS)
    go(app, EXPLORE)
    assert not app.exception
    assert widget(app, "text_area", "text").value == "a dull plot"
    assert widget(app, "selectbox", "attack").value == "fgsm"
    assert widget(app, "selectbox", "label").value == "positive"
    assert widget(app, "number_input", "seed").value == 5


def tabs_of_data_and_a_chart() -> None:
    import plotly.graph_objects as go
    import streamlit as st
    from samples import sample_record

    from advlab.ui.explore.results import Result
    from advlab.ui.explore.views.data import data
    from advlab.ui.parts import chart

    if st.toggle("data", key="which"):
        data([Result(sample_record(), "local:first", "{}")])
    else:
        chart(go.Figure(), "one", "a chart")


def test_the_kind_of_image_stays_chosen_on_the_other_tabs(two_models: Path):
    app = AppTest.from_function(tabs_of_data_and_a_chart, default_timeout=60).run()
    assert '"png"' in app.get("plotly_chart")[0].proto.config
    app.toggle[0].set_value(True).run()
    kind: Any = next(w for w in app.get("button_group") if w.key == "image_format")
    kind.set_value("svg").run()
    app.toggle[0].set_value(False).run()
    app.run()
    assert not app.exception
    assert '"svg"' in app.get("plotly_chart")[0].proto.config


def test_a_filter_attacks_nothing_again(two_models: Path, monkeypatch: pytest.MonkeyPatch):
    import advlab.explain.explore

    calls = []
    real = advlab.explain.explore.explore

    def counted(victim, text, **more):
        calls.append(text)
        return real(victim, text, **more)

    monkeypatch.setattr(advlab.explain.explore, "explore", counted)
    app = own_texts(visit(MANY), "a dull film\nnever a better play")
    assert calls[-2:] == ["a dull film", "never a better play"]
    before = len(calls)
    widget(app, "text_input", "search").set_value("dull").run()
    go(app, RUNS)
    go(app, MANY)
    assert len(calls) == before


def test_a_row_opens_as_the_same_sentence_models_and_attack(two_models: Path):
    from advlab.attacks import FGM

    request = Request(
        "a dull plot", "negative", ("local:second", "local:first"), FGM(0.3, unit="half-nn"), 4
    )
    app = page(**many.link(request))
    assert not app.exception
    assert widget(app, "text_area", "text").value == "a dull plot"
    assert widget(app, "selectbox", "a").value == "local:second"
    assert widget(app, "selectbox", "b").value == "local:first"
    assert widget(app, "selectbox", "attack").value == "fgm"
    assert widget(app, "selectbox", "unit").value == "half-nn"
    assert widget(app, "number_input", "eps").value == 0.3
    assert widget(app, "number_input", "seed").value == 4
    assert widget(app, "selectbox", "label").value == ""  # attacked as Many did


def test_a_model_that_is_gone_is_a_problem_in_words(two_models: Path):
    from advlab.attacks import FGM

    (found,) = findings.attack_all("local:gone", [("a dull plot", None)], FGM(0.3), 0)
    assert isinstance(found, findings.Problem)
    assert "local:gone" in found.message


def test_examples_are_told_apart_by_outcome_once_they_were_attacked(two_models: Path):
    app = page(a="local:first", text="a dull plot")
    app.session_state["explore.1.example.open"] = True
    app.run()
    widget(app, "text_input", "words").set_value("never").run()
    table = app.dataframe[0].value
    assert "outcome" not in table
    button = next(b for b in app.button if b.key and b.key.endswith("attack_all"))
    assert button.label == f"Attack the shown {len(table)}"
    button.click().run()
    assert not app.exception
    table = app.dataframe[0].value
    assert set(table["outcome"]) <= set(OUTCOMES)
    button = next(b for b in app.button if b.key and b.key.endswith("attack_all"))
    assert button.disabled
    counts = table["outcome"].value_counts()
    for outcome in OUTCOMES:
        widget(app, "button_group", "outcome").set_value(outcome).run()
        assert len(app.dataframe[0].value) == counts.get(outcome, 0)
        shown = app.dataframe[0].value
        assert "outcome" not in shown or set(shown["outcome"]) == {outcome}


def test_the_json_holds_the_attributions_what_they_are_worth_and_the_planes(two_models: Path):
    import json

    from advlab.attacks import PGD
    from advlab.ui.explore.results import Result, attacked
    from advlab.ui.explore.views import data

    request = Request("a dull plot and a boring film", None, ("local:first",), PGD(0.5, steps=2), 0)
    result = attacked("local:first", request)
    assert isinstance(result, Result)
    asked = (("integrated_gradients", "smooth_grad"), {"target": "margin", "baseline": "mask"})
    found = json.loads(data._json(result, asked))
    assert set(found["saliency"]) == {"integrated_gradients", "smooth_grad"}
    assert len(found["planes"]) == data.PLANES
    first, second = found["explanations"]
    assert first["missing"] is not None
    assert second["spread"] is not None
    # options of another model, which this one lacks, are not a crash
    maps, worth = data._explained(result, (("saliency",), {"of": "no such class"}))
    assert len(maps) == len(worth) == 1
