"""Attacks and studies know no task: here are three they never saw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from every_task import right, sided
from seam_tasks import KINDS, SPANS, shared_seam

from advlab.attacks import ATTACKS, PGD, Minimal, attack_settings, build_attack
from advlab.attacks.evaluate import by_length, first_broken, first_noisy, survives
from advlab.attacks.norms import norm
from advlab.attacks.universal import Universal
from advlab.model.victim import Victim
from advlab.studies.alarms import alarms_of
from advlab.studies.grid import grid
from advlab.tasks import Batch

LITTLE: dict[str, dict[str, Any]] = {  # as few steps as an attack can have
    "pgd": {"steps": 2, "restarts": 2, "momentum": 0.5},
    "noise": {"draws": 2},
    "autopgd": {"steps": 2},
    "deepfool": {"steps": 2},
    "fmn": {"steps": 3},
    "cw": {"steps": 3, "searches": 2},
    "spsa": {"steps": 1, "samples": 2},
    "ensemble": {"effort": 2},
}
REACH = {"l2": 0.8, "linf": 0.15, "l1": 3.0}  # × mean norm
SIDES = ("source", "decoder", "both")


def settings_of(name: str) -> list[dict[str, Any]]:
    return [
        {"name": name, **LITTLE.get(name, {}), "eps": REACH[p], "p": p, "ball": ball}
        for p in REACH
        for ball in ("example", "token")
    ]


def attacked(victim: Victim, batch: Batch, settings: dict[str, Any]) -> None:
    attack = build_attack(settings).at(victim.scale)
    objective, embeds = victim.objective(batch), victim.embed(batch).detach()
    dice = torch.Generator().manual_seed(0)
    found = attack(objective, embeds, batch.perturbable, dice, flips=objective.flips)
    said = str(settings)
    assert found.losses.isfinite().all(), said
    for delta in (found.delta, found.flip_delta):
        assert delta.isfinite().all(), said
        assert not delta[~batch.perturbable].any(), said
        assert (norm(delta, attack.p, attack.ball) <= attack.eps * (1 + 1e-9)).all(), said
    flips = victim.objective(batch).flips(embeds + found.flip_delta)
    broken = found.first_flip >= 0
    assert flips[broken].all(), said
    if not isinstance(attack, Minimal):  # whose best is among the steps that were looked at
        best = victim.objective(batch).flips(embeds + found.delta)
        assert (broken | ~best).all(), said
    assert all(p.grad is None for p in victim.model.parameters()), said


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_attack_keeps_to_its_ball_and_its_places_on_every_task(kind: str, name: str) -> None:
    victim = shared_seam(kind)
    batch = victim.encode(right(kind))
    for settings in settings_of(name):
        attacked(victim, batch, settings)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_may_stand_on_the_source_the_decoder_or_both(name: str, side: str) -> None:
    victim = shared_seam("marian")
    batch = sided(victim.encode(right("marian")), side)
    assert batch.perturbable.any()
    attacked(victim, batch, {"name": name, **LITTLE.get(name, {}), "eps": 0.8})


@pytest.mark.parametrize("kind", KINDS)
def test_every_auto_pgd_loss_climbs_on_every_task(kind: str) -> None:
    victim = shared_seam(kind)
    batch = victim.encode(right(kind))
    for loss in ("ce", "dlr", "targeted"):
        attacked(victim, batch, {"name": "autopgd", "steps": 3, "restarts": 2, "loss": loss})


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_with_room_breaks_what_it_attacks(kind: str) -> None:
    victim = shared_seam(kind)
    assert survives(victim, right(kind)) == [True] * 4
    assert not all(survives(victim, right(kind), PGD(3.0, steps=10)))


# ---- whole data sets ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_whole_data_sets_are_counted_whatever_the_task(kind: str) -> None:
    victim, examples = shared_seam(kind), right(kind)
    places = [place for rows, _ in by_length(victim, examples, 3) for place in rows]
    assert sorted(places) == [0, 1, 2, 3]
    radii = (0.0, 0.5, 3.0)
    found = first_broken(victim, examples, PGD(0.5, steps=5), radii)
    shaken = first_noisy(victim, examples, PGD(0.5, steps=5), radii, draws=2)
    assert len(found) == len(shaken) == 4
    assert all(1 <= place <= 3 for place in (*found, *shaken))
    assert min(found) < 3
    wrong = [replace(e, answers=(e.text.split()[0],)) for e in examples]
    if kind not in SPANS:
        assert first_broken(victim, wrong, PGD(0.5, steps=2), radii) == [-1] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_and_its_alarms_are_made_whatever_the_task(kind: str) -> None:
    victim, examples = shared_seam(kind), right(kind)
    attacks = [PGD(0.5, steps=3), build_attack({"name": "fgm", "eps": 0.5})]
    found = grid([victim], examples, attacks, (0.2, 2.0), noise_draws=2)
    assert [row.attack for row in found.rows] == [attack_settings(a) for a in attacks]
    for row in found.rows:
        assert row.right.all()
        assert ((row.confidence > 0) & (row.confidence <= 1)).all()
        assert row.noise.dtype == bool
        assert row.noise.shape == (2, 4)
        assert (row.broken >= 0).all()
    alarms = alarms_of(found, [victim], examples, attacks)
    names = {alarm.name for alarm in alarms}
    assert "outputs are random" not in names
    assert "no gradient" not in names


@pytest.mark.parametrize("kind", KINDS)
def test_one_direction_for_all_texts_is_found_whatever_the_task(kind: str) -> None:
    u = Universal(passes=1).fit(shared_seam(kind), right(kind))
    assert float(u.norm()) == pytest.approx(1.0)
