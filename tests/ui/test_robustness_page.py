from __future__ import annotations

from pathlib import Path
from typing import Any

import places
import pytest
from explore_pages import widget

from advlab.attacks import PGD
from advlab.data import load_data
from advlab.model.victim import Victim
from advlab.pictures.robustness import curves
from advlab.records import Event
from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig
from advlab.tasks import QuestionAnswering
from advlab.ui.compare.grids import seconds_for
from advlab.ui.compare.measure import Choice


def test_the_page_measures_and_a_second_time_reads_what_the_first_wrote(two_models: Path) -> None:
    from streamlit.testing.v1 import AppTest

    file = str(places.ROOT / "pages" / "compare" / "robustness.py")
    app = AppTest.from_file(file, default_timeout=120).run()
    assert not app.exception
    widget(app, "number_input", "count").set_value(10).run()
    widget(app, "text_input", "eps").set_value("0.1 many").run()
    assert "values of ε" in app.error[0].value
    widget(app, "text_input", "eps").set_value("0.1 0.5").run()
    next(b for b in app.button if b.label == "Measure").click().run()
    assert not app.exception
    assert "How much is left" in [h.value for h in app.subheader]
    told = " ".join(c.value for c in app.caption).replace("\\", "")
    assert "Texts: 10, drawn at random, of the " in told
    assert "test texts of reviews." in told
    assert "was trained on is not known here." in told
    files = sorted((two_models / "outcomes").rglob("*.json"))
    assert files
    stamps = [f.stat().st_mtime_ns for f in files]
    first = app.dataframe[0].value.to_json()
    next(b for b in app.button if b.label == "Measure").click().run()
    assert [f.stat().st_mtime_ns for f in files] == stamps
    assert app.dataframe[0].value.to_json() == first
    # another visit opens with it, and attacks nothing
    again = AppTest.from_file(file, default_timeout=120).run()
    assert not again.exception
    assert again.dataframe[0].value.to_json() == first
    assert [f.stat().st_mtime_ns for f in files] == stamps
    told_again = " ".join(c.value for c in again.caption).replace("\\", "")
    assert "Texts: 10, drawn at random, of the " in told_again
    # of other texts than those that are chosen at first, and it says so
    assert "The settings have changed since this was measured." in told_again
    assert any(b.key == "robustness.look" for b in again.button)
    widget(again, "number_input", "count").set_value(10)
    widget(again, "text_input", "eps").set_value("0.1 0.5").run()
    assert "The settings have changed" not in " ".join(c.value for c in again.caption)


def test_a_first_look_is_one_click_away_and_says_how_long_it_takes(two_models: Path) -> None:
    from streamlit.testing.v1 import AppTest

    file = str(places.ROOT / "pages" / "compare" / "robustness.py")
    app = AppTest.from_file(file, default_timeout=120).run()
    assert not app.exception
    assert not app.subheader  # how fast these models are is not known: nothing began by itself
    look = next(b for b in app.button if b.key == "robustness.look")
    assert look.label == "A first look: 40 texts, a minute or more"
    look.click().run()
    assert not app.exception
    assert "How much is left" in [h.value for h in app.subheader]
    captions = " ".join(c.value for c in app.caption).replace("\\", "")
    assert "A first look: the checks for misleading figures are made when you measure." in captions
    assert "Texts: 40, drawn at random" in captions
    assert list(app.dataframe[0].value["model"]) == ["first (folder)", "second (folder)"]
    # what is kept is shown at once by the next visit
    again = AppTest.from_file(file, default_timeout=120).run()
    assert "How much is left" in [h.value for h in again.subheader]
    # for other models it is not taken silently, and theirs is a click away
    models = next(m for m in app.multiselect if m.label == "Models")
    assert "The settings have changed" not in captions
    models.set_value(models.value[:1]).run()
    assert "The settings have changed" in " ".join(c.value for c in app.caption)
    next(b for b in app.button if b.key == "robustness.look").click().run()
    assert "The settings have changed" not in " ".join(c.value for c in app.caption)
    assert list(app.dataframe[0].value["model"]) == ["first (folder)"]


