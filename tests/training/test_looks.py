"""Looks at a model while it trains: they change nothing, and tell what an attack by itself finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from victims import LABELS, make_victim

from advlab.attacks import PGD
from advlab.model.victim import Victim
from advlab.records import Event, Example
from advlab.runs.config import DataConfig, RunConfig, TrainConfig, Watch
from advlab.runs.folder import timeline
from advlab.training.loop import train
from advlab.training.pinned import FARTHEST, look, referring

SENTENCE = "Congratulations! Your number was chosen for a gift card."
CONFIG = RunConfig(
    data=DataConfig("messages", limit=64),
    method={"name": "pgd", "steps": 2},
    train=TrainConfig(epochs=1, batch_size=16, eval_limit=8, history=0, clean_start=0.0),
)


def run(folder: Path, watch: Watch) -> tuple[list[Event], dict[str, Any]]:
    events = list(train(replace(CONFIG, watch=watch), folder))
    return events, Victim.load(folder / "model").model.state_dict()


def test_looks_come_as_often_as_asked_and_leave_the_training_as_it_is(tmp_path: Path) -> None:
    plain, weights = run(tmp_path / "a", Watch())
    watched, same = run(tmp_path / "b", Watch(every=2, texts=4, text=SENTENCE))
    assert all(torch.equal(same[name], value) for name, value in weights.items())
    assert not [e for e in plain if e.kind == "look"]
    looks = [e for e in watched if e.kind == "look"]
    assert [e.step for e in looks] == [0, 2, 4]
    assert [e.step for e in watched if e.kind == "step"] == [1, 2, 3, 4]  # every one is told
    for event in looks:
        assert event.values["robust_accuracy"]["n"] == 4
        assert event.values["answer"] in ("ham", "spam")
        assert event.values["margin"] >= 0  # of its own answer, where none was given


def test_what_is_looked_at_does_not_make_another_run_of_it() -> None:
    assert replace(CONFIG, watch=Watch(every=3)).fingerprint == CONFIG.fingerprint


def test_a_resumed_run_tells_no_look_twice() -> None:
    events = [
        Event("look", 2, 0.0),
        Event("look", 4, 0.0),
        Event("note", 3, 0.0, {"resumed_from": 3}),
        Event("look", 4, 1.0),
    ]
    assert [(e.step, e.time) for e in timeline(events) if e.kind == "look"] == [(2, 0.0), (4, 1.0)]


def test_the_flipping_eps_lies_where_an_attack_begins_to_succeed() -> None:
    victim = make_victim("bert")
    example = Example("p", "i would not see the slow dull movie again")
    with victim.analysing():
        example = referring(victim, example)
        found = look(victim, example)
    assert found.answer == example.answer
    assert found.flip_eps is not None
    assert 0 < found.flip_eps < FARTHEST * victim.scale.mean_norm
    batch = victim.encode([example])
    objective = victim.objective(batch)
    for share, flips in ((0.8, False), (1.05, True)):
        attack = PGD(share * found.flip_eps, "raw", steps=10, step_size=0.4)
        made = attack(objective, victim.embed(batch), batch.perturbable, flips=objective.flips)
        assert (int(made.first_flip[0]) >= 0) == flips


def test_a_misread_sentence_needs_no_push() -> None:
    victim = make_victim("bert")
    with victim.analysing():
        own = referring(victim, Example("p", "poor plot")).answer
        wrong = next(name for name in LABELS if name != own)
        found = look(victim, Example("p", "poor plot", (wrong,)))
    assert found.flip_eps == 0
    assert found.margin == pytest.approx(found.margin)
    assert found.margin < 0
