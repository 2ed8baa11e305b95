from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from gradients import assert_close, every_kind, every_method, gradients, on_inputs, training
from torch import Tensor

from advlab.attacks.norms import Ball, P, norm
from advlab.errors import SettingError
from advlab.model import blocks
from advlab.tasks import Batch
from advlab.training.methods import (
    METHODS,
    Place,
    Plain,
    Step,
    build_method,
    inputs,
    method_settings,
)
from advlab.training.methods.inputs import FreeLB, Noise
from advlab.training.methods.lures import Unlikelihood
from advlab.training.methods.weights import AWP, SAM, TableAttack
from advlab.training.methods.words import Replace

RANDOM_START = (
    "noise",
    "fast",
    "vat",
    "trades",
    "smart",
    "words",
)  # draws depend on the batch's shape


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        (Plain(), (1, 1)),
        (Noise(), (2, 2)),
        (inputs.FGM(), (2, 2)),
        (inputs.FGSM(), (2, 2)),
        (inputs.PGD(steps=1), (2, 2)),
        (inputs.PGD(steps=5), (6, 6)),
        (inputs.PGD(steps=5, start="random"), (7, 7)),
        (inputs.PGD(steps=5, start="random", adv_weight=1.0), (6, 6)),
        (inputs.FastAT(), (2, 2)),
        (inputs.FreeAT(), (1, 1)),  # on each replay
        (inputs.FreeLBPlus(), (10, 10)),
        (inputs.VAT(), (3, 3)),
        (inputs.VAT(steps=2), (4, 4)),
        (inputs.TRADES(), (5, 5)),
        (inputs.SMART(), (3, 3)),
        (SAM(), (2, 2)),
        (AWP(steps=3), (6, 6)),
        (TableAttack(), (2, 2)),
        (Replace(), (2, 2)),
        (Unlikelihood(steps=3), (6, 6)),
        (FreeLB(steps=1), (1, 1)),
        (FreeLB(steps=5), (5, 5)),
    ],
)
def test_a_step_costs_the_passes_that_it_says(method: Any, passes: tuple[int, int]) -> None:
    victim, batch = training()
    blocks.check_blocks(victim, batch)  # which it would be at the first batch, once
    forward, backward, real = [], [], victim.output

    def counting(embeds: Tensor, one: Batch) -> Tensor:
        forward.append(1)
        logits = real(embeds, one)
        if logits.requires_grad:
            logits.register_hook(backward.append)  # fires when a gradient reaches these logits
        return logits

    victim.output = counting  # type: ignore[method-assign]
    method.backward(victim, batch, Step(generator=torch.Generator().manual_seed(0)))
    assert (len(forward), len(backward)) == passes


def test_all_passes_over_a_batch_drop_the_same_units() -> None:
    victim, batch = training()
    x = victim.embed(batch).detach()
    loose = victim.objective(batch)
    assert not torch.equal(loose.output(x), loose.output(x))
    place, none = Place(victim, batch), torch.zeros_like(x)
    assert torch.equal(place.logits(), place.logits())
    torch.rand(5)
    assert torch.equal(place.probe(none), place.logits(none))
    assert not torch.equal(Place(victim, batch).logits(), place.logits())


@pytest.mark.parametrize("site", ["words", "hidden"])
def test_passes_drop_other_units_where_they_are_not_tied(site: Any) -> None:
    victim, batch = training()
    place = Place(victim, batch, site, tied=False)
    first = place.logits()
    assert not torch.equal(first, place.logits())
    none = torch.zeros_like(place.like)
    assert not torch.equal(place.probe(none), place.probe(none))


@pytest.mark.parametrize("name", list(METHODS))
def test_untied_masks_change_a_method_only_where_there_is_dropout(name: str) -> None:
    for dropout in (0.0, 0.3):
        losses = []
        for tied in (True, False):
            victim, batch = training(dropout=dropout)
            torch.manual_seed(0)
            dice = torch.Generator().manual_seed(0)
            losses.append(
                build_method({"name": name}).backward(victim, batch, Step(1.0, dice, tied=tied))
            )
        several = name not in ("plain", "free")  # one pass a step has nothing to tie
        assert (losses[0] == losses[1]) == (dropout == 0 or not several), losses


@every_kind
@pytest.mark.parametrize("name", [n for n in METHODS if n not in RANDOM_START])
def test_more_padding_changes_no_gradient(kind: str, name: str) -> None:
    """No dropout, no random start: what stands behind the texts must not matter."""
    victim, batch = training(kind, dropout=0.0)
    method: Any = build_method({"name": name} | ({} if name in ("plain", "sam") else {"eps": 0.4}))
    if isinstance(method, FreeLB):
        method = replace(method, start_size=0.0)
    B = len(batch)
    longer = Batch(
        torch.cat([batch.input_ids, torch.full((B, 5), victim.tokenizer.pad_token_id)], 1),
        torch.cat([batch.attention_mask, torch.zeros(B, 5, dtype=torch.long)], 1),
        torch.cat([batch.perturbable, torch.zeros(B, 5, dtype=torch.bool)], 1),
        torch.cat([batch.segment, torch.full((B, 5), -1)], 1),
        batch.target,
    )
    assert_close(gradients(victim, method, longer), gradients(victim, method, batch), atol=1e-10)


@on_inputs
@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
@pytest.mark.parametrize("site", ["words", "sum", "hidden"])
def test_training_perturbations_stay_in_their_ball_and_off_specials(
    name: str, p: P, ball: Ball, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, batch = training(dropout=0.0)
    seen: list[Tensor] = []
    for kind in ("logits", "probe"):
        real = getattr(Place, kind)

        def watching(place: Place, delta: Tensor | None = None, real: Any = real) -> Tensor:
            if delta is not None:
                seen.append(delta.detach())
            return real(place, delta)

        monkeypatch.setattr(Place, kind, watching)
    method = build_method(
        {"name": name, "eps": 0.8, "unit": "raw", "p": p, "ball": ball, "site": site}
    )
    told = method.backward(victim, batch, Step(0.5, torch.Generator().manual_seed(0)))
    if isinstance(method, inputs.FreeAT):
        method.backward(victim, batch, Step(0.5, carry=(carry := {})))
        told = method.backward(victim, batch, Step(strength=0.5, carry=carry))
    limit = 0.4 * (1.0 if name != "freelb++" else 0.3 + 9 * 0.2) + 1e-9
    for delta in seen:
        assert (delta[~batch.perturbable] == 0).all()
        assert (norm(delta, p, ball) <= limit).all()
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
    batch = batch.with_target(labels=torch.zeros_like(batch.target["labels"]))
    x = victim.embed(batch).detach().requires_grad_()
    assert (torch.autograd.grad(victim.objective(batch)(x).sum(), x)[0] == 0).all()
    for g in gradients(victim, build_method({"name": name}), batch):
        assert torch.isfinite(g).all()


@every_method
def test_backward_reports_losses_as_numbers(name: str) -> None:
    victim, batch = training()
    told = build_method({"name": name}).backward(victim, batch, Step())
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
        assert cls.title
        assert cls.quoted is None or cls.quoted in method_settings(cls())
        assert method_settings(cls())["name"] == name
    with pytest.raises(SettingError, match="unknown training method 'yopo'; choose from awp"):
        build_method({"name": "yopo"})
    with pytest.raises(SettingError, match="no setting 'eps'"):
        build_method({"name": "plain", "eps": 0.1})
    with pytest.raises(SettingError, match=r"FreeLB\.p: expected one of l2, linf, l1, got 'l3'"):
        build_method({"name": "freelb", "p": "l3"})
