"""The first page: the starter pair, and the way to every other page; no browser."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from runs_in_states import ROOT, START, config, keys, make, page, said, trainer

from advlab.records import Event
from advlab.runs import jobs
from advlab.runs.standing import standing
from advlab.runs.starters import STARTER_GROUP, starter_pair
from advlab.training import worker
from advlab.ui.pages import CLASS_PAGES, PAGES
from advlab.ui.train import reading

pytestmark = pytest.mark.usefixtures("quiet_server", "saved_model")


def test_the_first_page_offers_one_button_while_there_is_no_model():
    app = page(START)
    assert [b.label for b in app.button] == ["Train the starter pair"]


def test_the_starter_pair_is_queued_together_and_shown():
    jobs.open_here(config("busy"))
    app = page(START)
    app.button[0].click().run()
    assert not app.exception
    pair = jobs.runs(group="starter")
    assert [r.config.method["name"] == "plain" for r in pair] == [False, True]
    assert "Training the starter pair" in said(app)
    assert {f"cancel.{r.id}" for r in pair} <= keys(app)
    again = page(START)  # a reload, or another visitor
    assert "Training the starter pair" in said(again)


OPENED = "Both are trained: attack a sentence"


def test_a_pair_that_is_there_is_opened_and_another_tasks_is_offered():
    for name, method in (("plain", "plain"), ("robust", "fgm")):
        asked = replace(config(name), method={"name": method, "end": "done"})
        info = jobs.open_here(asked, group="starter")
        worker.run(info.id, train=trainer)
    app = page(START)
    assert not app.exception
    assert OPENED in [str(link.proto.label) for link in app.get("page_link")]
    assert [b.label for b in app.button] == ["Train it again"]
    app.segmented_control(key="start.task").set_value("qa").run()
    assert [b.label for b in app.button] == ["Train the starter pair"]
    assert OPENED not in [str(link.proto.label) for link in app.get("page_link")]


def test_the_starter_pair_of_chinese_texts_is_chosen_by_their_language():
    jobs.open_here(config("busy"))
    app = page(START)
    app.segmented_control(key="start.corpus").set_value("dianping").run()
    assert "invented reviews in Chinese" in said(app)
    assert "It takes two to three minutes" in said(app)  # as many passes take
    app.button[0].click().run()
    assert not app.exception
    pair = jobs.runs(group="starter dianping")
    assert {r.config.data.source for r in pair} == {"dianping"}
    assert len(pair) == 2
    assert "Training the starter pair" in said(page(START))


def test_who_reads_chinese_is_offered_chinese_texts_first(monkeypatch: pytest.MonkeyPatch):
    from advlab.ui.learn import start

    monkeypatch.setattr(start, "language", lambda: "zh")
    app = page(START)
    assert app.session_state["start.corpus"] == "dianping"


def test_the_pair_lands_on_a_sentence_that_flips_the_plain_model_alone(
    monkeypatch: pytest.MonkeyPatch,
):
    from samples import renamed, sample_record

    import advlab.explain.explore
    from advlab.data.corpora import CORPORA
    from advlab.ui.train import starter

    texts = CORPORA["reviews"].showcase
    pair = tuple(jobs.run(str(make("done", name))) for name in ("plain", "robust"))
    hard = sample_record()
    soft = renamed(hard, readings={**hard.readings, "attacked": hard.clean})
    assert hard.flipped
    assert not soft.flipped
    asked: list[str] = []

    def explore(_: Any, text: str, **__: Any):
        asked.append(text)
        return hard if asked.count(text) == 1 and text == texts[1] else soft

    monkeypatch.setattr(advlab.explain.explore, "explore", explore)
    monkeypatch.setattr(starter, "is_warm", lambda: False)
    eps = f"{pair[0].config.train.eval_eps:g}"
    cold = {"a": pair[0].id, "b": pair[1].id, "attack": "pgd", "eps": eps, "unit": "norm"}
    assert starter.landing(pair) == cold | {"text": texts[0]}  # type: ignore[arg-type]
    assert not asked
    monkeypatch.setattr(starter, "is_warm", lambda: True)
    assert starter.landing(pair) == cold | {"text": texts[1]}  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["none", "done"])
def test_the_first_page_leads_to_every_page_with_a_line_on_each(state: str):
    make(state)
    app = page(START)
    lines = [line for group in PAGES.values() for line in group][1:]
    everywhere = {path.name for path in (ROOT / "pages").rglob("*.py")}
    of_a_class = {line.script for group in CLASS_PAGES.values() for line in group}
    assert len(lines) == len(everywhere) - 1 - len(of_a_class)
    shown = said(app)
    links = [str(link.proto.label) for link in app.get("page_link")]
    for line in lines:
        assert f"**{line.title}**" in links
        assert line.about in shown


def test_while_the_pair_trains_it_is_told_what_is_trained_and_how_far_delta_goes():
    pair = [jobs.open_here(c, group=STARTER_GROUP) for c in starter_pair()]
    assert "Still ε is 0" in reading.delta(pair[1], standing(()))
    for run in pair:
        with run.folder.writer() as diary:
            diary.append(
                Event("start", 0, 1.0, {"epochs": 3, "parameters": 173442, "train_texts": 2856})
            )
            values = {"clean_loss": 0.31, "adv_loss": 0.52, "delta_norm": 0.3, "embed_norm": 2.0}
            diary.append(Event("step", 5, 2.0, values))
        jobs.Store().advance(run.id, 1, 5, 10, {})
    app = page(START)
    assert not app.exception
    shown = said(app).replace("\\", "")
    assert "Two small networks of 173,442 numbers each" in shown
    assert "read the same 2,856 texts (invented reviews of" in shown
    assert "in the same order, 3 times over" in shown
    assert "By now δ is 0.15 of a word vector long" in shown
    assert "raises the loss from 0.31 to 0.52 nats" in shown
    assert "here 0.3 of the length of one word vector" in shown
    assert len(reading.PICTURE.split()) < 70  # still short


def test_the_first_page_needs_no_torch():
    code = (
        "import sys; from pathlib import Path\n"
        "import advlab.ui.launch as launch\n"
        "launch.start_warming = lambda: None\n"
        "from streamlit.testing.v1 import AppTest\n"
        "app = AppTest.from_file('app.py', default_timeout=60).run()\n"
        "assert not app.exception and app.button, app\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
