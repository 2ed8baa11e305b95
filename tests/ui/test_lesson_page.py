"""The course and its lessons: said first, done for real, revealed, left and gone on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import places
import pytest
from streamlit.testing.v1 import AppTest

from advlab.lessons import models, progress
from advlab.runs import jobs
from advlab.runs.starters import starter_group, starter_pair

APP = str(places.ROOT / "app.py")
LESSON, COURSE = "pages/learn/lesson.py", "pages/learn/course.py"


@pytest.fixture
def trained(advlab_home: Path, random_model: Callable[[int], Path]) -> tuple[str, str]:
    """A starter pair that is done, of two random tiny models."""
    ids = []
    for seed, config in enumerate(starter_pair()):
        run = jobs.open_here(config, group=starter_group("classification"))
        shutil.copytree(random_model(seed), run.folder.model)
        jobs.Store().finish(run.id, 1, "done")
        ids.append(run.id)
    return ids[0], ids[1]


def opened(page: str = LESSON, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=120).run()
    app.switch_page(page)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def button(app: AppTest, label: str) -> Any:
    return next(b for b in app.button if b.label == label)


def step_of(app: AppTest) -> str:
    """The step in the address, which holds it as text or as a list."""
    value: Any = app.query_params["step"]
    return value if isinstance(value, str) else value[0]


def labels(app: AppTest) -> list[str]:
    return [b.label for b in app.button]


def said(app: AppTest) -> str:
    return " ".join(
        [
            *(
                m.value
                for kind in ("markdown", "info", "success", "warning", "error", "caption")
                for m in app.get(kind)
            )
        ]
    )


def test_the_course_lists_its_lessons_and_what_they_need():
    app = opened(COURSE)
    from advlab.lessons.course import course

    links = [one.proto.label for one in app.get("page_link")]
    for one in course():
        assert any(one.title in label for label in links)
    assert "Train them all now" in labels(app)
    button(app, "Train them all now").click().run()
    assert len(jobs.runs()) == 2 * len({one.task for one in course()})
    assert models.needed() == ()
    assert "Train them all now" not in labels(app)


def test_the_first_start_of_a_lesson_queues_its_models_once():
    app = opened(lesson="02-noise")
    assert jobs.runs() == []
    button(app, "Begin").click().run()
    assert [r.name for r in jobs.runs()][::-1] == [c.name for c in starter_pair()]
    assert models.missing("classification") == ()
    app = opened(lesson="02-noise", step="3")
    assert "being trained" in said(app)
    assert len(jobs.runs()) == 2


def test_a_link_to_a_view_whose_models_are_missing_offers_to_train_them():
    app = opened(lesson="02-noise", step="3")
    button(app, "Train them now").click().run()
    assert len(jobs.runs()) == 2


def test_a_prediction_is_kept_before_anything_is_shown_and_stays():
    app = opened(lesson="02-noise", step="1")
    assert button(app, "Keep my prediction").disabled
    assert button(app, "Go on").disabled
    app.radio[0].set_value("some").run()
    button(app, "Keep my prediction").click().run()
    assert progress.predicted("02-noise", 1) == "some"
    assert "Keep my prediction" not in labels(app)
    assert not app.radio
    assert not button(app, "Go on").disabled
    button(app, "Go on").click().run()
    assert step_of(app) == "2"
    assert "Where does the attack flip it?" in [
        h.value for h in opened(lesson="02-noise").subheader
    ]


def test_nothing_measured_is_shown_before_what_was_predicted(trained: tuple[str, str]):
    app = opened(lesson="02-noise", step="4")
    assert "Predict first" in labels(app)
    assert "Measured" not in said(app)
    button(app, "Predict first").click().run()
    assert step_of(app) == "1"


def test_what_was_said_stands_beside_what_is_measured_now(trained: tuple[str, str]):
    progress.note("02-noise", 1, "predict", "most")
    progress.note("02-noise", 2, "predict", 0.2)
    app = opened(lesson="02-noise", step="4")
    assert not app.error, said(app)
    assert "You said: **Most of them**" in said(app)
    assert "Measured just now" in said(app)
    last = progress.lines()[-1]
    assert (last.lesson, last.step, last.kind, last.said) == ("02-noise", 1, "done", "most")
    assert last.measured in ("none", "some", "most")


def test_the_code_is_run_for_real_and_only_then_the_step_is_done(trained: tuple[str, str]):
    progress.note("01-reading", 1, "predict", "refused")
    app = opened(lesson="01-reading", step="2")
    assert button(app, "Go on").disabled
    assert "Skip" in labels(app)
    button(app, "Run it").click().run()
    assert "only Tensors of floating point" in said(app).replace("\\", "")
    assert button(app, "Go on").disabled
    button(app, "Run it with floats").click().run()
    assert 2 in progress.finished("01-reading")
    assert not button(app, "Go on").disabled


def test_a_word_that_is_shielded_completes_the_step_and_a_reset_frees_it(trained: tuple[str, str]):
    from advlab.lessons.course import lesson

    text = lesson("03-word").text
    progress.note("03-word", 1, "predict", "never")
    app = opened(lesson="03-word", step="2")
    assert 2 not in progress.finished("03-word")
    app.session_state["explore.shield"] = (text, ((4, 8),))
    app.run()
    assert 2 in progress.finished("03-word")
    app.query_params["reset"] = "1"
    app.run()
    assert app.session_state["explore.shield"] == (text, ())
    assert "reset" not in app.query_params
    assert progress.predicted("03-word", 1) == "never"


def test_a_question_is_answered_again_until_it_is_right(trained: tuple[str, str]):
    progress.note("01-reading", 1, "predict", "refused")
    app = opened(lesson="01-reading", step="4")
    app.radio[0].set_value("large").run()
    button(app, "Check").click().run()
    assert "Not this one" in said(app)
    assert button(app, "Go on").disabled
    app.radio[0].set_value("order").run()
    button(app, "Check").click().run()
    assert not button(app, "Go on").disabled
    kinds = [(m.kind, m.said) for m in progress.lines() if m.step == 4]
    assert kinds == [("check", "large"), ("check", "order")]


def test_a_step_that_the_teacher_holds_shows_nothing_and_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
):
    from advlab import classroom

    monkeypatch.setattr(classroom, "held", lambda one, step: step == 1, raising=False)
    app = opened(lesson="02-noise", step="1")
    assert "The teacher opens this step" in said(app)
    assert not app.radio
    assert button(app, "Go on").disabled
    assert "Skip" not in labels(app)


def test_notes_are_not_for_the_students_of_a_class(monkeypatch: pytest.MonkeyPatch):
    from advlab import classroom

    app = opened(lesson="02-noise", step="1")
    assert "For teachers" in [e.label for e in app.expander]
    monkeypatch.setattr(classroom, "may_read_notes", lambda: False, raising=False)
    app.run()
    assert "For teachers" not in [e.label for e in app.expander]


def test_a_lesson_that_is_not_there_is_told_with_those_that_are():
    app = opened(lesson="99-nothing")
    assert "02-noise" in app.error[0].value.replace("\\", "")


def test_an_odd_step_of_a_link_is_read_as_well_as_can_be():
    for step in ("-1", "x", "²", "99999"):
        assert "Begin" in labels(opened(lesson="02-noise", step=step))
    assert "What you expected" in opened(lesson="02-noise", step="99").subheader[0].value


def test_lines_are_json_that_others_can_read(advlab_home: Path):
    progress.note("02-noise", 1, "predict", "none")
    row = json.loads((advlab_home / "progress.jsonl").read_text())
    assert list(row) == ["when", "lesson", "step", "kind", "said", "measured"]
