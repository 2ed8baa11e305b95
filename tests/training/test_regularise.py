from __future__ import annotations

from typing import Any

import pytest
import torch
from seam_tasks import KINDS as SEAM
from seam_tasks import examples_of, make_seam
from torch.nn import functional as F  # noqa: N812
from victims import labelled, make_victim

from advlab.attacks.hotflip import HotFlip
from advlab.runs.config import Regularisation
from advlab.tasks import Classification
from advlab.training.methods import METHODS, Step, build_method
from advlab.training.methods.regularise import _flipped, backward, set_dropout


def training(dropout: float = 0.2) -> tuple[Any, Any]:
    victim = make_victim("bert", dropout=dropout)
    batch = labelled(victim)
    victim.model.train()
    return victim, batch


def gradients(victim: Any, fill: Any) -> list[torch.Tensor]:
    victim.model.zero_grad(set_to_none=True)
    torch.manual_seed(3)
    fill()
    return [
        torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in victim.model.parameters()
    ]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("what", ["rdrop", "mixup", "hotflip"])
def test_a_regulariser_adds_its_own_gradients_to_any_method(name: str, what: str) -> None:
    victim, batch = training(0.0)
    method, extra = build_method({"name": name}), Regularisation(**{what: 0.7})
    generator = torch.Generator()

    def both() -> None:
        method.backward(victim, batch, Step(generator=generator.manual_seed(0)))
        backward(victim, batch, extra, generator.manual_seed(1))

    alone = gradients(
        victim, lambda: method.backward(victim, batch, Step(generator=generator.manual_seed(0)))
    )
    added = gradients(victim, lambda: backward(victim, batch, extra, generator.manual_seed(1)))
    for a, b, c in zip(gradients(victim, both), alone, added, strict=True):
        torch.testing.assert_close(a, b + c, rtol=1e-9, atol=1e-11)


def test_at_weight_zero_nothing_is_added() -> None:
    victim, batch = training()
    found = gradients(victim, lambda: backward(victim, batch, Regularisation()))
    assert all((g == 0).all() for g in found)
    assert not Regularisation(dropout=0.3).active


def test_rdrop_is_the_divergence_of_two_dropout_passes() -> None:
    victim, batch = training()
    torch.manual_seed(3)
    told = backward(victim, batch, Regularisation(rdrop=5.0))
    torch.manual_seed(3)
    p, q = (victim.output(victim.embed(batch), batch).softmax(-1) for _ in range(2))
    wanted = ((p - q) * (p.log() - q.log())).sum(-1).mean() / 2
    assert told["rdrop_loss"] == pytest.approx(float(wanted.detach()), rel=1e-9)
    assert told["rdrop_loss"] > 0
    still, batch = training(0.0)
    assert backward(still, batch, Regularisation(rdrop=5.0))["rdrop_loss"] == pytest.approx(0.0)


def test_mixup_is_between_the_losses_of_its_two_labels() -> None:
    victim, batch = training(0.0)
    told = backward(victim, batch, Regularisation(mixup=1.0), torch.Generator().manual_seed(0))
    assert 0 < told["mixup_loss"] < 20
    same = batch.with_target(labels=torch.ones_like(batch.target["labels"]))
    one = same.take(torch.tensor([0])).repeat(4)
    blended = backward(victim, one, Regularisation(mixup=1.0))["mixup_loss"]
    logits = victim.output(victim.embed(one), one)
    wanted = F.cross_entropy(logits, one.target["labels"])
    assert blended == pytest.approx(float(wanted.detach()), rel=1e-9)


def test_hotflip_texts_are_those_of_the_attack_and_the_mode_stays() -> None:
    victim, batch = training(0.0)
    told = backward(victim, batch, Regularisation(hotflip=1.0, hotflip_words=2))
    assert victim.model.training
    with victim.analysing():
        found = HotFlip(2, verify=1)(victim, batch)
    assert told["hotflip_loss"] == pytest.approx(float(found.losses[-1].mean()), rel=1e-9)
    assert told["hotflip_loss"] > float(found.losses[0].mean())


def test_hotflip_chooses_by_todays_word_vectors_and_costs_nothing_before_the_warm_up() -> None:
    victim, batch = training(0.0)
    assert backward(victim, batch, Regularisation(hotflip=1.0), strength=0.0) == {}
    first = _flipped(victim, batch, 2).input_ids
    with torch.no_grad():
        table = victim.model.get_input_embeddings().weight
        table.copy_(table.roll(7, 0))  # as far as a step can go
    second = _flipped(victim, batch, 2).input_ids
    fresh = HotFlip(2, verify=1)(victim.apart(), batch).input_ids
    assert torch.equal(second, fresh)
    assert not torch.equal(second, first)


def test_the_warm_up_scales_the_loss_on_hotflip_texts() -> None:
    victim, batch = training(0.0)
    whole, part = (
        gradients(
            victim, lambda s=s: backward(victim, batch, Regularisation(hotflip=2.0), strength=s)
        )
        for s in (1.0, 0.25)
    )
    for a, b in zip(whole, part, strict=True):
        torch.testing.assert_close(0.25 * a, b)


def test_mixup_smooths_labels_where_training_does() -> None:
    victim, batch = training(0.0)
    sharp = backward(victim, batch, Regularisation(mixup=1.0), torch.Generator().manual_seed(0))
    victim.task = Classification(smoothing=0.5)
    soft = backward(victim, batch, Regularisation(mixup=1.0), torch.Generator().manual_seed(0))
    one = batch.take(torch.zeros(4, dtype=torch.long))  # a blend of a text with itself
    told = backward(victim, one, Regularisation(mixup=1.0))["mixup_loss"]
    logits = victim.output(victim.embed(one), one)
    wanted = F.cross_entropy(logits, one.target["labels"], label_smoothing=0.5)
    assert told == pytest.approx(float(wanted.detach()), rel=1e-9)
    assert soft["mixup_loss"] != pytest.approx(sharp["mixup_loss"])


def test_dropout_can_be_set() -> None:
    victim, batch = training(0.2)
    set_dropout(victim, 0.0)
    x = victim.embed(batch)
    assert torch.equal(victim.output(x, batch), victim.output(x, batch))
    set_dropout(victim, 0.5)
    assert not torch.equal(victim.output(x, batch), victim.output(x, batch))


@pytest.mark.parametrize("kind", SEAM)
def test_dropout_can_be_set_where_layers_call_it_as_a_function(kind: str) -> None:
    victim = make_seam(kind, dropout=0.2)
    batch = victim.encode(examples_of(kind))
    x = victim.embed(batch)
    victim.model.train()
    set_dropout(victim, None)
    assert not torch.equal(victim.output(x, batch), victim.output(x, batch))
    set_dropout(victim, 0.0)
    assert torch.equal(victim.output(x, batch), victim.output(x, batch))
    set_dropout(victim, 0.5)
    assert not torch.equal(victim.output(x, batch), victim.output(x, batch))
