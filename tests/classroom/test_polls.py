"""Questions are answered once, by those who are asked, and revealed beside what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from advlab.classroom import Classroom, polls
from advlab.errors import ClassError


@pytest.fixture
def room(tmp_path: Path) -> Classroom:
    return Classroom(tmp_path)


@pytest.fixture
def ids(room: Classroom) -> list[str]:
    return [room.join(room.code, name)[0].id for name in ("Anna", "Ben", "Cem")]


def test_an_answer_is_kept_once_and_survives_the_server(room: Classroom, ids: list[str]) -> None:
    poll = polls.ask(room, "  Which\nword? ", ["never", "hot", " ", "never"])
    assert (poll.question, poll.choices) == ("Which word?", ("never", "hot"))
    polls.answer(room, poll.id, ids[0], "never")
    with pytest.raises(ClassError, match="kept already"):
        polls.answer(room, poll.id, ids[0], "hot")
    with pytest.raises(ClassError, match="one of the choices"):
        polls.answer(room, poll.id, ids[1], "<script>")
    assert polls.answers(Classroom(room.root), poll.id) == {ids[0]: "never"}


def test_the_histogram_marks_what_was_measured(room: Classroom, ids: list[str]) -> None:
    poll = polls.ask(room, "Which?", ["a", "b", "c"])
    for who, value in zip(ids, "aab", strict=True):
        polls.answer(room, poll.id, who, value)
    polls.reveal(room, poll.id, "b")
    found = polls.poll(room, poll.id)
    bars = polls.histogram(found, list(polls.answers(room, poll.id).values()))
    assert [(b.label, b.n, b.true) for b in bars] == [
        ("a", 2, False),
        ("b", 1, True),
        ("c", 0, False),
    ]
    with pytest.raises(ClassError, match="no more answers"):
        polls.answer(room, poll.id, room.join(room.code, "Dan")[0].id, "a")


def test_numbers_stand_in_bars_and_the_measured_one_inside(room: Classroom, ids: list[str]) -> None:
    poll = polls.ask(room, "How many %?")
    for who, value in zip(ids, ("10", "20,0", "90 %"), strict=True):
        polls.answer(room, poll.id, who, value)
    for nonsense in ("many", "", "nan", "1e999", "=1+1"):
        with pytest.raises(ClassError, match="Expected a number"):
            polls.answer(room, poll.id, room.join(room.code, "x")[0].id, nonsense)
    polls.reveal(room, poll.id, "97")
    bars = polls.histogram(polls.poll(room, poll.id), ["10", "20", "90"])
    assert sum(b.n for b in bars) == 3
    assert [b.true for b in bars] == [False, False, True]


@pytest.mark.parametrize(
    ("question", "choices"), [("", []), ("x", ["one"]), ("x", list("abcdefghi"))]
)
def test_what_is_no_question_is_refused(room: Classroom, question: str, choices: list[str]) -> None:
    with pytest.raises(ClassError):
        polls.ask(room, question, choices)


def test_one_question_stands_at_a_time(room: Classroom) -> None:
    first = polls.ask(room, "one?")
    second = polls.ask(room, "two?")
    assert polls.shown(room) == second
    assert polls.poll(room, first.id).state == "closed"
    polls.close(room, second.id)
    assert polls.shown(room) is None
