from __future__ import annotations

import random

import pytest
from samples import diary

from advlab.pictures.convergence import gradients, players
from advlab.records import Event
from advlab.studies.convergence import convergence


def verdicts(events: list[Event]) -> dict[str, str]:
    return {t.name: t.verdict for t in convergence(events).trends}


def test_a_run_that_has_settled_is_told_from_one_that_still_falls_or_rises() -> None:
    level = convergence(diary(lambda k: 0.3, lambda k: 0.6))
    assert {t.verdict for t in level.trends} == {"level"}
    assert "perturbed loss has settled at 0.59" in level.sentence
    assert "adds 0.30" in level.sentence
    falling = diary(lambda k: 0.7 - k / 400, lambda k: 1.2 - k / 250)
    assert verdicts(falling)["perturbed loss"] == "falls"
    assert "more epochs may help" in convergence(falling).sentence
    rising = diary(lambda k: 0.3, lambda k: 0.3 + k / 200)
    assert verdicts(rising)["perturbed loss"] == verdicts(rising)["inner gain"] == "rises"
    assert "the attack wins" in convergence(rising).sentence


def test_the_warm_up_of_epsilon_is_not_taken_for_a_trend() -> None:
    events = diary(lambda k: 0.3, lambda k: 0.3 + min(k, 50) / 100)
    assert verdicts(events)["perturbed loss"] == "level"


def test_few_noisy_batches_are_called_unclear() -> None:
    dice = random.Random(1)
    noise = [dice.gauss(0, 0.3) for _ in range(40)]
    events = diary(lambda k: 0.3, lambda k: 0.6 + noise[k], n=40)
    assert verdicts(events)["perturbed loss"] == "unclear"
    assert "vary too much" in convergence(events).sentence


def test_noise_alone_is_no_trend() -> None:
    assert set(verdicts(diary(lambda k: 0.3, lambda k: 0.6)).values()) == {"level"}


def test_validation_that_was_best_earlier_is_told() -> None:
    found = convergence(diary(lambda k: 0.3, lambda k: 0.6, best=1))
    assert found.best_epoch == 1
    assert "best after epoch 1 of 3" in found.sentence


def test_a_short_or_plain_diary_is_judged_as_far_as_it_goes() -> None:
    assert "Too few steps" in convergence(diary(lambda k: 1.0, lambda k: 1.0, n=9)).sentence
    assert "Too few steps" in convergence([]).sentence
    plain = [
        Event("step", e.step, 0.0, {k: v for k, v in e.values.items() if k != "adv_loss"})
        for e in diary(lambda k: 0.3, lambda k: 0.6)
        if e.kind == "step"
    ]
    found = convergence(plain)
    assert {t.name for t in found.trends} == {"clean loss", "gradient norm"}
    assert "clean loss has settled" in found.sentence
    assert len(players(plain)["data"]) == 1
    assert players([])["data"] == gradients([])["data"] == []


def test_the_picture_holds_the_gain_and_where_epsilon_is_full() -> None:
    figure = players(diary(lambda k: 0.3, lambda k: 0.6))
    assert [len(line["y"]) for line in figure["data"]] == [200] * 3
    assert figure["data"][2]["y"][-1] == pytest.approx(0.3, abs=0.05)
    assert figure["layout"]["shapes"][0]["x0"] == 250


def test_a_training_that_collapsed_is_not_called_one_that_learns_to_resist() -> None:
    message = "Training has collapsed: every validation text gets the same class."
    alarm = Event("alarm", 400, 0.0, {"name": "collapse", "message": message})
    flat = [*diary(lambda k: 0.693, lambda k: 0.694 - k / 1e5), alarm]
    assert convergence(flat).sentence == message
    recovered = [*diary(lambda k: 0.693 - k / 500, lambda k: 0.7 - k / 500), alarm]
    assert "still falls" in convergence(recovered).sentence
