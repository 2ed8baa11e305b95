from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from gradients import assert_close, every_kind, gradients, on_inputs, training
from torch import Tensor
from transformers import BertForSequenceClassification
from victims import tiny_model, word_tokenizer

from advlab.attacks import FGM, PGD
from advlab.attacks.norms import Ball, P, norm, project, random_in_ball, steepest
from advlab.errors import SettingError
from advlab.model import blocks
from advlab.model.victim import Victim
from advlab.tasks import Batch
from advlab.training.methods import Place, Plain, Step, build_method, inputs
from advlab.training.methods.engine import Threat, ascend
from advlab.training.methods.inputs import FreeLB, Noise
from advlab.training.methods.weights import AWP, SAM, TableAttack


@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
def test_fgm_trains_on_half_the_clean_and_half_the_attacked_loss(p: P, ball: Ball) -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, inputs.FGM(0.3, "raw", p, ball), batch)
    x = victim.embed(batch).detach()
    path = FGM(0.3, "raw", p, ball)(
        victim.objective(batch), x, batch.perturbable, keep_path=True
    ).path
    assert path is not None
    assert_close(found, _mean_gradient(victim, batch, [torch.zeros_like(x), path[-1]]))


@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
@pytest.mark.parametrize("begin", ["zero", "random"])
def test_pgd_trains_on_half_the_clean_and_half_the_last_iterate(
    p: P, ball: Ball, begin: Any
) -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, inputs.PGD(0.3, "raw", p, ball, steps=4, start=begin), batch)
    x = victim.embed(batch).detach()
    attack = PGD(0.3, "raw", p, ball, steps=4, step_size=0.5, start=begin)
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
    x = victim.embed(batch).detach()
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
    x = victim.embed(batch)
    delta = random_in_ball(
        x.detach(),
        batch.perturbable,
        0.3,
        "l2",
        "example",
        torch.Generator().manual_seed(1),
        surface=True,
    )
    p, q = victim.output(x, batch).softmax(-1), victim.output(x + delta, batch).softmax(-1)
    apart = ((p - q) * (p.log() - q.log())).sum(-1)  # KL(p‖q) + KL(q‖p)
    victim.model.zero_grad(set_to_none=True)
    (victim.objective(batch)(x) + 0.7 * apart).mean().backward()
    assert_close(found, [_grad(q) for q in victim.model.parameters()])


def _mean_gradient(victim: Victim, batch: Batch, deltas: list[Tensor]) -> list[Tensor]:
    victim.model.zero_grad(set_to_none=True)
    for delta in deltas:
        loss = victim.objective(batch)(victim.embed(batch) + delta).mean()
        (loss / len(deltas)).backward()
    return [_grad(p) for p in victim.model.parameters()]


