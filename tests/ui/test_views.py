"""The views of the Explore page: controls that outlive a change of tab, and what each must show."""

from __future__ import annotations

import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.usefixtures("two_models")


def one_view() -> None:
    """A page that draws one view of a sentence under one or two models, or none."""
    import importlib

    import streamlit as st

    from advlab.attacks import build_attack
    from advlab.ui.explore.request import Request
    from advlab.ui.explore.results import Result, attacked

    models = tuple(f"local:{m}" for m in st.session_state.get("models", ["first"]))
    attack = build_attack({"name": "pgd", **st.session_state.get("attack", {})})
    request = Request("a slow film, but never dull", None, models, attack, 0)
    results = [found for m in models if isinstance(found := attacked(m, request), Result)]
    if st.session_state.get("still"):  # the first model's δ is zero
        from dataclasses import replace

        record = results[0].record
        record = replace(record, delta=0 * record.delta, delta_norm=0 * record.delta_norm)
        results[0] = replace(results[0], record=record)
    name = st.session_state.get("open")
    if name:
        getattr(importlib.import_module(f"advlab.ui.explore.views.{name}"), name)(results)


def opened(view: str, *, link: dict[str, str] | None = None, **state: Any) -> AppTest:
    app = AppTest.from_function(one_view, default_timeout=60)
    for key, value in (link or {}).items():
        app.query_params[key] = value
    for key, value in state.items():
        app.session_state[key] = value
    return to(app, view)


def to(app: AppTest, view: str) -> AppTest:
    """Open a view, or none; nothing may fail."""
    app.session_state["open"] = view
    app.run()
    assert not app.exception
    return app


def control(app: AppTest, key: str) -> Any:
    kinds = ("selectbox", "toggle", "multiselect", "select_slider", "number_input", "button_group")
    return next((c for kind in kinds for c in app.get(kind) if c.key == key), None)


def texts(app: AppTest) -> str:
    """All that is said on the page."""
    return " ".join([*(e.proto.body for e in app.get("html")), *(m.value for m in app.markdown)])


FOLDS = {  # view -> its folded tables, and how many there are in them
    "overview": (["predictions0", "curve"], 2),
    "perturbation": (["norms", "steps", "delta0"], 3),
    "geometry": (["plane0", "distances0", "seeds", "lines"], 5),
    "saliency": (["saliency0", "rho0", "layers0"], 4),
    "projection": (["exits0", "scaled0"], 2),
}


@pytest.mark.parametrize("view", FOLDS)
def test_tables_are_made_when_they_are_opened_and_not_before(view: str):
    names, tables = FOLDS[view]
    before = len(opened(view).dataframe)
    app = opened(view, **{f"{name}.numbers": True for name in names})
    assert len(app.dataframe) == before + tables


CHOICES = [
    ("geometry", "token", 3),
    ("geometry", "surface.seed", 2),
    ("geometry", "surface.solid", True),
    ("geometry", "surface.on", False),
    ("geometry", "map.on", True),
    ("saliency", "saliency.target", "logit"),
    ("saliency", "saliency.of", "positive"),
    ("saliency", "saliency.baseline", "zero"),
    ("saliency", "saliency.rows", "tokens"),
    ("saliency", "saliency.shown", "difference"),
    ("saliency", "saliency.methods", ["occlusion"]),
    ("saliency", "saliency.baselines", ["pad"]),
    ("saliency", "saliency.layers", True),
    ("projection", "metric", "cosine"),
    ("projection", "space", "embedded"),
    ("projection", "nearest.clean", True),
    ("projection", "projection.whole", True),
]


@pytest.mark.parametrize(("view", "key", "value"), CHOICES)
def test_what_was_chosen_is_there_again_after_another_tab(view: str, key: str, value: Any):
    app = opened(view)
    assert control(app, key).value != value
    control(app, key).set_value(value).run()
    to(app, "")
    assert control(app, key) is None
    to(app, view)
    assert control(app, key).value == value


LINKS = [
    ("geometry", "token", "3: film", 3),
    ("geometry", "surface.seed", "3", 2),
    ("geometry", "surface.solid", "3-D", True),
    ("saliency", "saliency.target", "loss", "loss"),
    ("saliency", "saliency.baseline", "MASK", "mask"),
    # from a reader whose page is in Chinese
    ("saliency", "saliency.target", "损失", "loss"),
    ("geometry", "surface.solid", "平面", False),
    ("projection", "metric", "dot", "dot"),
    ("projection", "projection.whole", "true", True),
]


@pytest.mark.parametrize(("view", "key", "given", "value"), LINKS)
def test_a_link_restores_what_was_chosen(view: str, key: str, given: str, value: Any):
    assert control(opened(view, link={key: given}), key).value == value
    nonsense = control(opened(view, link={key: "99: nonsense"}), key).value
    assert nonsense == control(opened(view), key).value


def test_a_model_without_a_delta_does_not_empty_the_geometry_of_the_other():
    app = opened("geometry", models=["first", "second"], still=True)
    assert "The loss around the sentence" in [h.value for h in app.subheader]
    assert len(app.get("plotly_chart")) == 6  # of B: two planes, distances, surface, seeds, lines
    assert "B: " in texts(app)
    assert "A: On the straight line" not in texts(app)
    assert "no perturbed token" in texts(opened("geometry", still=True))


def test_baselines_stand_side_by_side_unasked_with_their_agreement():
    said = texts(opened("saliency"))
    for pair in ("PAD–MASK ρ = ", "PAD–zero ρ = ", "MASK–mean word ρ = "):
        assert pair in said
    assert "Probability of the explained answer" in said


def test_real_words_only_says_how_many_rows_it_leaves_out():
    app = opened("projection")
    assert "special and unused)" in texts(app)
    control(app, "projection.whole").set_value(True).run()
    assert not app.exception
    assert "pieces and punctuation)" in texts(app)
    assert "vocabulary rows are no candidates" in texts(app)


def test_replacements_are_tried_and_told():
    app = opened("projection", models=["first", "second"])
    assert texts(app).count("single replacements the gradient") == 2


OPENINGS = {  # view -> what its first sentence of each model may be about
    "perturbation": "‖δ‖²",
    "geometry": "δ",
    "saliency": "speaks",
    "projection": "Read as text",
    "data": "seed 0",
}


@pytest.mark.parametrize("view", OPENINGS)
def test_every_view_opens_with_its_answer_and_names_one_thing_to_look_at_next(view: str):
    app = opened(view, models=["first", "second"])
    said = [e.proto.body for e in app.get("html")]
    assert OPENINGS[view] in " ".join(said[:4])
    assert sum("<strong>Next: </strong>" in one for one in said) == 1
    assert "`" not in " ".join(said)


def test_the_overview_names_one_thing_to_look_at_next():
    said = [e.proto.body for e in opened("overview").get("html")]
    assert sum("<strong>Next: </strong>Look at ‘" in one for one in said) == 1


def test_saliency_begins_with_one_coloured_sentence_a_model_before_any_picture():
    app = opened("saliency", models=["first", "second"])
    said = [e.proto.body for e in app.get("html")]
    coloured = [one for one in said if "white-space:pre-wrap" in one]
    assert len(coloured) == 2
    assert "a slow film, but never dull" in re.sub(r"<[^>]+>", "", coloured[0])
    assert "perturbed" in coloured[0]  # on hover
    assert "Integrated gradients" in texts(app)
    control(app, "saliency.methods").set_value(["saliency"]).run()
    assert "Most sensitive at" in texts(app)
    assert "speaks against it" not in texts(app)
