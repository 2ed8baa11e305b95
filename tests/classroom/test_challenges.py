"""What comes onto the board is what the server measured: each kind on real, tiny models."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from victims import examples_for, make_victim

from advlab.attacks import PGD
from advlab.classroom import Classroom, challenges, measure
from advlab.errors import ClassError
from advlab.records import Event
from advlab.runs.config import RunConfig
from advlab.runs.info import RunInfo
from advlab.runs.queue import Store


@pytest.fixture
def room(tmp_path: Path) -> Classroom:
    return Classroom(tmp_path)


def test_each_student_stands_once_with_the_best(room: Classroom) -> None:
    ids = [room.join(room.code, name)[0].id for name in ("Anna", "Ben", "Cem")]
    challenge = challenges.start(room, "words", "a b c", "local:x")
    for who, value in ((0, 3), (1, 2), (0, 1), (2, 2), (0, 5)):
        challenges.enter(room, challenge, ids[who], value, {"text": "x"})
    board = challenges.board(room, challenge)
    assert [(e.rank, e.name, e.value) for e in board] == [
        (1, "Anna", 1),
        (2, "Ben", 2),
        (2, "Cem", 2),
    ]
    most = challenges.start(room, "model", "reviews")
    for who, value in ((0, 0.5), (1, 0.75)):
        challenges.enter(room, most, ids[who], value, {})
    assert [e.name for e in challenges.board(room, most)] == ["Ben", "Anna"]
    with pytest.raises(ClassError, match="over"):
        challenges.enter(room, challenge, ids[0], 0, {})


def test_the_length_of_a_flip_is_measured_and_a_miss_is_told() -> None:
    victim = make_victim("bert")
    text = examples_for(victim)[0].text
    with pytest.raises(ClassError, match="does not change the answer"):
        measure.length_of_flip(victim, text, PGD(1e-6, steps=1))
    value, record = measure.length_of_flip(victim, text, PGD(8.0, steps=20))
    length = math.sqrt(float((record.delta**2).sum())) / record.scale.mean_norm
    assert value == pytest.approx(length, rel=1e-4)
    assert 0 < value <= 8.0 * 1.001


def test_a_ball_for_each_token_gains_nothing_on_the_board() -> None:
    victim = make_victim("bert")
    text = examples_for(victim)[0].text
    attack = PGD(8.0, steps=20, ball="token")
    value, record = measure.length_of_flip(victim, text, attack)
    assert value == pytest.approx(
        math.sqrt(float((record.delta**2).sum())) / record.scale.mean_norm, rel=1e-4
    )


def test_words_count_only_where_the_answer_changes() -> None:
    victim = make_victim("bert", seed=7)
    words = [e.text for e in examples_for(victim)]
    first = words[0]
    other = next(
        w for w in words if measure.answer_of(victim, w) != measure.answer_of(victim, first)
    )
    assert measure.words_to_flip(victim, first, other) == measure.distance(
        first.split(), other.split()
    )
    with pytest.raises(ClassError, match="still answers"):
        measure.words_to_flip(victim, first, first)
    with pytest.raises(ClassError, match="Write"):
        measure.words_to_flip(victim, first, "  ")


@pytest.mark.parametrize(
    ("one", "other", "n"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1),
        ("a b c", "b c", 1),
        ("", "a b", 2),
        ("a b", "b a", 2),
    ],
)
def test_the_distance_of_words(one: str, other: str, n: int) -> None:
    assert measure.distance(one.split(), other.split()) == n


def trained(room: Classroom, seconds: float) -> RunInfo:
    store = Store(room.root)
    info = store.open_here(RunConfig())
    with info.folder.writer() as diary:
        diary.append(Event("end", 4, 0.0, {"reason": "done", "seconds": seconds}))
    store.finish(info.id, 1, "done")
    return store.get(info.id)


def test_a_run_that_trained_too_long_or_is_not_done_is_refused(room: Classroom) -> None:
    assert measure.seconds_trained(trained(room, 170.0)) == 170.0
    with pytest.raises(ClassError, match="181 s; 180 s are allowed"):
        measure.seconds_trained(trained(room, 181.0))
    waiting = Store(room.root).get(Store(room.root).enqueue(RunConfig()))
    with pytest.raises(ClassError, match="Wait until the run is done"):
        measure.seconds_trained(waiting)


def test_robustness_is_the_share_that_stands() -> None:
    victim = make_victim("bert")
    assert 0.0 <= measure.robustness(victim, examples_for(victim)[:4]) <= 1.0