def _grad(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad.clone()


@every_kind
@pytest.mark.parametrize("layer", [0, 1])
def test_hidden_pgd_trains_at_the_delta_that_whole_passes_would_find(kind: str, layer: int) -> None:
    """The ascent through the upper blocks only gives what whole forward passes give."""
    victim, batch = training(kind, dropout=0.0)
    method = inputs.Hidden(0.2, "raw", layer=layer, steps=3)
    found = gradients(victim, method, batch)
    x = victim.embed(batch).detach()

    def loss(delta: Tensor, embeds: Tensor = x) -> Tensor:
        add = lambda hidden: hidden + delta  # noqa: E731
        return victim.objective(batch).loss_of(
            blocks.logits_with(victim, embeds, batch, layer, add)
        )

    delta = torch.zeros_like(blocks.hidden_at(victim, x, batch, layer))
    for _ in range(3):
        delta = delta.detach().requires_grad_()
        (grad,) = torch.autograd.grad(loss(delta).sum(), delta)
        step = 0.5 * 0.2 * steepest(grad * batch.perturbable.unsqueeze(-1), "l2", "example")
        delta = project(delta.detach() + step, 0.2, "l2", "example")
    victim.model.zero_grad(set_to_none=True)
    for d in (torch.zeros_like(delta), delta):
        (loss(d, victim.embed(batch)).mean() / 2).backward()
    wanted = [_grad(p) for p in victim.model.parameters()]
    assert max(g.abs().max() for g in wanted) > 1e-3
    assert_close(found, wanted, 1e-6 if kind == "llama" else 1e-10)


def test_hidden_eps_counts_the_batchs_own_vectors() -> None:
    victim, batch = training(dropout=0.0)
    told = inputs.Hidden(0.5, "norm", layer=1, steps=5).backward(victim, batch, Step())
    hidden = blocks.hidden_at(victim, victim.embed(batch), batch, 1)
    size = hidden.norm(dim=-1)[batch.perturbable].mean().item()
    assert told["delta_norm"] == pytest.approx(0.5 * size, rel=1e-9)
    with pytest.raises(SettingError, match="norm or raw"):
        inputs.Hidden(0.5, "half-nn").backward(victim, batch, Step())


def test_the_hidden_ascent_is_cheaper_the_later_the_layer() -> None:
    """Blocks run per training step: all of them in the two training passes, few in the ascent."""
    victim, batch = training()
    runs: list[int] = []
    blocks.check_blocks(victim, batch)  # which it would be at the first batch, once
    for block in blocks.blocks_of(victim)[2]:
        block.register_forward_hook(lambda *_: runs.append(1))
    counts = []
    for layer in (0, 1):
        runs.clear()
        inputs.Hidden(layer=layer, steps=4).backward(victim, batch, Step())
        counts.append(len(runs))
    assert counts == [2 + 3 * 2 + 2, 2 + 3 * 1 + 2]


def test_vat_finds_a_direction_that_moves_the_prediction_more_than_noise_does() -> None:
    victim, batch = training(dropout=0.0)
    place = Place(victim, batch)
    method = inputs.VAT(0.3, "raw", steps=2)
    clean = place.logits().detach()
    dice = torch.Generator().manual_seed(0)
    delta = ascend(place, Threat(0.3), method.parts()[0], dice, clean=clean)
    assert torch.allclose(norm(delta, "l2", "example"), torch.tensor(0.3, dtype=delta.dtype))
    found = place.divergence(clean, place.logits(delta), False)
    for _ in range(20):
        noise = random_in_ball(
            place.like, batch.perturbable, 0.3, "l2", "example", dice, surface=True
        )
        assert (found > place.divergence(clean, place.logits(noise), False)).all()


@pytest.mark.parametrize("name", ["sam", "awp", "table"])
def test_weights_are_put_back_bit_for_bit_after_errors_too(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, batch = training()
    before = [p.detach().clone() for p in victim.model.parameters()]
    build_method({"name": name}).backward(victim, batch, Step())
    assert all(torch.equal(a, b) for a, b in zip(before, victim.model.parameters(), strict=True))
    changed, real = [], Place.logits

    def failing(place: Place, delta: Tensor | None = None) -> Tensor:
        now = victim.model.parameters()
        if any(not torch.equal(a, b) for a, b in zip(before, now, strict=True)):
            changed.append(1)
            raise RuntimeError("out of memory")
        return real(place, delta)

    monkeypatch.setattr(Place, "logits", failing)
    with pytest.raises(RuntimeError, match="memory"):
        build_method({"name": name}).backward(victim, batch, Step())
    assert changed
    assert all(torch.equal(a, b) for a, b in zip(before, victim.model.parameters(), strict=True))


def test_sam_takes_the_gradient_at_the_worst_nearby_weights() -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, SAM(0.2), batch)
    plain = gradients(victim, Plain(), batch)
    size = torch.stack([g.norm() for g in plain]).norm()
    with torch.no_grad():
        for p, g in zip(victim.model.parameters(), plain, strict=True):
            p.add_(0.2 * g / size)
    assert_close(found, gradients(victim, Plain(), batch), 1e-10)


def test_awp_moves_each_matrix_by_its_share_and_no_vector() -> None:
    victim, batch = training(dropout=0.0)
    method = AWP(0.2, "raw", gamma=0.05, steps=2)
    seen: list[list[Tensor]] = []
    real = victim.output

    def watching(embeds: Tensor, one: Batch) -> Tensor:
        seen.append([p.detach().clone() for p in victim.model.parameters()])
        return real(embeds, one)

    victim.output = watching  # type: ignore[method-assign]
    method.backward(victim, batch, Step())
    for before, after in zip(seen[0], seen[-1], strict=True):
        moved = (after - before).norm()
        if before.ndim < 2:
            assert moved == 0
        elif moved > 0:
            assert moved == pytest.approx(0.05 * before.norm().item(), rel=1e-9)
    assert sum((a != b).any() for a, b in zip(seen[0], seen[-1], strict=True)) > 3


def test_the_table_attack_has_one_norm_for_the_whole_batch_and_moves_specials_too() -> None:
    """What is wrong with it, measured: texts get unequal shares of ε, and [CLS] moves."""
    victim, batch = training(dropout=0.0)
    clean = victim.embed(batch).detach()
    seen: list[Tensor] = []
    real = victim.output

    def watching(embeds: Tensor, one: Batch) -> Tensor:
        seen.append(embeds.detach() - clean)
        return real(embeds, one)

    victim.output = watching  # type: ignore[method-assign]
    TableAttack(0.3, "raw").backward(victim, batch, Step())
    sizes = norm(seen[-1], "l2", "example").flatten()
    assert sizes.max() > 1.01 * sizes.min()
    assert seen[-1][~batch.perturbable & batch.attention_mask.bool()].abs().max() > 0


@on_inputs
def test_a_fraction_of_the_batches_is_perturbed(name: str) -> None:
    """Drawn once a batch: all replays of a batch are perturbed, or none is."""
    victim, batch = training()
    dice = torch.Generator().manual_seed(0)
    method = build_method({"name": name, "fraction": 0.3})
    perturbed = 0
    for _ in range(40):
        carry: dict[str, Any] = {}
        told = [
            method.backward(victim, batch, Step(generator=dice, carry=carry))
            for _ in range(method.replays)
        ]
        plain = [set(numbers) == {"clean_loss"} for numbers in told]
        assert len(set(plain)) == 1
        perturbed += not plain[0]
    assert 5 <= perturbed <= 20
    never = build_method({"name": name, "fraction": 0.0})
    assert_close(gradients(victim, never, batch), gradients(victim, Plain(), batch))


def test_a_layer_that_the_model_lacks_is_refused_by_its_number() -> None:
    victim, batch = training()
    for layer in (2, 3, 9):
        with pytest.raises(SettingError, match=rf"below 2, as bert has, got {layer}; lower it"):
            inputs.Hidden(layer=layer).backward(victim, batch, Step())
    tokenizer = word_tokenizer("bert")
    config = tiny_model("bert", tokenizer).config
    config.num_hidden_layers = 3
    three = Victim(
        BertForSequenceClassification(config).double().eval(),
        tokenizer,
        head=("no", "yes", "maybe"),
        name="three",
        max_length=32,
    )
    assert Place(three, batch, "hidden", 2).layer == 2
    assert Place(three, batch, "hidden").layer == 1
    with pytest.raises(SettingError, match="below 3, as three has, got 3"):
        Place(three, batch, "hidden", 3)


def test_the_table_attack_needs_a_table_that_trains() -> None:
    victim, batch = training()
    victim.model.get_input_embeddings().weight.requires_grad_(False)
    with pytest.raises(SettingError, match="let the table train, or use fgm"):
        TableAttack().backward(victim, batch, Step())


def test_free_training_carries_delta_through_the_replays_of_a_batch() -> None:
    victim, batch = training(dropout=0.0)
    carry: dict[str, Any] = {}
    method = inputs.FreeAT(0.3, "raw")
    lengths = [method.backward(victim, batch, Step(carry=carry))["delta_norm"] for _ in range(3)]
    assert lengths[0] == 0
    assert lengths[1:] == pytest.approx([0.3, 0.3])
