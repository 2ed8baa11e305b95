"""What is cut of texts and of known answers is said: in training, and as an alarm beside figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from task_cases import KINDS, case
from victims import shared_victim

from advlab.model.victim import Victim
from advlab.records import Example
from advlab.studies.alarms import of_texts


def short_of(kind: str, longest: int) -> tuple[Victim, tuple[Example, ...]]:
    """A task's model that knows answers of so many tokens alone."""
    shared, examples = case(kind)
    victim = shared.view()
    victim.task = replace(victim.task, longest=longest)  # type: ignore[call-arg]
    return victim, examples


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_said_where_all_is_read(kind: str) -> None:
    victim, examples = short_of(kind, 30)
    assert not victim.unread(examples)
    assert not of_texts(victim, examples)


@pytest.mark.parametrize(
    ("kind", "cut"), [("qa", "3 of 4"), ("translation", "4 of 4"), ("dialogue", "3 of 3")]
)
def test_answers_that_are_too_long_are_counted(kind: str, cut: str) -> None:
    victim, examples = short_of(kind, 2)
    (said,) = victim.unread(examples)
    assert said.startswith(f"{cut} known answers")
    (alarm,) = of_texts(victim, examples)
    assert alarm.name == "not all is read"
    assert alarm.evidence == said


def test_a_text_that_is_cut_and_an_answer_lost_with_it_are_counted() -> None:
    shared, examples = case("qa")
    model = Victim(shared.model, shared.tokenizer, task=shared.task, name="short", max_length=16)
    texts, answers = model.unread(examples)
    assert texts == "4 of 4 texts are longer than 16 tokens: what stands behind is not read"
    assert answers.startswith("1 of 4")


def test_a_history_loses_its_oldest_turns() -> None:
    shared, examples = case("dialogue")
    talk = Example(
        "x", "\n".join(["User: the film was good", "Bot: we saw it"] * 9 + ["User: so"]), ("so",)
    )
    victim = Victim(shared.model, shared.tokenizer, task=shared.task, name="short", max_length=12)
    (said,) = victim.unread([*examples, talk])
    assert said.endswith("their oldest turns are not read")


def test_a_classifier_says_which_texts_are_cut() -> None:
    victim = shared_victim("bert")
    assert victim.unread([Example("x", "the film " * 200, ("no",))])
