"""The built-in stories teach reading: what is asked has rivals, and no shortcut finds it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest
from benchmarks import shortcuts

from advlab.data import stories
from advlab.records.examples import NO_ANSWER

DATA = stories.dataset()
EVERY = (*DATA.train, *DATA.validation, *DATA.test)


def part(example, name: str) -> str:
    return dict(example.more)[name]


def test_the_stories_are_the_same_on_every_machine() -> None:
    assert DATA.fingerprint == "725f3d19a4cb"
    assert [len(s) for s in (DATA.train, DATA.validation, DATA.test)] == [10_000, 400, 600]
    code = "from advlab.data.stories import dataset; print(dataset().fingerprint)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == DATA.fingerprint


def test_no_question_to_a_text_stands_in_two_splits() -> None:
    assert len({(e.text, e.beside) for e in EVERY}) == len(EVERY)
    texts = [{e.text for e in split} for split in (DATA.train, DATA.validation, DATA.test)]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]


def test_answers_stand_where_they_are_said_to_stand() -> None:
    for example in EVERY:
        if example.answer == NO_ANSWER:
            assert example.place is None
            continue
        assert example.place is not None
        assert example.text[example.place :].startswith(str(example.answer))
        fact = example.text.count(".", 0, example.place) + 1
        assert str(fact) in part(example, "supporting sentences").split()


def test_words_and_sentences_are_few() -> None:
    words = {w for e in EVERY for w in re.findall(r"\w+", f"{e.text} {e.beside}".lower())}
    assert len(words) < 250
    assert {e.text.count(".") for e in EVERY} == {3, 4, 5}
    assert {len(str(e.answer).split()) for e in EVERY if e.answer != NO_ANSWER} == {1, 2}


def test_a_third_of_the_questions_needs_two_facts_and_some_have_no_answer() -> None:
    count = Counter(part(e, "construction").partition(":")[0] for e in DATA.test)
    assert count["two facts"] / len(DATA.test) >= 0.3
    assert 0.03 <= count["no answer"] / len(DATA.test) <= 0.1


def test_some_people_and_things_are_never_together_in_training() -> None:
    assert {part(e, "person with thing") for e in DATA.train} == {"seen"}
    assert Counter(part(e, "person with thing") for e in DATA.test)["new"] > 100


def test_at_least_three_answers_are_of_the_right_type() -> None:
    for example in EVERY:
        assert len(set(shortcuts.candidates(example.text, shortcuts.kind_of(example)))) >= 3


def test_the_place_of_an_answer_gives_nothing_away() -> None:
    hits, chance = shortcuts.position(shortcuts.answered(DATA.train), shortcuts.answered(DATA.test))
    assert hits <= chance + 0.05


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    return shortcuts.table()


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("type alone", 0.40),
        ("the most frequent of the type", 0.45),
        ("question alone", 0.10),
        ("text alone", 0.15),
    ],
)
def test_shortcuts_do_not_answer(found, name: str, most: float) -> None:
    assert found[name]["all"] <= most


def test_the_most_overlapping_sentence_does_not_answer_what_needs_two_facts(found) -> None:
    row = found["most overlapping sentence and type"]
    assert row["two facts"] <= 0.45
    assert row["one fact"] > row["two facts"]  # it is what one fact is found by
