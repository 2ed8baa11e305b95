from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from speakers import EXAMPLES as SPOKEN
from speakers import make_speaker
from torch import Tensor
from translators import EXAMPLES as TRANSLATED
from translators import make_translator
from victims import gradients, labelled, make_victim

from advlab.model.victim import Victim
from advlab.tasks import Batch
from advlab.tasks.base import in_training
from advlab.training.methods import Step
from advlab.training.methods.base import Plain
from advlab.training.methods.words import Replace, nearest, replaced

KINDS = ("bert", "gpt2", "bart", "marian", "t5")


def case(kind: str) -> tuple[Victim, Batch]:
    """A model in training mode and its batch; a translator's with room on the decoder's input."""
    if kind == "bert":
        victim = make_victim("bert")
        batch = labelled(victim)
    elif kind == "gpt2":
        victim = make_speaker("gpt2")
        batch = victim.encode(SPOKEN)
    else:
        victim = make_translator(kind, place="both")
        batch = in_training(victim.encode(TRANSLATED))
    victim.model.train()
    return victim, batch


def gradient_at(victim: Victim, batch: Batch) -> Tensor:
    x = victim.embed(batch).detach().requires_grad_()
    return torch.autograd.grad(victim.objective(batch, training=True)(x).sum(), x)[0]


def best_by_hand(victim: Victim, token: int, grad: list[float], k: int) -> int:
    """The exhaustive search: all tokens of the kind by distance, the first k of them by cosine."""
    table, kinds = victim.table.tolist(), victim.kinds.tolist()
    own = table[token]
    near = sorted(
        (math.dist(own, table[i]), i)
        for i in range(len(table))
        if i != token and kinds[i] and kinds[i] == kinds[token]
    )[:k]
    scores = []
    for distance, i in near:
        way = [a - b for a, b in zip(table[i], own, strict=True)]
        dot = sum(a * b for a, b in zip(way, grad, strict=True))
        scores.append((dot / (distance * math.hypot(*grad)), i))
    return max(scores)[1] if scores else token


@pytest.mark.parametrize("k", [1, 4, 500])
@pytest.mark.parametrize("kind", ["bert", "gpt2", "bart"])
def test_a_token_gives_way_to_the_best_of_an_exhaustive_search(kind: str, k: int) -> None:
    victim, batch = case(kind)
    grad = gradient_at(victim, batch)
    found = replaced(victim, batch, grad, batch.perturbable, k)
    for row, place in batch.perturbable.nonzero().tolist():
        token = int(batch.input_ids[row, place])
        wanted = best_by_hand(victim, token, grad[row, place].tolist(), k)
        assert int(found[row, place]) == wanted
    assert torch.equal(found[~batch.perturbable], batch.input_ids[~batch.perturbable])


@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_on_half_the_clean_and_half_the_changed_text(kind: str) -> None:
    victim, batch = case(kind)
    method = Replace(share=0.6, answer_share=0.9)
    chosen = method.places(batch, Step(generator=torch.Generator().manual_seed(1)))
    ids = replaced(victim, batch, gradient_at(victim, batch), chosen, method.candidates)
    assert (ids != batch.input_ids).any()
    found = gradients(victim, batch, method)
    victim.model.zero_grad(set_to_none=True)
    for one in (batch, replace(batch, input_ids=ids)):
        (victim.objective(one, training=True)(victim.embed(one)).mean() / 2).backward()
    for p, g in zip(victim.model.parameters(), found, strict=True):
        wanted = torch.zeros_like(p) if p.grad is None else p.grad
        tolerance = 1e-5 if kind == "t5" else 1e-9  # T5 normalises in float32
        torch.testing.assert_close(g, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_to_be_written_stays_when_what_was_written_is_replaced(kind: str) -> None:
    victim, batch = case(kind)
    ids = replaced(victim, batch, gradient_at(victim, batch), batch.perturbable, 10)
    changed = (ids != batch.input_ids).nonzero().tolist()
    sides = {int(batch.segment[row, place]) for row, place in changed}
    assert sides == ({0, 2} if kind in ("bart", "marian", "t5") else {0})
    assert set(victim.kinds[ids[batch.perturbable]].tolist()) <= {1, 2}


@pytest.mark.parametrize("kind", KINDS)
def test_with_nothing_replaced_it_is_plain_training(kind: str) -> None:
    victim, batch = case(kind)
    plain = gradients(victim, batch, Plain())
    for found in (
        gradients(victim, batch, Replace(), strength=0.0),
        gradients(victim, batch, Replace(share=0.0, answer_share=0.0)),
    ):
        for a, b in zip(found, plain, strict=True):
            tolerance = 1e-6 if kind == "t5" else 1e-12
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_each_side_is_replaced_at_its_share() -> None:
    _, batch = case("bart")
    many = batch.repeat(500)
    chosen = Replace(share=0.2, answer_share=0.7).places(
        many, Step(0.5, torch.Generator().manual_seed(0))
    )
    for side, share in ((0, 0.1), (2, 0.35)):
        here = many.perturbable & (many.segment == side)
        assert float(chosen[here].double().mean()) == pytest.approx(share, abs=0.02)
    assert not chosen[~many.perturbable].any()


def test_a_token_without_others_of_its_kind_stays() -> None:
    table, kinds = torch.eye(4), torch.tensor([0, 1, 2, 2])
    assert nearest(torch.tensor([1, 2, 1]), table, kinds, 3).tolist() == [
        [-1, -1, -1],
        [3, -1, -1],
        [-1, -1, -1],
    ]
