from __future__ import annotations

from typing import Any

import pytest
import torch
from known_loss import BALLS, NORMS, dice, every_attack, every_ball, every_kind, every_norm, made
from torch import Tensor
from victims import DECODERS, labelled, make_victim, shared_victim

from advlab.attacks import ATTACKS, PGD, RandomNoise
from advlab.attacks.norms import Ball, P, norm
from advlab.model.victim import Victim


@every_kind
@every_attack
def test_on_every_architecture_delta_is_bounded_masked_and_best(kind: str, name: str) -> None:
    victim = shared_victim(kind)
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    for p in NORMS:
        for ball in BALLS:
            attack = made(name, p, ball, 0.4)
            found = attack(objective, x, batch.perturbable, dice(), keep_path=True)
            for delta in found.path:
                assert (delta[~batch.perturbable] == 0).all()
                assert (norm(delta, p, ball) <= 0.4 * (1 + 1e-9)).all()
            torch.testing.assert_close(found.loss, found.losses.max(0).values)
            with torch.no_grad():
                torch.testing.assert_close(objective(x + found.delta), found.loss)
            assert found.delta.abs().sum((1, 2)).min() > 0 or name != "noise"


@every_kind
@every_norm
@every_ball
def test_a_padded_batch_is_attacked_like_its_texts_alone(kind: str, p: P, ball: Ball) -> None:
    victim = shared_victim(kind)
    batch = labelled(victim)
    attack = PGD(0.4, "raw", p, ball, steps=3)

    def run(one: Any) -> Any:
        return attack(victim.objective(one), victim.embed(one).detach(), one.perturbable)

    together = run(batch)
    for b in range(len(batch)):
        T = int(batch.attention_mask[b].sum())
        row = slice(b, b + 1)
        short = type(batch)(
            batch.input_ids[row, :T],
            batch.attention_mask[row, :T],
            batch.perturbable[row, :T],
            batch.segment[row, :T],
            {"labels": batch.target["labels"][row]},
        )
        alone = run(short)
        torch.testing.assert_close(alone.delta[0], together.delta[b, :T], rtol=0, atol=1e-9)
        torch.testing.assert_close(alone.losses[:, 0], together.losses[:, b], rtol=0, atol=1e-9)


def state_of(victim: Victim) -> tuple[Any, ...]:
    """All that an analysis must leave as it was."""
    return (
        {k: v.clone() for k, v in victim.model.state_dict().items()},
        [m.training for m in victim.model.modules()],
        [p.requires_grad for p in victim.model.parameters()],
        [None if p.grad is None else p.grad.clone() for p in victim.model.parameters()],
    )


def assert_same(before: tuple[Any, ...], after: tuple[Any, ...]) -> None:
    assert all(torch.equal(before[0][k], after[0][k]) for k in before[0])
    assert before[1:3] == after[1:3]
    for old, new in zip(before[3], after[3], strict=True):
        assert (old is None) == (new is None)
        assert old is None or torch.equal(old, new)


