"""Answers are compared as SQuAD's official scripts compare them, edge cases too."""

from __future__ import annotations

import random

import pytest

from advlab.tasks.squad import (
    best_threshold,
    character_f1,
    exact,
    f1,
    normalised,
    places_of,
    written_on,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The  Mill", "mill"),
        ("twenty-five", "twentyfive"),  # deleted, not spaced
        ("a.b, c!", "ab c"),
        ("an apple a day", "apple day"),
        ("theatre and an atlas", "theatre and atlas"),
        ("the-end", "theend"),  # punctuation goes first: what is left is no article
        ("Mara’s – kettle", "mara’s – kettle"),  # only ASCII punctuation goes
        ("“old” mill", "“old” mill"),
        (" the ", ""),
        ("\tred\n kettle ", "red kettle"),
    ],
)
def test_answers_are_normalised_in_the_official_order(text: str, wanted: str) -> None:
    assert normalised(text) == wanted


def test_what_normalises_to_nothing_is_no_answer() -> None:
    assert exact("a", ["the"])
    assert f1("a", ["the"]) == 1
    assert exact("", ["the"])
    assert not exact("", ["mill"])
    assert f1("", ["mill"]) == 0
    assert not exact("mill", [""])
    assert f1("mill", [""]) == 0
    assert exact("", [])
    assert not exact("", ["the", "mill"])  # an entry that says something: there is an answer
    assert f1("the", ["!", "mill"]) == 0


def test_f1_counts_words_as_often_as_both_have_them() -> None:
    assert f1("y y", ["x y y"]) == pytest.approx(0.8)
    assert f1("x x", ["x y"]) == pytest.approx(0.5)
    assert f1("the red kettle", ["red kettle"]) == 1
    assert f1("old mill", ["kettle"]) == 0


def test_the_best_known_answer_counts_for_each_measure_by_itself() -> None:
    known = ["red kettle", "kettle"]
    assert exact("Kettle!", known)
    assert f1("old red kettle", known) == pytest.approx(0.8)
    assert not exact("old red kettle", known)


def test_scripts_without_blanks_have_an_f1_of_characters() -> None:
    assert f1("红色水壶", ["水壶"]) == 0  # all or nothing
    assert character_f1("红色水壶", ["水壶"]) == pytest.approx(2 / 3)
    assert written_on(["水壶"])
    assert written_on(["みず"])
    assert not written_on(["kettle", "Bär"])


def test_the_places_of_an_answer_are_where_the_text_says_the_same() -> None:
    text = "The Mill, the mill. A twenty five; twenty-five windmill MILLS (mill)"
    found = [text[start:end] for start, end in places_of(text, "the mill!")]
    assert found == ["Mill", "mill", "mill", "MILL", "mill"]
    assert [text[s:e] for s, e in places_of(text, "twentyfive")] == ["twenty-five"]
    assert [text[s:e] for s, e in places_of(text, "twenty five")] == ["twenty five"]
    assert [*places_of(text, "the")] == []
    assert [*places_of("ab the c", "ab c")] == [(0, 8)]
    assert [*places_of("", "x")] == []


def test_a_long_text_is_searched_in_a_moment() -> None:
    assert [*places_of("a , the " * 20_000, "aa thethe b")] == []


def test_the_threshold_gets_the_most_right_and_is_the_nearest_to_zero() -> None:
    leads = [-3.0, -1.0, 2.0, 4.0]
    assert best_threshold(leads, [1, 1, 1, 1], [False, False, True, True]) == pytest.approx(0.5)
    assert best_threshold([-3, -2.0], [1, 1], [False, True]) == pytest.approx(-2.5)
    assert best_threshold([5.0, 6.0], [1, 0], [False, True]) == pytest.approx(5.5)
    assert best_threshold([], [], []) == 0


def test_the_threshold_is_as_good_as_every_other_one() -> None:
    dice = random.Random(0)
    for _ in range(200):
        n = dice.randint(1, 12)
        leads = [dice.choice([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]) for _ in range(n)]
        missing = [dice.random() < 0.5 for _ in range(n)]
        answered = [dice.random() for _ in range(n)]

        def worth(cut: float) -> float:
            rows = zip(leads, answered, missing, strict=True)  # noqa: B023
            return sum(float(m) if lead > cut else (0 if m else a) for lead, a, m in rows)

        most = max(worth(cut) for cut in (-9, -1.5, -0.5, 0.25, 0.75, 2.0, 9))
        assert worth(best_threshold(leads, answered, missing)) == pytest.approx(most)
