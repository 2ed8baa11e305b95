from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from victims import KINDS, labelled, make_victim

from advlab.attacks import FGM, PGD
from advlab.errors import SettingError
from advlab.methods import (
    METHODS,
    FGMTraining,
    FreeLB,
    Noise,
    PGDTraining,
    Plain,
    TiedDropout,
    build_method,
    method_settings,
)
from advlab.norms import Ball, P, norm, project, random_in_ball, steepest
from advlab.tasks import Batch
from advlab.victim import Victim

ADVERSARIAL = [name for name in METHODS if name != "plain"]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_method = pytest.mark.parametrize("name", METHODS)
adversarial = pytest.mark.parametrize("name", ADVERSARIAL)


def gradients(victim: Victim, method: Any, batch: Batch, **more: Any) -> list[Tensor]:
    """Every parameter's `.grad` after one `backward`, from the same dice each time."""
    victim.model.zero_grad(set_to_none=True)
    torch.manual_seed(7)
    method.backward(victim, batch, generator=torch.Generator().manual_seed(1), **more)
    return [
        torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in victim.model.parameters()
    ]


def assert_close(a: list[Tensor], b: list[Tensor], atol: float = 1e-12) -> None:
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=atol)


def training(kind: str = "bert", dropout: float = 0.2) -> tuple[Victim, Batch]:
    victim = make_victim(kind, dropout=dropout)
    batch = labelled(victim)
    victim.model.train()
    return victim, batch


# ---- without ε every method is plain training -----------------------------------------------


@every_kind
@adversarial
@pytest.mark.parametrize("how", ["eps", "strength"])
def test_at_zero_eps_gradients_equal_plain_training(kind: str, name: str, how: str) -> None:
    victim, batch = training(kind)
    wanted = gradients(victim, Plain(), batch)
    assert max(g.abs().max() for g in wanted) > 1e-3
    method = build_method({"name": name} | ({"eps": 0.0} if how == "eps" else {}))
    more = {} if how == "eps" else {"strength": 0.0}
    # Llama's norm layers compute in float32, whatever the model's type
    atol = 1e-6 if kind == "llama" else 1e-12
    assert_close(gradients(victim, method, batch, **more), wanted, atol)


@adversarial
def test_with_eps_gradients_differ_from_plain_training(name: str) -> None:
    victim, batch = training()
    wanted = gradients(victim, Plain(), batch)
    found = gradients(victim, build_method({"name": name, "eps": 0.3, "unit": "raw"}), batch)
    assert max((a - b).abs().max() for a, b in zip(found, wanted, strict=True)) > 1e-4


def test_freelb_of_one_step_from_zero_is_plain_training() -> None:
    victim, batch = training()
    wanted = gradients(victim, Plain(), batch)
    assert_close(gradients(victim, FreeLB(eps=0.5, steps=1, start_size=0.0), batch), wanted)


@every_method
def test_the_next_batch_gets_the_same_dropout_whatever_the_method(name: str) -> None:
    """Each method leaves the random state where plain training leaves it."""
    victim, batch = training()
    gradients(victim, Plain(), batch)
    plain = torch.get_rng_state()
    gradients(victim, build_method({"name": name}), batch)
    assert torch.equal(torch.get_rng_state(), plain)


# ---- what each method computes --------------------------------------------------------------


@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
def test_fgm_trains_on_half_the_clean_and_half_the_attacked_loss(p: P, ball: Ball) -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, FGMTraining(0.3, "raw", p, ball), batch)
    x = victim.embed(batch.input_ids).detach()
    path = FGM(0.3, "raw", p, ball)(
        victim.objective(batch), x, batch.perturbable, keep_path=True
    ).path
    assert path is not None
    assert_close(found, _mean_gradient(victim, batch, [torch.zeros_like(x), path[-1]]))


@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
def test_pgd_trains_on_half_the_clean_and_half_the_last_iterate(p: P, ball: Ball) -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, PGDTraining(0.3, "raw", p, ball, steps=4), batch)
    x = victim.embed(batch.input_ids).detach()
    attack = PGD(0.3, "raw", p, ball, steps=4, step_size=0.5, start="random")
    dice = torch.Generator().manual_seed(1)
    path = attack(victim.objective(batch), x, batch.perturbable, dice, keep_path=True).path
    assert path is not None
    assert_close(found, _mean_gradient(victim, batch, [torch.zeros_like(x), path[-1]]), 1e-10)


