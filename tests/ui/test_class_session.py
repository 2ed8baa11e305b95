"""A page belongs to the student whose cookie it came with: what it lists, keeps and opens is theirs."""

from __future__ import annotations

import pytest
from places import ROOT
from streamlit.testing.v1 import AppTest

from advlab.classroom import Classroom, polls
from advlab.classroom.room import TEACHER
from advlab.runs import jobs
from advlab.runs.config import RunConfig
from advlab.runs.spaces import inside
from advlab.ui.classroom import session
from advlab.ui.classroom.teacher import for_students


def page_of(
    who: str | None, monkeypatch: pytest.MonkeyPatch, path: str = "", **query: str
) -> AppTest:
    """The app as it is drawn for a visitor. AppTest sends no cookies, so what names them is given."""
    monkeypatch.setattr(session, "_named", lambda room: who)
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = value
    test.run()
    return test.switch_page(path).run() if path else test


def class_page() -> None:
    """The teacher's page as it is drawn for whoever comes."""
    from advlab.ui.classroom import session
    from advlab.ui.classroom.teacher import teacher_page

    session.enter()
    teacher_page()


def text_of(test: AppTest) -> str:
    return " ".join(
        str(e.value) for e in (*test.markdown, *test.caption, *test.warning, *test.error)
    )


def test_a_page_that_belongs_to_nobody_shows_nothing(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = page_of(None, monkeypatch)
    assert "Join the class first" in text_of(test)
    assert not test.title
    assert not test.exception


def test_a_students_list_holds_their_runs_alone(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = (room.join(room.code, name)[0].id for name in ("Anna", "Ben"))
    with inside(room.space_of(anna)):
        run_id = jobs.submit(RunConfig("Secret of Anna"))
    with inside(room.space_of(ben)):
        jobs.submit(RunConfig("Work of Ben"))
    own = page_of(anna, monkeypatch, "pages/train/runs.py", run=run_id)
    assert any("Secret of Anna" in b.label for b in own.button)
    other = page_of(ben, monkeypatch, "pages/train/runs.py", run=run_id)
    labels = " ".join(b.label for b in other.button)
    assert "Work of Ben" in labels
    assert "Anna" not in labels + text_of(other)
    assert "does not exist" in text_of(other)
    teacher = page_of(TEACHER, monkeypatch, "pages/train/runs.py", run=run_id)
    assert "Anna" not in " ".join(b.label for b in teacher.button)


def test_another_who_comes_in_by_the_same_window_finds_nothing_of_the_first(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = (room.join(room.code, name)[0].id for name in ("Anna", "Ben"))
    test = page_of(anna, monkeypatch)
    test.session_state["run.name"] = "Secret of Anna"
    monkeypatch.setattr(session, "_named", lambda room: ben)
    test.run()
    assert "run.name" not in test.session_state
    assert "You are Ben" in text_of(test)


def test_the_teachers_page_is_in_no_students_menu(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = room.join(room.code, "Anna <b>")[0].id
    monkeypatch.setattr(session, "_named", lambda room: TEACHER)
    test = AppTest.from_function(class_page, default_timeout=60).run()
    assert [t.value for t in test.title] == ["The class"]
    assert not test.exception
    html = " ".join(str(e.proto) for e in test.get("html"))
    assert room.code in html
    assert next(s for s in test.selectbox if s.label == "Lesson").options[1] == (
        "2 · Noise is not an attack"
    )
    assert "Anna &lt;b&gt;" in html
    assert room.secret not in html + text_of(test)
    monkeypatch.setattr(session, "_named", lambda room: anna)
    student = AppTest.from_function(class_page, default_timeout=60).run()
    assert not student.title
    assert [i.value for i in student.info] == ["This page is the teacher's."]


def test_a_question_is_answered_on_the_students_page_and_kept(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = room.join(room.code, "Anna")[0].id
    poll = polls.ask(room, "Which *word*?", ["never", "<b>hot</b>"])
    test = page_of(anna, monkeypatch)
    next(b for b in test.button if b.label == "Keep my prediction").click().run()
    assert [w.value for w in test.warning] == ["Say what you expect first\\."]
    test.run()  # it is looked again: what was told stays
    assert test.warning
    (radio,) = test.radio
    radio.set_value("<b>hot</b>")
    next(b for b in test.button if b.label == "Keep my prediction").click()
    test.run()
    assert not test.warning
    assert polls.answers(room, poll.id) == {anna: "<b>hot</b>"}
    assert not test.exception


def test_a_students_form_names_no_place_of_the_server(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = room.join(room.code, "Anna")[0].id
    test = page_of(anna, monkeypatch, "pages/train/new.py")
    assert not test.exception
    assert list(next(r for r in test.radio if r.label == "Model").options) == ["Tiny", "Small"]
    labels = [t.label for t in test.text_input]
    assert not [label for label in labels if "path" in label.lower() or "Hugging" in label]


def test_without_a_class_nobody_is_asked_for_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert [t.value for t in test.title] == ["advlab"]
    assert "You are" not in text_of(test)
    jobs.stop_scheduler()


@pytest.mark.parametrize(
    ("teachers", "shown"),
    [
        ("http://localhost:8501/class", "http://192.0.2.7:8501"),
        ("http://127.0.0.1:8501/class?part=room", "http://192.0.2.7:8501"),
        ("http://[::1]:8501/class", "http://192.0.2.7:8501"),
        ("https://lab.example.org/adv/class", "https://lab.example.org/adv"),
        ("https://lab.example.org/classes/class", "https://lab.example.org/classes"),
        ("https://class.example.org:8443/class?part=room", "https://class.example.org:8443"),
    ],
)
def test_the_teachers_page_shows_an_address_that_others_can_open(teachers: str, shown: str) -> None:
    assert for_students(teachers, "http://192.0.2.7:8501") == shown
    # nothing better is known
    assert for_students("http://localhost:8501/class", "") == "http://localhost:8501"
