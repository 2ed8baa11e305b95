from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from samples import renamed, sample_record
from victims import TEXTS, shared_victim

from advlab.attacks import PGD, RandomNoise
from advlab.capsule.legacy import as_reading
from advlab.explain.explore import explore
from advlab.pictures.doubts import attack_health
from advlab.records import AttackRecord, Reading


def losing(*losses: float) -> Reading:
    """Two classes, of which the first has these losses."""
    values = np.array(losses)
    probs = np.stack([np.exp(-values), 1 - np.exp(-values)], 1)
    return as_reading(probs, ["negative", "positive"], 0, 0)


def risen(*losses: float, noise: float | None = None, **changes: object) -> AttackRecord:
    """A record whose attack of class 0 went through these losses. `noise`: that of its draws."""
    values, record = np.array(losses), sample_record()
    quiet = losses[0] if noise is None else noise
    readings = {
        **record.readings,
        "clean": losing(losses[0]),
        "steps": losing(*losses),
        "noise": losing(*[quiet] * 8),
    }
    assert record.reference == "negative"
    return renamed(
        record,
        **{"losses": values, "readings": readings, "best_step": int(values.argmax())} | changes,
    )


def test_an_attack_that_works_gets_no_warning() -> None:
    assert attack_health(risen(0.1, 1.5, 2.5, 2.9, 3.0, 3.01)) == ""


def test_a_loss_that_never_moves_says_nothing_about_robustness() -> None:
    said = attack_health(risen(0.1, 0.1, 0.1, 0.1))
    assert "never moved" in said
    assert "nothing about robustness" in said


def test_one_step_that_beats_many_is_told() -> None:
    assert "One step does better" in attack_health(risen(0.1, 2.0, 1.0, 1.2))


def test_a_loss_that_still_rises_calls_for_more_steps() -> None:
    assert "more steps would find more" in attack_health(risen(0.1, 0.5, 1.0, 1.5, 2.0, 2.5))


def test_noise_that_does_as_well_is_told() -> None:
    assert "noise as long does as well" in attack_health(risen(0.1, 2.0, 2.9, 3.0, 3.0, noise=3.5))


def test_a_targeted_attack_lowers_its_loss_and_is_judged_so() -> None:
    attack = {**sample_record().attack, "targeted": True}
    losses = (3.0, 1.5, 0.5, 0.2, 0.1, 0.1)
    assert attack_health(risen(*losses, attack=attack, best_step=5)) == ""
    assert "never moved" in attack_health(risen(3.0, 3.0, 3.0, attack=attack, best_step=0))


def test_random_noise_is_not_asked_what_an_attack_is() -> None:
    record = explore(shared_victim("bert"), TEXTS[0], attack=RandomNoise(0.0, draws=3))
    assert attack_health(record) == ""


@pytest.mark.parametrize("attack", [PGD(0.0, steps=3), PGD(1.0, steps=6)])
def test_real_records_are_judged_without_an_error(attack: PGD) -> None:
    record = explore(shared_victim("bert"), TEXTS[0], attack=attack)
    said = attack_health(record)
    assert ("never moved" in said) == (attack.eps == 0)
    assert attack_health(replace(record, losses=record.losses[:1])) == ""
