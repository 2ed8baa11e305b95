"""HotFlip against brute force on random models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from victims import KINDS, labelled, make_victim, shared_victim

from advlab.attacks.hotflip import HotFlip, first_order
from advlab.tasks import Batch

every_kind = pytest.mark.parametrize("kind", KINDS)


def loss_of(victim: Any, batch: Batch, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return victim.objective(replace(batch, input_ids=ids))(victim.embed(ids))


@every_kind
def test_trying_every_word_everywhere_finds_the_worst_single_replacement(kind: str) -> None:
    victim = shared_victim(kind)
    batch = labelled(victim, ("the film was good", "poor plot"))
    found = HotFlip(1, verify=100_000)(victim, batch)
    words = [i for i, k in enumerate(victim.kinds.tolist()) if k]
    for b in range(2):
        worst = -float("inf")
        for t in batch.perturbable[b].nonzero().flatten().tolist():
            tries = batch.input_ids[b : b + 1].repeat(len(words), 1)
            tries[:, t] = torch.tensor(words)
            many = batch.take(torch.full((len(words),), b))
            worst = max(worst, float(loss_of(victim, many, tries).max()))
        assert float(found.losses[-1, b]) == pytest.approx(worst, rel=1e-9)


@every_kind
def test_only_ordinary_tokens_are_replaced_by_ordinary_ones_and_once_each(kind: str) -> None:
    victim = shared_victim(kind)
    batch = labelled(victim)
    found = HotFlip(3, verify=4)(victim, batch)
    changed = found.input_ids != batch.input_ids
    assert not (changed & ~batch.perturbable).any()
    assert victim.ordinary[found.input_ids[changed]].all()
    for b in range(len(batch)):
        places = [p for p in found.places[:, b].tolist() if p >= 0]
        assert len(set(places)) == len(places) <= int(batch.perturbable[b].sum())
        assert set(places) == set(changed[b].nonzero().flatten().tolist())


def test_losses_and_flips_are_those_of_the_texts_on_the_way() -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    found = HotFlip(2, verify=8)(victim, batch)
    torch.testing.assert_close(found.losses[-1], loss_of(victim, batch, found.input_ids))
    torch.testing.assert_close(found.losses[0], loss_of(victim, batch, batch.input_ids))
    x = victim.embed(found.input_ids)
    misread = victim.output(x, batch).argmax(1) != batch.target["labels"]
    assert (found.flipped | ~misread).all()


def test_the_estimate_is_the_gradient_times_the_difference_of_vectors() -> None:
    victim = make_victim("bert")
    batch = labelled(victim)
    x = victim.embed(batch).detach().requires_grad_()
    (grad,) = torch.autograd.grad(victim.objective(batch)(x).sum(), x)
    kinds = victim.kinds
    rise = first_order(grad, batch.input_ids, victim.table, kinds, batch.perturbable)
    for b, t, v in ((0, 2, 9), (1, 4, 20), (2, 1, 33)):
        by_hand = float(grad[b, t] @ (victim.table[v] - victim.table[batch.input_ids[b, t]]))
        assert float(rise[b, t, v]) == pytest.approx(by_hand, rel=1e-9)
        assert rise[b, t, batch.input_ids[b, t]] == -torch.inf
    assert (rise[~batch.perturbable] == -torch.inf).all()
    assert (rise[:, :, kinds == 0] == -torch.inf).all()


def test_more_tries_never_find_less_in_one_replacement() -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    losses = [HotFlip(1, verify=k)(victim, batch).losses[-1] for k in (1, 5, 50)]
    assert (losses[1] >= losses[0]).all()
    assert (losses[2] >= losses[1]).all()