def test_a_grid_takes_as_long_as_its_passes_at_the_pace_of_the_models_training() -> None:
    choice = Choice(("0123456789ab", "local:x"), {}, DataConfig("reviews"), 40, 0)
    assert seconds_for(choice, 40, [PGD()], [0.1]) is None  # no such runs
    run = jobs.open_here(RunConfig("timed"))
    with run.folder.writer() as diary:
        diary.append(Event("start", 0, 0.0, {"epochs": 2, "steps": 4, "train_texts": 500}))
        diary.append(Event("epoch", 4, 1.0, {"epoch": 2}))
        diary.append(Event("end", 4, 9.0, {"reason": "done", "seconds": 4.0, "cost": 2.0}))
    jobs.Store().finish(run.id, 1, "done")
    one = Choice((run.id,), {}, DataConfig("reviews"), 40, 0)
    steps = PGD().steps
    assert seconds_for(one, 30, [PGD()], [0.1, 0.2]) == pytest.approx(
        (steps + 5 / 3) * 2 * 30 * 4.0 / (2.0 * 2 * 500)
    )


def test_axes_of_the_curves_have_units(measured: Any) -> None:
    grid, _ = measured
    layout: Any = curves(grid).layout
    assert layout.xaxis.title.text == "ε (× mean norm)"
    assert layout.yaxis.title.text == "texts read right (%)"
    assert layout.yaxis.tickformat == ".0%"


def test_a_readers_page_shows_what_people_quote_of_its_answers(advlab_home: Path) -> None:
    from streamlit.testing.v1 import AppTest

    data = load_data(DataConfig("stories", limit=60, task="qa"))
    task = QuestionAnswering(where="both")
    for seed, name in enumerate(("first", "second")):
        model, tokenizer = task.scratch("tiny", data, seed=seed, max_length=128)
        reader = Victim(model, tokenizer, task=task, name=name, max_length=128)
        reader.save(advlab_home / "models" / name)
    file = str(places.ROOT / "pages" / "compare" / "robustness.py")
    app = AppTest.from_file(file, default_timeout=300).run()
    assert not app.exception
    widget(app, "number_input", "count").set_value(10).run()
    widget(app, "text_input", "eps").set_value("0.1 0.5").run()
    assert next(b for b in app.checkbox if b.key == "robustness.quote").value
    next(b for b in app.button if b.label == "Measure").click().run()
    assert not app.exception
    assert [h.value for h in app.subheader][:2] == ["How much is left", "How good are the answers?"]
    figures = next(d.value for d in app.dataframe if "figure" in d.value)
    assert list(figures["figure"])[:2] == ["exact match", "F1"]
    assert set(figures["model"]) == {"first (folder)", "second (folder)"}
    # another visit opens with it; left out, it is gone
    again = AppTest.from_file(file, default_timeout=300).run()
    assert "How good are the answers?" in [h.value for h in again.subheader]
    next(b for b in app.checkbox if b.key == "robustness.quote").uncheck().run()
    next(b for b in app.button if b.label == "Measure").click().run()
    assert not app.exception
    assert "How good are the answers?" not in [h.value for h in app.subheader]


def in_a_lesson() -> None:
    from advlab.ui.compare.robustness import robustness_page
    from advlab.ui.guide import Guide, guided
    from advlab.ui.models import model_choices

    with guided(Guide(tuple(model_choices()), 10, 0.2)):
        robustness_page()


def test_a_lesson_measures_at_its_own_eps_and_is_not_what_the_page_opens_with(two_models: Path):
    from streamlit.testing.v1 import AppTest

    from advlab.ui.compare.grids import LAST

    app = AppTest.from_function(in_a_lesson, default_timeout=120).run()
    assert widget(app, "text_input", "eps").value == "0.1 0.2 0.4"
    next(b for b in app.button if b.label == "Measure").click().run()
    assert not app.exception
    assert "ε = 0.2" in app.dataframe[0].value.columns
    assert not (two_models / LAST).exists()
