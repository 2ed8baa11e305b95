"""Guessed gradients, and the ensemble of attacks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from linear_logits import Planes, distance
from torch import Tensor
from victims import labelled, shared_victim

from advlab.attacks import FMN, PGD, SPSA, AutoPGD, Ensemble


def test_guessed_gradients_pass_a_model_that_hides_its_own(planes: Any) -> None:
    model, x, mask = planes

    class Hidden(Planes):
        def logits(self, x: Tensor) -> Tensor:
            return super().logits(x.detach()) + 0 * x.sum()

    masked = Hidden(model.w, model.b, model.batch.target["labels"])
    eps = float(distance(model, x, 2.0).max()) * 1.5
    dice = torch.Generator().manual_seed(0)
    stopped = PGD(eps, "raw")(masked, x, mask, dice, flips=masked.flips)
    assert (stopped.first_flip < 0).all()
    found = SPSA(eps, "raw", steps=30, samples=24)(masked, x, mask, dice, flips=masked.flips)
    assert (found.first_flip >= 0).all()


def test_the_ensemble_leaves_no_more_standing_than_any_member() -> None:
    victim = shared_victim("bert")
    texts = [
        f"{a} {b} {c}"
        for a in ("good", "poor", "the")
        for b in ("film", "very")
        for c in ("slow", "we", "dull")
    ]
    batch = labelled(victim, tuple(texts))
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    everyone = Ensemble(1.0, "raw", effort=12)

    def standing(attack: Any) -> Tensor:
        dice = torch.Generator().manual_seed(0)
        return attack(objective, x, batch.perturbable, dice, flips=objective.flips).first_flip < 0

    all_of_them = standing(everyone)
    counts = [int(standing(member).sum()) for member in everyone.members()]
    assert 0 < int(all_of_them.sum()) < len(texts)
    assert all(int(all_of_them.sum()) <= n for n in counts)
    assert len(set(counts)) > 1  # and the members do differ


def test_the_ensemble_works_only_on_what_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    sizes: list[int] = []
    real = AutoPGD.__call__

    def watching(self: Any, loss_fn: Any, embeds: Tensor, *more: Any, **named: Any) -> Any:
        sizes.append(len(embeds))
        return real(self, loss_fn, embeds, *more, **named)

    monkeypatch.setattr(AutoPGD, "__call__", watching)
    eps = float(FMN(unit="raw").smallest(objective, x, batch.perturbable)[1].median()) * 1.2
    found = Ensemble(eps, "raw", effort=20)(
        objective, x, batch.perturbable, torch.Generator().manual_seed(0), flips=objective.flips
    )
    assert sizes[0] == len(batch)
    assert sizes[-1] < len(batch)
    broken = found.first_flip >= 0
    assert torch.equal(
        victim.output(x + found.flip_delta, batch).argmax(1) != batch.target["labels"], broken
    )
