"""An attack may aim at a goal of the task's: the record, the capsule and the command say so."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
import torch
from commands import json_of, said
from speakers import shared_speaker
from translators import shared_translator
from victims import shared_victim

from advlab.attacks import PGD
from advlab.capsule.format import load, save
from advlab.capsule.verify import verify
from advlab.errors import SettingError
from advlab.explain.explore import analyse, explore
from advlab.explain.subject import Subject
from advlab.model.victim import Victim
from advlab.pictures.doubts import attack_health
from advlab.pictures.sentences import headline
from advlab.records import AttackRecord
from advlab.tasks.base import Aims
from advlab.tasks.goals import GOALS
from advlab.ui.explore.capsule import link as capsule_link

TEXTS = {"bart": "the old man sees a dog", "gpt2": "User: the film was good"}
WORDS = {"bart": "hund", "gpt2": "scene"}
kinds = pytest.mark.parametrize("kind", TEXTS)


def victim_of(kind: str) -> Victim:
    return shared_translator(kind) if kind == "bart" else shared_speaker(kind)


@lru_cache
def record_of(kind: str, goal: str, eps: float = 8.0) -> AttackRecord:
    attack = PGD(eps, steps=40)
    return explore(victim_of(kind), TEXTS[kind], attack=attack, goal=goal, draws=2, points=5)


def first_choices(kind: str, record: AttackRecord) -> tuple[list[int], list[int]]:
    """Of the attacked text, behind the words of the clean answer: what is likeliest, what was said."""
    victim = victim_of(kind)
    subject = Subject.of(victim, record)
    with torch.no_grad():
        out = victim.output(subject.embeds + torch.as_tensor(record.delta), subject.batch)
    labels = subject.batch.target["labels"][0]
    there = labels >= 0
    return out[0, : len(labels)].argmax(-1)[there].tolist(), labels[there].tolist()


@kinds
def test_a_goal_that_is_met_is_met_behind_the_words_of_the_answer(kind: str) -> None:
    record = record_of(kind, "other")
    best, clean = first_choices(kind, record)
    assert record.met == all(a != b for a, b in zip(best[:-1], clean[:-1], strict=True))
    # within an answer, GPT-2's words begin with a blank
    written = f" {WORDS[kind]}" if kind == "gpt2" else WORDS[kind]
    word = victim_of(kind).tokenizer(text_target=written, add_special_tokens=False)
    keyword = record_of(kind, f"keyword:{WORDS[kind]}")
    best, _ = first_choices(kind, keyword)
    assert keyword.met
    assert all(i in best for i in word["input_ids"])
    for made in (record, keyword):
        verdict = "Meets its goal within ε = 8" if made.met else "Misses its goal within ε = 8"
        assert headline(made).startswith(verdict)
        assert attack_health(made) == ""


@kinds
def test_an_attack_without_room_misses_its_goal_and_says_so(kind: str) -> None:
    record = record_of(kind, f"keyword:{WORDS[kind]}", 0.0)
    assert not record.met
    assert "Misses its goal" in headline(record)
    assert WORDS[kind] in headline(record)


@kinds
def test_losses_are_those_of_the_reference_whatever_is_aimed_at(kind: str) -> None:
    record = record_of(kind, "other")
    assert (record.losses == record.steps.loss).all()
    assert record.losses[record.best_step] == pytest.approx(float(record.attacked.loss[0]))
    analyse(victim_of(kind), record, "substitutions")  # what is asked later goes on with the goal


def test_each_task_that_has_goals_can_aim_at_all_of_them() -> None:
    for kind, text in TEXTS.items():
        victim = victim_of(kind)
        assert isinstance(victim.task, Aims)
        for name, (meaning, words) in victim.task.goals.items():
            goal = f"{name}:{WORDS[kind]}" if words else name
            assert explore(victim, text, attack=PGD(0.1), goal=goal, draws=1, points=2).goal == goal
            assert meaning == GOALS[name][0]


@pytest.mark.parametrize(
    ("goal", "what"),
    [
        ("elsewhere", "expected the goal other, or keyword:"),
        ("other:word", "expected the goal other, or keyword:"),
        ("keyword:", "tokens of keywords"),
        ("keyword: </s>", "a keyword that the model can write"),
    ],
)
def test_a_goal_that_cannot_be_is_refused_in_words(goal: str, what: str) -> None:
    with pytest.raises(SettingError, match=what):
        explore(shared_translator("bart"), TEXTS["bart"], attack=PGD(0.1), goal=goal)


def test_only_written_answers_have_goals_and_one_aim_is_enough() -> None:
    with pytest.raises(SettingError, match="whose answers are written, got Text classification"):
        explore(shared_victim("bert"), "the film was good", attack=PGD(0.1), goal="other")
    with pytest.raises(SettingError, match="a goal or a targeted attack, got both"):
        explore(victim_of("bart"), TEXTS["bart"], attack=PGD(0.1, targeted=True), goal="other")


@kinds
def test_a_capsule_keeps_the_goal_and_verifies_with_it(kind: str) -> None:
    victim = victim_of(kind)
    record = record_of(kind, f"keyword:{WORDS[kind]}")
    whole = save(record, victim.tokenizer_hash)
    found = load(whole.encode())
    assert found.goal == record.goal
    assert verify(found, victim).verified
    assert capsule_link(found, "model")["goal"] == record.goal
    other = load(whole.replace(f'"goal": "{record.goal}"', '"goal": "other"').encode())
    assert other.changed == ("goal",)
    assert not verify(other, victim).verified


def test_a_capsule_opens_with_what_stood_beside_its_text() -> None:
    record = explore(
        shared_victim("bert"),
        "the film was good",
        beside="a plot",
        attack=PGD(0.1),
        draws=1,
        points=2,
    )
    found = load(save(record, "x").encode())
    assert capsule_link(found, "model")["beside"] == "a plot"


def test_the_command_takes_a_goal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    victim_of("bart").save(tmp_path / "model")
    asked = ["attack", str(tmp_path / "model"), TEXTS["bart"], "--eps", "8", "--steps", "20"]
    out, _ = said(capsys, *asked, "--goal", "keyword:hund")
    assert "‘hund’ appears in the answer" in out
    assert json_of(capsys, *asked, "--goal", "other")["goal"] == "other"
    _, err = said(capsys, *asked, "--goal", "nothing", status=2)
    assert "expected the goal other" in err
