from __future__ import annotations

from pathlib import Path
from typing import Any

import places
import pytest
from explore_pages import widget
from streamlit.testing.v1 import AppTest

from advlab.data.corpora import CORPORA
from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig, TrainConfig
from advlab.runs.starters import LEARNT, starter_pair
from advlab.studies import sweep
from advlab.ui.compare.robustness import Measured, link

APP, PAGE = str(places.ROOT / "app.py"), "pages/compare/questions.py"


def ask(question: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=120).run()
    app.switch_page(PAGE).run()
    app.segmented_control(key="questions.which").set_value(question).run()
    assert not app.exception
    return app


def measure(app: AppTest, page: str, texts: int = 10) -> AppTest:
    widget(app, "number_input", "count").set_value(texts).run()
    next(b for b in app.button if b.key == f"{page}.go").click().run()
    assert not app.exception
    assert not app.error
    return app


def told(app: AppTest) -> str:
    return " ".join(
        [*(m.value for m in app.markdown), *(e.proto.body for e in app.get("html"))]
    ).replace("\xa0", " ")


def test_without_a_model_or_a_run_each_question_says_what_to_do() -> None:
    for question in ("Does training converge?", "Do attacks stick?", "Does it carry over?"):
        assert "starter pair" in ask(question).info[0].value


def test_restarts_are_compared_on_the_same_texts(two_models: Path) -> None:
    app = ask("Do attacks stick?")
    widget(app, "number_input", "Starts").set_value(3).run()
    measure(app, "optima")
    assert "3 starts break" in told(app)
    assert len(app.get("plotly_chart")) == 4  # two over all, one a model
    files = list((two_models / "outcomes").rglob("*.json"))
    stamps = [f.stat().st_mtime_ns for f in files]
    measure(app, "optima")
    assert [f.stat().st_mtime_ns for f in files] == stamps  # read back
    widget(app, "number_input", "Starts").set_value(4).run()
    assert any("have changed" in c.value for c in app.caption)


def test_the_price_is_told_against_the_first_model(two_models: Path) -> None:
    app = measure(ask("What does it cost?"), "cost")
    assert "under attack at ε = 0.25" in told(app)
    assert list(app.dataframe[0].value["model"]) == ["first (folder)", "second (folder)"]


def test_carry_over_shows_three_tables(two_models: Path) -> None:
    app = measure(ask("Does it carry over?"), "carry")
    assert "second (folder) against first (folder)" in told(app)
    kinds = app.dataframe[0].value
    assert "one δ for all texts" in list(kinds["kind of attack"])
    assert len(app.get("plotly_chart")) == 3


def test_convergence_is_read_from_a_diary() -> None:
    from samples import diary

    config = RunConfig("settled", method={"name": "fgm"})
    info = jobs.open_here(config)
    with info.folder.writer() as file:
        for event in diary(lambda k: 0.3, lambda k: 0.6):
            file.append(event)
    app = ask("Does training converge?")
    assert "perturbed loss has settled" in told(app)
    assert len(app.get("plotly_chart")) == 2


def test_a_sweep_is_queued_once_stopped_and_gone_on_with() -> None:
    # the page alone: under the whole app the scheduler would begin to train
    app = AppTest.from_file(str(Path(APP).parent / PAGE), default_timeout=120)
    app.query_params["questions.which"] = "Which settings?"
    app.run()
    widget(app, "text_input", "eps").set_value("0.25 many").run()
    assert "write them like" in app.error[0].value
    widget(app, "text_input", "eps").set_value("0.25").run()
    start = next(b for b in app.button if b.key == "sweep.start")
    assert start.label == "Train 4 runs"
    start.click().run()
    assert not app.exception
    assert len(jobs.runs()) == 4
    assert next(b for b in app.button if b.key == "sweep.start").label == "All of these are there"
    next(b for b in app.button if b.key == "sweep.stop").click().run()
    assert {info.status for info in jobs.runs()} == {"paused"}
    next(b for b in app.button if b.key == "sweep.resume").click().run()
    assert {info.status for info in jobs.runs()} == {"queued"}


def test_a_sweep_of_another_task_starts_from_what_that_task_learns_by() -> None:
    app = AppTest.from_file(str(Path(APP).parent / PAGE), default_timeout=120)
    app.query_params["questions.which"] = "Which settings?"
    app.run()
    title = f"{CORPORA['stories'].title}, tiny model"
    app.selectbox(key="sweep.base").set_value(title).run()
    assert not app.exception
    assert "c-advul" not in app.multiselect(key="sweep.methods").options  # it names no wrong span
    next(b for b in app.button if b.key == "sweep.start").click().run()
    trained = {info.config.method["name"]: info.config for info in jobs.runs()}
    assert trained["plain"].data.task == "qa"
    starter = starter_pair(task="qa")[0].train
    for name in LEARNT:
        assert getattr(trained["plain"].train, name) == getattr(starter, name), name


def test_a_finished_sweep_is_ranked_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from advlab.cli.training import carry_out

    base = RunConfig(
        data=DataConfig("reviews", limit=40), train=TrainConfig(epochs=1, eval_limit=32)
    )
    asked = sweep.Sweep(("fgm",), (0.25,), (1,), (0,), base)
    for config in asked.configs():
        carry_out(config, group=asked.group)
    app = ask("Which settings?")
    table = next(d.value for d in app.dataframe if "setting" in d.value)
    assert sorted(table["setting"]) == ["fgm, ε 0.25", "plain"]
    infos = sweep.groups()[asked.group]
    assert sweep.ranking(infos).advice[:30] in told(app)


def test_a_cell_of_the_texts_leads_to_its_model_and_attack(measured: Any) -> None:
    found, examples = measured
    hashes = list(dict.fromkeys(row.model_hash for row in found.rows))
    whole = Measured(found, examples, {}, [], dict(zip(hashes, "xy", strict=True)), {})
    from advlab.pictures.robustness import name_of

    row = found.rows[3]  # the second model under the second attack
    n = int((row.broken == 1).argmax())
    address = link(whole, n, name_of(found, row))
    assert (address["a"], address["b"]) == ("y", "x")
    assert address["attack"] == "fgm"
    assert float(address["eps"]) == row.eps[min(max(int(row.broken[n]), 0), 2)]
    assert address["text"] == examples[n].text
    assert link(whole, n, "text")["a"] == "x"
