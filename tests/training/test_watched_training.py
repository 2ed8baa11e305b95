from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from short_runs import config_for, of_kind, run

from advlab.attacks import FGM, PGD
from advlab.attacks.evaluate import wilson
from advlab.errors import RunError
from advlab.records import Event
from advlab.training import judging, meters
from advlab.training.checkpoints import State
from advlab.training.loop import train
from advlab.training.methods import build_method
from advlab.training.watches import easy_and_hard, overfitted


def test_the_cost_of_a_step_is_told_once_it_is_more_than_chance() -> None:
    state = State(step=5, step_seconds=0.6, plain_seconds=1.0)  # one timing: any ratio may come
    meter = meters.CostMeter(state, batch_size=16, total=1000)
    assert meter.readings()["cost"] is None
    state.step = meters.FIRST + (meters.TIMINGS - 1) * meters.PLAIN_EVERY
    state.step_seconds, state.plain_seconds = 6.0, 3.0
    assert meter.readings()["cost"] == 2.0


def test_a_collapse_raises_one_alarm(texts: Path, tmp_path: Path) -> None:
    at_once = {"clean_start": 0.0, "eps_warmup": 0.0}
    method = {"name": "pgd", "eps": 20.0, "steps": 2, "adv_weight": 1.0}
    events = run(config_for(texts, method, epochs=4, lr=2e-2, **at_once), tmp_path)
    alarms = of_kind(events, "alarm")
    assert [a.values["name"] for a in alarms] == ["collapse"]
    assert "collapsed" in alarms[0].values["message"]
    assert "ε" in alarms[0].values["message"]


def test_an_alarm_is_told_once_wherever_the_run_is_killed(texts: Path, tmp_path: Path) -> None:
    at_once = {"clean_start": 0.0, "eps_warmup": 0.0}
    method = {"name": "pgd", "eps": 20.0, "steps": 2, "adv_weight": 1.0}
    config = config_for(texts, method, epochs=4, lr=2e-2, **at_once)
    told = [e.kind for e in run(config, tmp_path / "whole") if e.kind in ("alarm", "epoch")]
    assert "alarm" in told
    for place in range(len(told)):
        folder = tmp_path / str(place)
        before: list[Event] = []
        for event in train(config, folder):  # killed as soon as that event is out
            before.append(event)
            if sum(e.kind in ("alarm", "epoch") for e in before) > place:
                break
        after = run(config, folder, resume=True)
        told_since = re.findall(r"resumed from step (\d+)", str(of_kind(after, "note")))
        since = int(told_since[0]) if told_since else 0
        kept = [e for e in before if e.step <= since]  # the others are met again
        assert [e.kind for e in kept + after if e.kind in ("alarm", "epoch")] == told


@pytest.mark.parametrize("name", ["noise", "fgm", "fgsm", "pgd", "freelb"])
def test_a_healthy_adversarial_run_raises_no_alarm(name: str, texts: Path, tmp_path: Path) -> None:
    events = run(config_for(texts, {"name": name}, epochs=5), tmp_path)
    assert not of_kind(events, "alarm")
    assert events[-1].values["test_accuracy"]["value"] > 0.75


def test_losses_that_are_not_finite_stop_the_run(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a finite loss"):
        run(
            config_for(texts, {"name": "pgd", "eps": 1e38, "start": "random"}, clean_start=0.0),
            tmp_path,
        )


def test_catastrophic_overfitting_is_a_gap_and_a_fall() -> None:
    def rates(easy: int, hard: int) -> tuple[Any, Any]:
        return wilson(easy, 256), wilson(hard, 256)

    assert overfitted(*rates(220, 40), before=0.6)
    assert not overfitted(*rates(220, 190), before=0.8)  # PGD is always a little stronger
    assert not overfitted(*rates(220, 40), before=0.1)  # never was robust
    assert not overfitted(*rates(40, 40), before=0.6)  # collapsed, or ε too large: another matter


@pytest.mark.parametrize(
    ("method", "watched"),
    [
        ({"name": "fgm"}, True),
        ({"name": "fgsm", "eps": 0.02}, True),
        ({"name": "fast", "p": "linf", "ball": "token"}, True),
        ({"name": "pgd", "steps": 1}, True),
        ({"name": "free"}, True),
        ({"name": "pgd", "steps": 2}, False),
        ({"name": "freelb"}, False),
    ],
)
def test_one_step_runs_are_watched_in_their_own_ball(
    method: dict[str, Any],
    watched: bool,
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Accuracies as an overfitting run has them stand in for the attacks' outcomes."""
    asked: list[Any] = []
    made: Any = build_method(method)

    def outcomes(victim: Any, examples: Any, attack: Any = None, **_: Any) -> list[bool]:
        share = 0.9
        if attack is not None and attack.eps == made.eps:
            asked.append(attack)
            if isinstance(attack, PGD):
                share = 0.7 if sum(isinstance(a, PGD) for a in asked) == 1 else 0.1
        return [i < share * len(examples) for i in range(len(examples))]

    monkeypatch.setattr(judging, "survives", outcomes)
    events = run(config_for(texts, method, epochs=4, clean_start=0.0), tmp_path)
    alarms = [e.values for e in of_kind(events, "alarm")]
    found = [a for a in alarms if a["name"] == "catastrophic overfitting"]
    assert len(found) == watched
    assert all("pgd or freelb" in a["message"] for a in found)
    assert all((a.p, a.ball, a.unit) == (made.p, made.ball, made.unit) for a in asked)


def test_on_a_hidden_layer_the_judges_ball_is_watched() -> None:
    judge = PGD(0.25, steps=5, step_size=0.4)
    method = build_method({"name": "hidden", "steps": 1, "eps": 3.0})
    assert method.one_step
    assert easy_and_hard(method, judge) == (FGM(0.25), judge)


def test_a_real_run_that_overfits_to_its_one_step_is_caught(texts: Path, tmp_path: Path) -> None:
    """Fast-AT with a wide L∞ ball: at last one step leaves four texts in five, PGD-5 one in three."""
    config = config_for(
        texts, {"name": "fast", "p": "linf", "eps": 0.1}, epochs=14, eval_limit=64, weight_decay=0.0
    )
    told: list[str] = []
    for event in train(config, tmp_path):
        if event.kind == "alarm":
            told.append(event.values["name"])
            break
    assert told == ["catastrophic overfitting"]
