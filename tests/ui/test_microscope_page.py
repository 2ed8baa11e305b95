"""The page of the microscope, with no browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from places import ROOT
from streamlit.testing.v1 import AppTest

from advlab.records import Event, Example
from advlab.runs import jobs
from advlab.ui.train import short_training, specimen
from advlab.ui.train.specimen import FRESH, Specimen

PAGE = "pages/train/microscope.py"
QUICK = {"corpus": "messages", "methods": "plain,pgd"}


@pytest.fixture(autouse=True)
def few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specimen, "TEXTS", 48)


def page(**params: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).switch_page(PAGE)
    for name, value in (QUICK | params).items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def control(app: AppTest, key: str) -> Any:
    kinds = ("selectbox", "number_input", "multiselect", "text_input", "button")
    return next(w for kind in kinds for w in app.get(kind) if w.key == key)


def test_a_link_opens_the_same_batch_and_the_address_keeps_what_is_changed() -> None:
    app = page(eps="0.3", steps="2", batch="2", pin="Win a prize today.")
    assert not app.error
    assert control(app, "corpus").value == "messages"
    assert control(app, "methods").value == ["plain", "pgd"]
    assert [control(app, k).value for k in ("eps", "steps", "batch")] == [0.3, 2, 2]
    assert control(app, "pin").value == "Win a prize today."
    changed = app.dataframe[0].value
    assert list(changed["method"]) == ["A: Plain", "B: PGD"]
    control(app, "methods").set_value(["fgm"]).run()
    assert app.query_params["methods"] == "fgm"
    assert list(app.dataframe[0].value["method"]) == ["A: FGM"]


def test_what_a_link_names_and_is_not_here_is_said() -> None:
    app = page(model="0123456789ab", methods="pgd,sam")
    told = " ".join(w.value for w in app.warning)
    assert "0123456789ab" in told
    assert "sam" in told
    assert control(app, "model").value == FRESH
    assert control(app, "methods").value == ["pgd"]


@pytest.mark.parametrize("corpus", ["stories", "normal-forms", "assistant"])
def test_every_task_has_its_slow_motion(corpus: str) -> None:
    app = page(corpus=corpus, methods="fgm")
    assert not app.error
    assert len(app.dataframe[0].value) == 1


def test_without_a_method_or_a_sentence_the_page_says_what_is_missing() -> None:
    app = page(pin=" ")
    assert any("Type a sentence" in i.value for i in app.info)
    app = page()
    control(app, "methods").set_value([]).run()
    assert not app.exception
    assert any("Choose a method" in i.value for i in app.info)


def test_the_short_training_is_a_pair_of_runs_alike_in_all_but_the_method() -> None:
    method = {"name": "pgd", "eps": 0.3}
    pinned = Example("pinned", "Win a prize.", ("spam",))
    found = short_training.configs(Specimen(FRESH, None, "messages"), method, 60, pinned)
    plain, other = found
    assert plain.method == {"name": "plain"}
    assert other.method == method
    assert (plain.train, plain.data, plain.model, plain.watch) == (
        other.train,
        other.data,
        other.model,
        other.watch,
    )
    assert plain.watch.text == "Win a prize."
    assert plain.watch.answer == "spam"
    steps = plain.train.epochs * -(-(plain.data.limit or 0) // plain.train.batch_size)
    assert 50 <= steps <= 66


def test_both_runs_are_shown_as_far_as_they_have_come(advlab_home: Path) -> None:
    pinned = Example("pinned", "Win a prize.")
    pair = short_training.configs(Specimen(FRESH, None, "messages"), {"name": "pgd"}, 60, pinned)
    runs = [jobs.open_here(config, group="microscope") for config in pair]
    rate = {"value": 0.75, "low": 0.6, "high": 0.9, "n": 32}
    for run in runs:
        with run.folder.writer() as diary:
            diary.append(Event("start", 0, 1.0, {"epochs": 1, "steps": 60}))
            told = {"clean_accuracy": rate, "robust_accuracy": rate, "eval_eps": 0.25}
            diary.append(Event("look", 5, 2.0, told | {"margin": 1.0, "flip_eps": None}))
            diary.append(Event("step", 5, 2.0, {"clean_loss": 0.5, "adv_loss": 0.9}))
    app = page(live=",".join(run.id for run in runs))
    assert not app.error
    shown = " ".join(c.value for c in app.caption)
    assert "Loss of both players" in shown
    assert len(app.get("plotly_chart")) == 4
    app = page(live="0123456789ab,0123456789ac")
    assert any("do not exist" in w.value for w in app.warning)


def test_the_button_queues_both_runs_and_the_address_names_them() -> None:
    app = page()
    control(app, "short.start").click().run()
    assert not app.exception
    queued = jobs.runs(group="microscope")
    assert {r.config.method["name"] for r in queued} == {"plain", "pgd"}
    assert sorted(app.query_params["live"].split(",")) == sorted(r.id for r in queued)
    jobs.stop_scheduler()
