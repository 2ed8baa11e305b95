"""Every page in every state that a run can be in, and what the pages do; no browser."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import places
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from advlab.records import Dataset, Event, Example
from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig
from advlab.runs.standing import standing
from advlab.runs.starters import STARTER_GROUP, starter_pair
from advlab.training import worker
from advlab.ui.pages import CLASS_PAGES, PAGES
from advlab.ui.train import presets, reading

ROOT = places.ROOT
START, NEW, RUNS = "pages/learn/start.py", "pages/train/new.py", "pages/train/runs.py"
EXPLORE = "pages/explore/explore.py"
RATE = {"value": 0.8, "low": 0.7, "high": 0.88, "n": 120}


@pytest.fixture(autouse=True)
def quiet_server(advlab_home: Path) -> Iterator[None]:
    """No caches and no scheduler left over. What is queued stays queued: see `busy`."""
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    jobs.stop_scheduler()


def config(name: str = "", **method: Any) -> RunConfig:
    return RunConfig(name, DataConfig("reviews"), method={"name": "plain"} | method)  # type: ignore[arg-type]


def trainer(settings: RunConfig, folder: Path, *, resume: bool = False, stop: Any = None):
    """A few events like a real run's, then what the method's `end` says."""
    now = time.time()
    yield Event(
        "start",
        0,
        now,
        {"epochs": 2, "steps": 4, "label_names": ["a", "b"], "majority": 0.5, "eval_eps": 0.5},
    )
    for step in (1, 2):
        yield Event(
            "step",
            step,
            now,
            {
                "epoch": step / 2,
                "clean_loss": 0.6,
                "adv_loss": 0.7,
                "eta": 3.0,
                "cost": 2.0,
                "texts_per_second": 9.0,
            },
        )
    end = settings.method.get("end", "done")
    if end == "failed":
        raise KeyError("weights")
    yield Event("alarm", 2, now, {"name": "collapse", "message": "the loss *stayed* at chance"})
    yield Event(
        "epoch",
        4,
        now,
        {
            "epoch": 1,
            "clean_accuracy": RATE,
            "robust_accuracy": RATE,
            "majority": 0.5,
            "best": True,
        },
    )
    if end == "done":
        shutil.copytree(SAVED / "model", folder / "model")
    yield Event("end", 4, now, {"reason": end, "test_accuracy": RATE, "seconds": 2.0})


SAVED = Path()  # a tiny random model, made once


@pytest.fixture(scope="module", autouse=True)
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> None:
    global SAVED
    from advlab.model.tiny import tiny_victim

    SAVED = tmp_path_factory.mktemp("saved")
    texts = tuple(
        Example(str(i), f"a good text {i}", (("negative", "positive")[i % 2],)) for i in range(8)
    )
    data = Dataset("tests", ("negative", "positive"), texts, texts, texts)
    tiny_victim("tiny", data, seed=0, max_length=32).save(SAVED / "model")


def make(state: str, name: str = "My run") -> str | None:
    """A run in the given state, by the real queue and worker."""
    if state == "none":
        return None
    if state == "queued":
        jobs.open_here(config("busy"))  # this process holds the one place
        return jobs.submit(config(name))
    info = jobs.open_here(config(name, end=state))
    if state == "running":
        with info.folder.writer() as diary:
            for event in trainer(info.config, info.folder.path):
                if event.kind != "end":
                    diary.append(event)
    else:
        worker.run(info.id, train=trainer)
    return info.id


def page(path: str, **params: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90).run()
    app.switch_page(path)
    for name, value in params.items():
        app.query_params[name] = value
    return app.run()


def said(app: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "warning", "error", "subheader", "title")
    return "\n".join(str(e.value) for kind in kinds for e in app.get(kind))


def keys(app: AppTest) -> set[str]:
    return {str(b.key) for b in app.button}


STATES = ("none", "queued", "running", "paused", "failed", "cancelled", "done")


@pytest.mark.parametrize("path", [START, NEW, RUNS, EXPLORE])
@pytest.mark.parametrize("state", STATES)
def test_every_page_stands_in_every_state(path: str, state: str):
    run_id = make(state)
    app = page(path, **({"run": run_id} if run_id and path == RUNS else {}))
    assert not app.exception
    assert app.title


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


@pytest.mark.parametrize(
    ("state", "wanted", "absent"),
    [
        ("queued", {"pause", "cancel", "delete"}, {"resume", "explore"}),
        ("running", {"pause", "cancel"}, {"resume", "explore", "delete"}),
        ("paused", {"resume", "delete"}, {"pause", "cancel"}),
        ("failed", {"resume", "delete"}, {"pause", "cancel", "explore"}),
        ("done", {"explore", "rename", "delete"}, {"pause", "cancel", "resume"}),
    ],
)
def test_a_run_offers_what_fits_its_state(state: str, wanted: set[str], absent: set[str]):
    run_id = make(state)
    found = keys(page(RUNS, run=run_id))
    assert wanted <= found
    assert not absent & found


def test_a_failed_run_says_why():
    app = page(RUNS, run=make("failed"))
    assert any("KeyError" in e.value for e in app.error)


def test_an_alarm_is_shown_as_it_was_written():
    app = page(RUNS, run=make("running"))
    assert any("\\*stayed\\*" in w.value for w in app.warning)


def test_a_queued_run_says_its_place():
    make("queued")
    second = jobs.submit(config("later"))
    app = page(RUNS, run=second)
    assert "place 2 in the queue" in said(app)


def test_pause_cancel_and_resume_reach_the_run():
    run_id = make("queued")
    assert run_id is not None
    app = page(RUNS, run=run_id)
    app.button(key="pause").click().run()
    assert jobs.run(run_id).status == "paused"
    app.button(key="resume").click().run()
    assert jobs.run(run_id).status == "queued"
    app.button(key="cancel").click().run()
    assert jobs.run(run_id).status == "cancelled"


def test_rename_and_delete_ask_and_then_do():
    run_id = make("cancelled")
    assert run_id is not None
    app = page(RUNS, run=run_id)
    app.button(key="rename").click().run()
    app.text_input(key=f"new-name.{run_id}").set_value("<b>新</b>")
    app.button(key="save-name").click().run()
    assert jobs.run(run_id).name == "<b>新</b>"
    assert "\\<b\\>新" in said(app)
    app.button(key="delete").click().run()
    assert jobs.run(run_id).status == "cancelled"  # nothing is gone before the answer
    app.button(key="delete-for-good").click().run()
    assert not app.exception
    assert not jobs.runs()


def test_a_rename_is_a_form_that_enter_sends():
    run_id = make("cancelled")
    app = page(RUNS, run=str(run_id))
    app.button(key="rename").click().run()
    field, save = app.text_input(key=f"new-name.{run_id}"), app.button(key="save-name")
    assert field.proto.form_id
    assert field.proto.form_id == save.proto.form_id
    assert save.proto.is_form_submitter


def test_a_run_shows_the_hash_that_links_and_capsules_use():
    run_id = make("done")
    from advlab.ui.models import load_victim, weights_of

    app = page(RUNS, run=str(run_id))
    assert f"weights {load_victim(str(run_id)).hash}" in said(app)
    assert weights_of(str(run_id)) == load_victim(str(run_id)).hash


@pytest.mark.parametrize("wrong", ["0123456789ab", "../../etc", "<script>"])
def test_a_wrong_run_in_the_address_is_said_and_the_list_stays(wrong: str):
    run_id = make("done")
    app = page(RUNS, run=wrong)
    assert not app.exception
    assert any("does not exist" in w.value for w in app.warning)
    assert f"open.{run_id}" in keys(app)


def test_runs_are_compared_over_each_other_with_what_differs():
    make("done", "first")
    make("cancelled", "second")
    app = page(RUNS, view="Compare")
    assert not app.exception
    assert len(app.get("plotly_chart")) == 2
    assert "Settings that differ" in said(app)


def test_the_table_lists_every_run():
    make("done", "first")
    make("failed", "second")
    app = page(RUNS, view="Table")
    assert list(app.dataframe[0].value["name"]) == ["second", "first"]


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


def test_no_page_lets_markdown_through_as_html():
    for file in [
        ROOT / "app.py",
        *(ROOT / "pages").rglob("*.py"),
        *(ROOT / "advlab/ui").glob("*.py"),
    ]:
        text = file.read_text(encoding="utf-8")
        assert "unsafe_allow_html" not in text, file
        assert "unsafe_allow_javascript" not in text, file


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


def test_no_list_to_choose_from_escapes_what_it_shows_as_it_is():
    """Streamlit reads Markdown in the options of radios and pills, not in those of a selectbox."""
    for path in sorted((ROOT / "advlab" / "ui").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                lists = node.func.attr in ("selectbox", "multiselect")
                given = [ast.unparse(k.value) for k in node.keywords if k.arg == "format_func"]
                assert not (lists and "plain_text" in " ".join(given)), (path.name, node.lineno)
