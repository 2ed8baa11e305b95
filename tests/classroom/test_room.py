"""Who is let in, known again and kept apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advlab.classroom import Classroom, held, may_read_notes
from advlab.classroom.room import TEACHER, TRIES
from advlab.errors import ClassError
from advlab.runs.config import home
from advlab.runs.spaces import Limits, Space, inside, resolve_by


@pytest.fixture
def room(tmp_path: Path) -> Classroom:
    return Classroom(tmp_path / "class", most=4)


def test_a_code_lets_in_and_the_cookie_finds_the_same_space_after_a_restart(
    room: Classroom,
) -> None:
    anna, token = room.join(f" {room.code.lower()[:3]} {room.code[3:]}", "Anna")
    again = Classroom(room.root)
    assert again.code == room.code
    assert again.secret == room.secret
    assert again.who(token) == anna.id
    assert again.space_of(anna.id).root == room.space_of(anna.id).root
    assert room.space_of(anna.id).root.is_relative_to(room.root / "spaces")


def test_wrong_codes_are_refused_and_many_of_them_shut_the_door(room: Classroom) -> None:
    for _i in range(TRIES):
        with pytest.raises(ClassError, match="not the code"):
            room.join("AAAAAA", "Anna")
    with pytest.raises(ClassError, match="Too many wrong codes"):
        room.join(room.code, "Anna")
    assert not room.students()


@pytest.mark.parametrize("token", [None, "", "x", "'; DROP TABLE students; --", "é" * 300])
def test_no_made_up_cookie_names_anybody(room: Classroom, token: str | None) -> None:
    room.join(room.code, "Anna")
    assert room.who(token) is None


def test_no_token_stands_in_the_class_as_it_is(room: Classroom) -> None:
    _student, token = room.join(room.code, "Anna")
    teacher = room.token_for(TEACHER)
    for file in room.root.rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes()
            assert teacher.encode() not in file.read_bytes()
    assert (room.root / "class.db").stat().st_mode & 0o077 == 0


def test_names_are_text_and_told_apart(room: Classroom) -> None:
    names = [room.join(room.code, name)[0].name for name in ("Anna", "anna", " <b>李\n雷</b> ")]
    assert names == ["Anna", "anna (2)", "<b>李 雷</b>"]
    with pytest.raises(ClassError, match="Type a name"):
        room.join(room.code, " \n\x00 ")


def test_the_class_is_full_at_its_number(room: Classroom) -> None:
    for i in range(4):
        room.join(room.code, f"S{i}")
    with pytest.raises(ClassError, match="has 4 students"):
        room.join(room.code, "one more")


def test_who_leaves_is_known_no_more(room: Classroom) -> None:
    anna, token = room.join(room.code, "Anna")
    assert room.who(token) == anna.id
    room.forget(token)
    assert room.who(token) is None
    assert Classroom(room.root).who(token) is None


def test_home_is_the_space_of_the_moment_and_the_users_own_elsewhere(
    room: Classroom, advlab_home: Path
) -> None:
    anna, ben = (room.join(room.code, name)[0] for name in ("Anna", "Ben"))
    assert home() == advlab_home.resolve()
    with inside(room.space_of(anna.id)):
        assert home() == room.space_of(anna.id).root
        with inside(room.space_of(ben.id)):
            assert home() == room.space_of(ben.id).root
        assert home() == room.space_of(anna.id).root
    assert home() == advlab_home.resolve()


def test_who_knows_the_visitor_is_asked_and_may_refuse(room: Classroom, advlab_home: Path) -> None:
    def nobody() -> Space:
        raise ClassError("join first")

    try:
        resolve_by(nobody)
        with pytest.raises(ClassError, match="join first"):
            home()
    finally:
        resolve_by(None)
    assert home() == advlab_home.resolve()


def test_a_worker_finds_limits_and_the_classs_models_in_its_folder(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = room.join(room.code, "Anna")[0]
    space = room.space_of(anna.id)
    monkeypatch.setenv("ADVLAB_HOME", str(space.root))
    from advlab.runs.spaces import current

    assert current() == space
    assert (
        json.loads((space.root / "space.json").read_text())["limits"]["upload"] == Limits().upload
    )


def test_a_held_step_holds_those_after_it_for_students_alone(room: Classroom) -> None:
    anna = room.join(room.code, "Anna")[0]
    room.hold("02-noise", 3)
    assert not held("02-noise", 3)
    assert may_read_notes()
    with inside(room.space_of(anna.id)):
        assert [held("02-noise", step) for step in (1, 2, 3, 4)] == [False, False, True, True]
        assert not held("01-reading", 9)
        assert not may_read_notes()
        room.open("02-noise")
        assert not held("02-noise", 3)


def test_a_login_finds_its_student_again_whatever_the_name(room: Classroom) -> None:
    first = room.logged_in("issuer|1", "Anna")
    assert room.logged_in("issuer|1", "Anna Maria") == first
    other = room.logged_in("issuer|2", "Anna")
    assert other.id != first.id
    assert other.name == "Anna (2)"


@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u2060\ufeff", "\u202e", " \u00ad ", "\u0301", "\ue000"]
)
def test_a_name_of_which_nothing_is_seen_is_none(room: Classroom, unseen: str) -> None:
    with pytest.raises(ClassError, match="Type a name"):
        room.join(room.code, unseen)
    assert room.logged_in("somebody", unseen).name == "Student"


@pytest.mark.parametrize("like", ["Anna\u200b", "An\u200dna", "\u202eAnna", "Ａｎｎａ", "anna "])
def test_a_name_that_looks_like_anothers_is_told_apart(room: Classroom, like: str) -> None:
    room.join(room.code, "Anna")
    other, _token = room.join(room.code, like)
    assert other.name.endswith(" (2)")
    assert "\u202e" not in other.name