@every_kind
def test_an_attack_leaves_the_model_as_it_found_it(kind: str) -> None:
    victim = make_victim(kind, dropout=0.1)
    batch = labelled(victim)
    parameters = list(victim.model.parameters())
    parameters[1].requires_grad_(False)
    parameters[0].grad = torch.ones_like(parameters[0])
    victim.model.train()
    list(victim.model.modules())[-1].eval()  # modes need not be alike
    before = state_of(victim)

    def attack(objective: Any) -> None:
        for name in ATTACKS:
            raw = made(name, "l2", "example")
            raw(objective, victim.embed(batch).detach(), batch.perturbable, dice())

    with victim.analysing():
        assert not any(m.training for m in victim.model.modules())
        assert not any(p.requires_grad for p in parameters)
        attack(victim.objective(batch))
    assert_same(before, state_of(victim))
    attack(victim.objective(batch))  # outside `analysing` too, no parameter gradient is touched
    assert_same(before, state_of(victim))

    calls = []

    def breaks(z: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("planted")
        return victim.objective(batch)(z)

    with pytest.raises(RuntimeError, match="planted"), victim.analysing():
        PGD(0.1, "raw")(breaks, victim.embed(batch).detach(), batch.perturbable)
    assert_same(before, state_of(victim))


@every_kind
def test_flips_are_those_of_the_prediction(kind: str) -> None:
    victim = shared_victim(kind)
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    found = PGD(4.0, "raw", steps=6)(
        objective, x, batch.perturbable, flips=objective.flips, keep_path=True
    )
    assert found.path is not None
    wrong = torch.stack(
        [victim.output(x + d, batch).argmax(-1) != batch.target["labels"] for d in found.path]
    )
    assert wrong.any()  # ε of several word vectors breaks random models
    for b in range(len(batch)):
        steps = wrong[:, b].nonzero().flatten().tolist()
        assert found.first_flip[b] == (steps[0] if steps else -1)
    target = batch.with_target(labels=(batch.target["labels"] + 1) % 3)
    aim = victim.objective(target, targeted=True)
    hit = PGD(4.0, "raw", steps=6, targeted=True)(aim, x, batch.perturbable, flips=aim.flips)
    reached = victim.output(x + hit.flip_delta, batch).argmax(-1) == target.target["labels"]
    assert torch.equal(reached, hit.first_flip >= 0)
    assert (hit.loss <= aim(x)).all()


@every_kind
def test_pgd_beats_random_noise_of_the_same_norm(kind: str) -> None:
    victim = shared_victim(kind)
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    strong = PGD(0.3, "raw")(objective, x, batch.perturbable).loss
    weak = RandomNoise(0.3, "raw", draws=20)(objective, x, batch.perturbable, dice()).loss
    assert (strong > weak).all()


def test_padding_never_spends_the_budget() -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    short = int(batch.attention_mask.sum(1).argmin())
    found = PGD(0.5, "raw", start="random", steps=1, step_size=1e-12)(
        victim.objective(batch), x, batch.perturbable, dice(3)
    )
    spent = norm(found.delta, "l2", "example").flatten()
    alone = norm(found.delta[short : short + 1], "l2", "example")
    assert spent[short] == alone
    # 2 words of 16 numbers: a uniform point's mean radius is 32/33 of ε, were padding left out of
    # the draw; a draw over all 16 positions cut to 2 would leave about a third
    assert spent[short] > 0.8 * 0.5


def test_decoders_read_the_last_real_token() -> None:
    for kind in DECODERS:
        victim = shared_victim(kind)
        batch = victim.encode(["the film was good", "we saw a very fine scene and a bad plot"])
        x = victim.embed(batch).detach().requires_grad_()
        (grad,) = torch.autograd.grad(victim.output(x, batch)[0].pow(2).sum(), x)
        real = int(batch.attention_mask[0].sum())
        assert (grad[0, :real].abs().sum(1) > 0).all()
        assert (grad[0, real:] == 0).all()


@pytest.mark.parametrize("name", [n for n in ATTACKS if n != "ensemble"])
def test_to_keep_the_first_success_costs_no_forward_pass(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = make_victim("bert")
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    count = 0
    real = victim.output

    def counted(*args: Any) -> Tensor:
        nonlocal count
        count += 1
        return real(*args)

    monkeypatch.setattr(victim, "output", counted)
    passes = []
    for keeps in (False, True):
        count, objective = 0, victim.objective(batch)
        flips = objective.flips if keeps else None
        made(name, "l2", "example")(objective, x, batch.perturbable, dice(), flips=flips)
        passes.append(count)
    assert passes[0] == passes[1] > 0


def test_an_objective_answers_for_the_numbers_that_a_tensor_holds_now() -> None:
    victim = make_victim("bert")
    batch = labelled(victim)
    objective = victim.objective(batch)
    x = victim.embed(batch).detach()
    found = PGD(8.0, steps=10).at(victim.scale)(
        objective, x, batch.perturbable, flips=objective.flips
    )
    broken = found.first_flip >= 0
    assert broken.any()
    moving = x.clone()
    objective(moving)
    assert not objective.flips(moving).any()
    moving += found.flip_delta
    assert torch.equal(objective.flips(moving), broken)
    judged = objective.judge(moving)
    assert torch.equal(judged.flipped, broken)
    assert torch.equal(judged.loss, objective(moving))
    assert torch.equal(judged.scores, objective.scores(moving))