@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
def test_freelb_averages_over_its_trajectory(p: P, ball: Ball) -> None:
    victim, batch = training(dropout=0.0)
    method = FreeLB(0.3, "raw", p, ball, steps=3)
    found = gradients(victim, method, batch)
    x = victim.embed(batch.input_ids).detach()
    start = method.start_size * 0.3
    delta = random_in_ball(x, batch.perturbable, start, p, ball, torch.Generator().manual_seed(1))
    path = []
    for _ in range(3):
        path.append(delta)
        delta = delta.clone().requires_grad_()
        (grad,) = torch.autograd.grad(victim.objective(batch)(x + delta).sum(), delta)
        step = method.step_size * 0.3 * steepest(grad * batch.perturbable.unsqueeze(-1), p, ball)
        delta = project(delta.detach() + step, 0.3, p, ball)
    assert_close(found, _mean_gradient(victim, batch, path), 1e-10)


def test_noise_adds_the_symmetric_divergence() -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, Noise(0.3, "raw", weight=0.7), batch)
    x = victim.embed(batch.input_ids)
    delta = random_in_ball(
        x.detach(), batch.perturbable, 0.3, "l2", "example", torch.Generator().manual_seed(1),
        surface=True,
    )  # fmt: skip
    p, q = victim.logits(x, batch).softmax(-1), victim.logits(x + delta, batch).softmax(-1)
    apart = ((p - q) * (p.log() - q.log())).sum(-1)  # KL(p‖q) + KL(q‖p)
    victim.model.zero_grad(set_to_none=True)
    (victim.objective(batch)(x) + 0.7 * apart).mean().backward()
    assert_close(found, [_grad(q) for q in victim.model.parameters()])


def _mean_gradient(victim: Victim, batch: Batch, deltas: list[Tensor]) -> list[Tensor]:
    victim.model.zero_grad(set_to_none=True)
    for delta in deltas:
        loss = victim.objective(batch)(victim.embed(batch.input_ids) + delta).mean()
        (loss / len(deltas)).backward()
    return [_grad(p) for p in victim.model.parameters()]


def _grad(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad.clone()


# ---- cost, dropout, padding -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        (Plain(), (1, 1)),
        (Noise(), (2, 2)),
        (FGMTraining(), (2, 2)),
        (build_method({"name": "fgsm"}), (2, 2)),
        (PGDTraining(steps=1), (3, 3)),
        (PGDTraining(steps=5), (7, 7)),
        (FreeLB(steps=1), (1, 1)),
        (FreeLB(steps=5), (5, 5)),
    ],
)
def test_a_step_costs_the_passes_that_it_says(method: Any, passes: tuple[int, int]) -> None:
    victim, batch = training()
    forward, backward, real = [], [], victim.logits

    def counting(embeds: Tensor, one: Batch) -> Tensor:
        forward.append(1)
        logits = real(embeds, one)
        logits.register_hook(backward.append)  # fires when a gradient reaches these logits
        return logits

    victim.logits = counting  # type: ignore[method-assign]
    method.backward(victim, batch, generator=torch.Generator().manual_seed(0))
    assert (len(forward), len(backward)) == passes


def test_tied_dropout_drops_the_same_units_in_every_pass() -> None:
    victim, batch = training()
    x = victim.embed(batch.input_ids).detach()
    loose = victim.objective(batch)
    assert not torch.equal(loose.logits(x), loose.logits(x))
    tied = TiedDropout(victim.objective(batch))
    assert torch.equal(tied.logits(x), tied.logits(x))
    torch.rand(5)
    assert torch.equal(tied(x), tied(x))
    assert not torch.equal(TiedDropout(victim.objective(batch))(x), tied(x))


