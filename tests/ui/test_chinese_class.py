"""A class in Chinese: the teacher's parts, what stands above a student's page, the door."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from leftovers import english, said
from places import ROOT
from starlette.requests import Request
from streamlit.testing.v1 import AppTest
from test_chinese_pages import COLOURS, KNOWN

from advlab.classroom import Classroom, challenges, polls, progress
from advlab.classroom.challenges import kinds
from advlab.classroom.room import TEACHER
from advlab.language import speak
from advlab.lessons import progress as steps
from advlab.lessons.course import names
from advlab.runs import jobs
from advlab.runs.config import RunConfig
from advlab.runs.spaces import inside
from advlab.ui.classroom import session
from advlab.ui.classroom.door import routes

SENTENCE = "菜不难吃。"
# what stands there whatever the language: address, code, the class's file, a command, a sentence
# for the English models
OWN = re.compile(
    r"advlab prepare-class|The soup was hot, but I would never eat there again|https?://\S+|\b[A-Z0-9]{6}\b|class-\S+\.zip|large=1"
)


@pytest.fixture(autouse=True)
def in_chinese(room: Classroom) -> Iterator[None]:
    """Two students, one of them at work, and a reader of Chinese."""
    for name in ("小李", "老王"):
        room.join(room.code, name)
    with inside(room.space_of(room.students()[0].id)):
        steps.note(names()[1], 2, "predict", "x")
        jobs.submit(RunConfig("我的"))
    assert progress.last(room.space_of(room.students()[0].id).root)
    with speak("zh"):  # AppTest names the choices of widgets outside the page
        yield


def page_of(who: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The first page as it is drawn for a visitor."""
    monkeypatch.setattr(session, "_named", lambda room: who)
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["lang"] = "zh"
    test.run()
    assert not test.exception
    return test


def class_page() -> None:
    """The teacher's page as it is drawn for whoever comes."""
    from advlab.language import speak
    from advlab.ui.classroom import session
    from advlab.ui.classroom.teacher import teacher_page

    with speak("zh"):
        session.enter()
        teacher_page()


def teachers(part: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """One part of the teacher's page."""
    monkeypatch.setattr(session, "_named", lambda room: TEACHER)
    test = AppTest.from_function(class_page, default_timeout=60)
    test.session_state["part"] = part
    test.run()
    assert not test.exception
    assert test.segmented_control(key="part").value == part
    return test


def left(texts: list[str]) -> list[str]:
    """Each run of English with the text in which it stands."""
    found = {}
    for text in texts:
        bare = OWN.sub(" | ", re.sub(r"\\(?=[-.+_])", "", text))
        found |= dict.fromkeys(english(bare.replace("-badge[", "["), KNOWN), bare)
    return [f"{run}: {text[:200]}" for run, text in found.items() if run not in COLOURS]


def of(test: AppTest) -> list[str]:
    return [text for __, text in said(test)]


def at_work(room: Classroom, kind: str) -> None:
    """A question with an answer, and a challenge with a board."""
    anna = room.students()[0].id
    polls.answer(room, polls.ask(room, "哪个词？", ["不", "菜"]).id, anna, "不")
    text = "dianping" if kind == "model" else SENTENCE
    made = challenges.start(room, kind, text, "" if kind == "model" else "0123456789ab")
    challenges.enter(room, made, anna, 0.25, {})


@pytest.mark.parametrize("part", ["room", "question", "challenge", "export"])
def test_the_teachers_page_says_nothing_in_english(
    room: Classroom, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not left(of(page_of(TEACHER, monkeypatch)))
    room.hold(names()[0], 2)
    assert not left(of(teachers(part, monkeypatch)))
    at_work(room, "words")
    assert not left(of(teachers(part, monkeypatch)))
    polls.reveal(room, 1, "不")
    polls.ask(room, "多少？", [])
    assert not left(of(teachers(part, monkeypatch)))


@pytest.mark.parametrize("kind", list(kinds()))
def test_what_stands_above_a_students_page_says_nothing_in_english(
    room: Classroom, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = (student.id for student in room.students())
    assert not left(of(page_of(anna, monkeypatch)))
    at_work(room, kind)
    assert not left(of(page_of(anna, monkeypatch)))  # has answered, stands on the board
    test = page_of(ben, monkeypatch)
    next(b for b in test.button if b.key == "class.poll.1.keep").click().run()
    assert test.warning  # nothing was chosen
    assert not left(of(test))
    polls.reveal(room, 1, "不")
    assert not left(of(page_of(anna, monkeypatch)))


@pytest.mark.parametrize("form", [b"", b"code=WRONG&name=x", b"code=WRONG&name="])
def test_the_door_says_nothing_in_english(room: Classroom, form: bytes) -> None:
    scope = {
        "type": "http",
        "method": "POST" if form else "GET",
        "path": "/join",
        "query_string": b"",
        "headers": [(b"accept-language", b"zh-CN,en")],
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": form, "more_body": False}

    join = next(route for route in routes(room) if route.path == "/join")
    with ThreadPoolExecutor(1) as pool:  # a browser's loop may run in this thread
        answer = pool.submit(asyncio.run, join.endpoint(Request(scope, receive))).result()
    page = answer.body.decode()
    assert 'lang="zh"' in page
    assert not left([re.sub(r'<input[^>]*value="x"[^>]*>|<title>.*?</title>', "", page)])
