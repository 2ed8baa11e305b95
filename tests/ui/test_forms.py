from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
from streamlit.testing.v1 import AppTest

from advlab.errors import SettingError
from advlab.runs.config import DataConfig, TrainConfig
from advlab.settings import setting, settings_of
from advlab.ui import plain_text
from advlab.ui.forms import step_for


@dataclass(frozen=True)
class Sample:
    """One field of every kind."""

    size: float = setting(0.5, "How far", unit="× ε", low=0.0, high=2.0)
    rate: float = setting(3e-5, "How fast")
    steps: int = setting(3, "How often", low=1, high=9)
    way: Literal["up", "down"] = setting("up", "Which way")
    loud: bool = setting(False, "Whether it is heard")
    mark: str | None = setting(None, "A sign; guessed when empty")
    limit: int | None = setting(None, "At most", low=2)
    quotes: bool | None = setting(None, "Whether quotes count", advanced=True)

    def __post_init__(self) -> None:
        if self.way == "down" and self.loud:
            raise SettingError("expected a quiet way down, got a loud one; *turn* it off")


def script() -> None:
    import streamlit as st
    from test_forms import Sample

    from advlab.ui.forms import form_for

    made = form_for(Sample, "f", {"steps": 4}, exclude=("rate",))
    st.session_state["made"] = made


@pytest.fixture
def form() -> AppTest:
    return AppTest.from_function(script, default_timeout=20).run()


def test_an_untouched_form_gives_the_defaults_and_the_given_values(form: AppTest):
    assert not form.exception
    assert form.session_state["made"] == Sample(steps=4)


def test_every_kind_of_field_reaches_the_instance(form: AppTest):
    form.number_input(key="f.size").set_value(1.25)
    form.number_input(key="f.steps").set_value(7)
    form.selectbox(key="f.way").set_value("down")
    form.text_input(key="f.mark").set_value(";")
    form.number_input(key="f.limit").set_value(10)
    form.selectbox(key="f.quotes").set_value(True).run()
    assert form.session_state["made"] == Sample(
        size=1.25, steps=7, way="down", mark=";", limit=10, quotes=True
    )


def test_an_emptied_optional_field_is_none_again(form: AppTest):
    form.text_input(key="f.mark").set_value(";").run()
    form.text_input(key="f.mark").set_value("").run()
    assert form.session_state["made"].mark is None


def test_a_field_shows_its_unit_help_and_bounds(form: AppTest):
    size = form.number_input(key="f.size")
    assert size.label == "Size (× ε)"
    assert size.help == plain_text("How far. From 0 to 2.")
    assert (size.min, size.max) == (0.0, 2.0)
    assert form.number_input(key="f.limit").help == plain_text("At most. At least 2.")


def test_advanced_fields_are_folded_and_excluded_ones_absent(form: AppTest):
    inside = form.expander[0].selectbox
    assert [w.key for w in inside] == ["f.quotes"]
    assert "f.rate" not in {w.key for w in form.number_input}


def test_what_does_not_fit_is_said_beside_the_form_and_nothing_is_lost(form: AppTest):
    form.selectbox(key="f.way").set_value("down")
    form.toggle(key="f.loud").set_value(True).run()
    assert form.session_state["made"] is None
    assert form.error[0].value == plain_text(
        "expected a quiet way down, got a loud one; *turn* it off"
    )
    form.toggle(key="f.loud").set_value(False).run()
    assert form.session_state["made"] == Sample(steps=4, way="down")


@pytest.mark.parametrize("cls", [DataConfig, TrainConfig])
def test_every_setting_of_a_run_has_a_help_sentence(cls: type):
    assert settings_of(cls)
    assert all(len(item.meta.help) > 10 for item in settings_of(cls))


@pytest.mark.parametrize(
    ("value", "step"), [(0.25, 0.05), (1.0, 0.5), (3e-5, 5e-6), (0.0, 0.1), (None, 0.1)]
)
def test_a_press_moves_a_value_by_a_part_of_itself(value: float | None, step: float):
    assert step_for(value) == pytest.approx(step)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[link](http://x)",
        "**b** _i_ `c`",
        ":red[x] :material/home:",
        "$x^2$",
        "# head",
        "| a | b |",
        "![](http://x/y.png)",
        "1. one",
        "http://x.example",
        "a@b.c",
    ],
)
def test_plain_text_leaves_no_markdown_sign_unescaped(text: str):
    import re

    shown = plain_text(text)
    assert re.sub(r"\\(.)", r"\1", shown) == text  # nothing but backslashes was added
    assert not re.search(r"(?<!\\)[`*_\[\]<>#$:|!@]", shown)


def test_plain_text_is_one_line_and_cut():
    assert plain_text("a\n\n b\tc") == "a b c"
    assert plain_text("abcdef", 4) == "abc…"


def test_choices_are_shown_in_words_and_kept_in_short():
    from advlab.training.methods import inputs

    def draw():
        import streamlit as st

        from advlab.training.methods import inputs
        from advlab.ui.forms import form_for

        st.session_state["made"] = form_for(inputs.FGM, "f")

    app = AppTest.from_function(draw).run()
    unit = app.selectbox(key="f.unit")
    assert unit.options[0] == "× mean norm"
    unit.select("× half-NN").run()
    made = app.session_state["made"]
    assert isinstance(made, inputs.FGM)
    assert made.unit == "half-nn"
