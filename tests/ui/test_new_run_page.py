"""The form of a new run, its presets and uploaded files; no browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runs_in_states import NEW, config, page, said
from streamlit.testing.v1 import AppTest

from advlab.records import Event
from advlab.runs import jobs
from advlab.ui.train import presets

pytestmark = pytest.mark.usefixtures("quiet_server")


def test_a_new_run_is_submitted_as_chosen():
    jobs.open_here(config("busy"))
    app = page(NEW)
    app.pills(key="method.name").set_value("freelb").run()
    app.number_input(key="method.freelb.steps").set_value(2)
    app.number_input(key="train.scratch.epochs").set_value(1)
    app.text_input(key="run.name").set_value("mine").run()
    app.button(key="start").click().run()
    assert not app.exception
    run = jobs.runs()[0]
    assert (run.name, run.status) == ("mine", "queued")
    assert run.config.method["name"] == "freelb"
    assert run.config.method["steps"] == 2
    assert run.config.train.epochs == 1


def test_a_preset_fills_the_form_and_says_so(monkeypatch: pytest.MonkeyPatch):
    jobs.open_here(config("busy"))
    app = page(NEW)
    assert not app.exception
    in_use = {b.key for b in app.button if b.label == "In use"}
    assert in_use == {"preset.standard"}  # what the form holds when nothing was chosen
    app.button(key="preset.strong").click().run()
    assert not app.exception
    assert {b.key for b in app.button if b.label == "In use"} == {"preset.strong"}
    app.button(key="start").click().run()
    run = jobs.runs()[0]
    strong = presets.PRESETS["strong"]
    assert run.config.method == strong.settings()
    assert run.config.train == strong.train("tiny")


def test_a_preset_stays_in_use_for_a_model_with_other_defaults_and_ends_with_a_change():
    app = page(NEW)
    app.button(key="preset.quick").click().run()
    app.radio(key="model.kind").set_value("minilm").run()
    quick = presets.PRESETS["quick"].train("minilm")
    assert app.number_input(key="train.pretrained.1.epochs").value == quick.epochs
    assert [b.key for b in app.button if b.label == "In use"] == ["preset.quick"]
    app.number_input(key="train.pretrained.1.epochs").set_value(7).run()
    assert not [b.key for b in app.button if b.label == "In use"]


def test_every_method_is_in_sight_and_told_in_words():
    from advlab.training.methods import METHODS

    app = page(NEW)
    shown = said(app)
    assert app.pills(key="method.name").options == [m.title for m in METHODS.values()]
    for method in METHODS.values():
        assert method.gist in shown
        assert not set(method.gist) & set("δελθρβγξ½∇_=‖`")
    app.pills(key="method.name").set_value("freelb").run()
    assert not app.exception
    assert not [c.value for c in app.caption if "`" in c.value.replace("\\`", "`")]


def test_only_methods_that_can_train_the_task_are_offered():
    from advlab.training.methods import METHODS

    app = page(NEW)
    app.pills(key="method.name").set_value("c-advul").run()
    app.selectbox(key="data.corpus").set_value("stories").run()
    assert not app.exception
    offered = app.pills(key="method.name")
    assert offered.options == [m.title for n, m in METHODS.items() if n != "c-advul"]
    assert offered.value != "c-advul"
    assert METHODS["c-advul"].gist not in said(app)


def test_minutes_are_told_from_runs_that_ended_here_or_not_at_all():
    quick = presets.PRESETS["quick"]
    assert presets.pace_of("tiny", "reviews") is None
    assert "not known" in presets.minutes(quick, "tiny", 1000, None)
    other = presets.Pace(0.001, same_data=False)
    # 1,000 texts × 3 of 8 epochs × 2 passes at a millisecond
    assert presets.minutes(quick, "tiny", 1000, other) == "about 5 s, judged by other texts"
    slow = presets.Pace(0.1, same_data=True)
    assert presets.minutes(quick, "tiny", 1000, slow) == "about 10 min"


def test_the_pace_is_that_of_the_newest_run_of_the_model_on_the_same_texts():
    run = jobs.open_here(config("timed"))
    with run.folder.writer() as diary:
        diary.append(Event("start", 0, 0.0, {"epochs": 2, "steps": 4, "train_texts": 500}))
        diary.append(Event("epoch", 4, 1.0, {"epoch": 2}))
        diary.append(Event("end", 4, 9.0, {"reason": "done", "seconds": 4.0, "cost": 2.0}))
    jobs.Store().finish(run.id, 1, "done")
    found = page(NEW)
    assert not found.exception
    assert presets.rounded(5400) == "1.5 h"
    pace = paced("tiny", "reviews")
    assert pace == (4.0 / (2.0 * 2 * 500), True)
    assert paced("tiny", "messages") == (pace[0], False)
    assert paced("small", "reviews") is None


def test_a_pretrained_model_brings_its_own_training_defaults():
    app = page(NEW)
    app.radio(key="model.kind").set_value("minilm").run()
    assert app.number_input(key="train.pretrained.lr").value == pytest.approx(1e-4)


def paced(model: str, data: str) -> Any:
    found = presets.pace_of(model, data)
    return None if found is None else (found.seconds, found.same_data)


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    app.segmented_control(key="data.kind").set_value("file").run()
    app.file_uploader(key="data.upload").upload(name, content).run()
    return app


ROWS = "".join(
    f"{'gut' if i % 2 else 'schlecht'};Der {i}. Film für „uns“ war schön {i}\n" for i in range(60)
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_an_uploaded_file_is_guessed_previewed_and_kept(encoding: str, advlab_home: Path):
    app = upload(page(NEW), "filme.csv", ("urteil;satz\n" + ROWS).encode(encoding))
    assert not app.exception
    assert not app.error
    assert "Der 1. Film für „uns“" in str(app.dataframe[0].value)
    assert Path(app.text_input(key="data.path").value).is_relative_to(advlab_home / "data")
    jobs.open_here(config("busy"))
    app.button(key="start").click().run()
    data = jobs.runs()[0].config.data
    assert (data.text_column, data.label_column) == ("satz", "urteil")
    assert Path(data.source).is_file()


def test_a_wrong_guess_can_be_corrected():
    app = upload(page(NEW), "filme.csv", ("urteil;satz\n" + ROWS).encode())
    box = next(b for b in app.selectbox if str(b.key).endswith(".header"))
    box.set_value(False).run()
    assert not app.exception
    assert "0 (class)" in app.dataframe[0].value.columns
    texts = next(b for b in app.selectbox if str(b.key).endswith("Column with the text"))
    assert list(texts.options) == ["0", "1"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("one.csv", b"label,text\n" + b"".join(b"a,text %d\n" % i for i in range(50)), "class"),
        ("bytes.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        ("empty.csv", b"", "empty"),
    ],
)
def test_wrong_files_are_named_and_nothing_else_is_lost(name: str, content: bytes, reason: str):
    app = page(NEW)
    app.text_input(key="run.name").set_value("kept").run()
    upload(app, name, content)
    assert not app.exception
    assert reason in " ".join(e.value for e in app.error)
    assert app.button(key="start").disabled
    assert app.text_input(key="run.name").value == "kept"
    app.segmented_control(key="data.kind").set_value("corpus").run()
    assert not app.button(key="start").disabled


def test_a_file_whose_encoding_is_not_sure_is_read_once_it_is_chosen(advlab_home: Path):
    texts = ("não é tão mau", "há boas ideias", "uma canção lindíssima", "emoções verdadeiras")
    rows = "".join(f"{texts[i % 4]} número {i},{'ab'[i % 2]}\n" for i in range(30))
    file = advlab_home / "filmes.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(("text,label\n" + rows).encode("cp1252"))
    app = page(NEW)
    app.segmented_control(key="data.kind").set_value("file").run()
    app.text_input(key="data.path").set_value(str(file)).run()
    assert any("is not sure" in e.value for e in app.error)
    app.selectbox(key=f"data.read.{file}.encoding").set_value("cp1252").run()
    assert not app.exception
    assert not app.error
    assert "30 rows" in said(app)
    assert app.selectbox(key=f"data.read.{file}.encoding").value == "cp1252"