@every_kind
@pytest.mark.parametrize("name", [n for n in METHODS if n != "noise"])
def test_more_padding_changes_no_gradient(kind: str, name: str) -> None:
    """No dropout, no random start: what stands behind the texts must not matter.

    Noise has no other start: its draws depend on the batch's shape.
    """
    victim, batch = training(kind, dropout=0.0)
    method: Any = build_method({"name": name} | ({"eps": 0.4} if name != "plain" else {}))
    if isinstance(method, PGDTraining):
        method = replace(method, start="zero")
    if isinstance(method, FreeLB):
        method = replace(method, start_size=0.0)
    B = len(batch)
    longer = Batch(
        torch.cat([batch.input_ids, torch.full((B, 5), victim.tokenizer.pad_token_id)], 1),
        torch.cat([batch.attention_mask, torch.zeros(B, 5, dtype=torch.long)], 1),
        torch.cat([batch.perturbable, torch.zeros(B, 5, dtype=torch.bool)], 1),
        batch.labels,
    )
    assert_close(gradients(victim, method, longer), gradients(victim, method, batch), atol=1e-10)


@adversarial
@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
def test_training_perturbations_stay_in_their_ball_and_off_specials(
    name: str, p: P, ball: Ball
) -> None:
    victim, batch = training(dropout=0.0)
    clean = victim.embed(batch.input_ids).detach()
    seen, real = [], victim.logits

    def watching(embeds: Tensor, one: Batch) -> Tensor:
        seen.append(embeds.detach() - clean)
        return real(embeds, one)

    victim.logits = watching  # type: ignore[method-assign]
    method = build_method({"name": name, "eps": 0.8, "unit": "raw", "p": p, "ball": ball})
    told = method.backward(victim, batch, strength=0.5, generator=torch.Generator().manual_seed(0))
    for delta in seen:
        assert (delta[~batch.perturbable] == 0).all()
        assert (norm(delta, p, ball) <= 0.4 + 1e-9).all()
    assert max(norm(d, p, ball).max() for d in seen) > 0.1
    assert told["delta_norm"] == pytest.approx(
        norm(seen[-1], "l2", "example").mean().item(), rel=1e-9
    )


@every_method
def test_saturated_losses_give_finite_gradients(name: str) -> None:
    """float32 cross-entropy has an exactly zero gradient at a logit gap above about 120."""
    victim, batch = training(dropout=0.0)
    victim.model.float()
    with torch.no_grad():
        head = victim.model.classifier
        head.weight.zero_()
        head.bias.copy_(torch.tensor([400.0, 0.0, -400.0]))
    batch = batch.with_labels(torch.zeros_like(batch.labels))
    x = victim.embed(batch.input_ids).detach().requires_grad_()
    assert (torch.autograd.grad(victim.objective(batch)(x).sum(), x)[0] == 0).all()
    for g in gradients(victim, build_method({"name": name}), batch):
        assert torch.isfinite(g).all()


@every_method
def test_backward_reports_losses_as_numbers(name: str) -> None:
    victim, batch = training()
    told = build_method({"name": name}).backward(victim, batch)
    assert all(isinstance(v, float) for v in told.values())
    assert {"clean_loss", "adv_loss"} & set(told)


def test_units_count_from_the_scale_that_was_recorded() -> None:
    victim, _ = training()
    scale = victim.scale
    assert FreeLB(0.5, "norm").radius(victim, 0.5) == pytest.approx(0.25 * scale.mean_norm)
    assert FreeLB(0.5, "half-nn").radius(victim, 1.0) == pytest.approx(0.5 * scale.half_nn)
    assert FreeLB(0.5, "raw").radius(victim, 1.0) == 0.5


def test_methods_are_built_by_name_and_say_what_is_wrong() -> None:
    for name, cls in METHODS.items():
        assert build_method(method_settings(cls())) == cls()
        assert method_settings(cls())["name"] == name
    with pytest.raises(SettingError, match="unknown training method 'trades'; choose from fgm"):
        build_method({"name": "trades"})
    with pytest.raises(SettingError, match="no setting 'eps'"):
        build_method({"name": "plain", "eps": 0.1})
    with pytest.raises(SettingError, match=r"FreeLB\.p: expected one of l2, linf, l1, got 'l3'"):
        build_method({"name": "freelb", "p": "l3"})
