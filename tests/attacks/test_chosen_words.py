"""Attacks on chosen words alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from victims import labelled, shared_victim

from advlab.attacks import FGM, PGD, AutoPGD
from advlab.attacks.norms import norm


@pytest.mark.parametrize("attack", [PGD(2.0, steps=4), AutoPGD(2.0, steps=5), FGM(2.0)])
def test_chosen_words_alone_can_be_attacked(attack: Any) -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    places = [[2], [3, 5], [1, 2], [4]]
    raw = attack.at(victim.scale)
    chosen = torch.zeros_like(batch.perturbable)
    for row, tokens in enumerate(places):
        chosen[row, tokens] = True
    found = raw(objective, x, batch.perturbable & chosen)
    moved = (found.delta.norm(dim=-1) > 0).tolist()
    assert [[t for t, m in enumerate(row) if m] for row in moved] == places
    assert (norm(found.delta, "l2", "example") <= raw.eps * (1 + 1e-9)).all()
    assert (found.loss > objective(x)).all()
