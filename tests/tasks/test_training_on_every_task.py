"""Training methods know no task: here are three they never saw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from every_task import close, right, sided
from seam_tasks import KINDS, SPANS, TRANSLATIONS, examples_of, make_seam, shared_seam

from advlab.attacks.hotflip import HotFlip
from advlab.errors import SettingError
from advlab.model.blocks import blocks_of
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.runs.config import Regularisation
from advlab.tasks import Batch
from advlab.training.methods import METHODS, Step, build_method
from advlab.training.methods.regularise import backward

QUICK: dict[str, dict[str, Any]] = {"freelb": {"steps": 2}, "freelb++": {"steps": 2}}
DEEP = ("hidden", "smart")  # methods whose δ stands on blocks
ASKING = ("c-advul",)  # methods that ask more of a task than these three say
SHALLOW = [n for n in METHODS if n not in (*DEEP, *ASKING)]


def trained(kind: str, side: str = "source") -> tuple[Victim, Batch]:
    victim = make_seam(kind, dropout=0.1)
    batch = victim.encode(examples_of(kind))
    if kind in TRANSLATIONS:
        batch = sided(batch, side)
    victim.scale  # measured before training, as a run does
    victim.model.train()
    return victim, batch


def gradients(victim: Victim, batch: Batch, name: str, strength: float) -> list[torch.Tensor]:
    """Of the last replay of a batch, all of them with the same dropout."""
    method, dice = (
        build_method({"name": name, **QUICK.get(name, {})}),
        torch.Generator().manual_seed(0),
    )
    carry: dict[str, Any] = {}
    for _ in range(method.replays):
        victim.model.zero_grad(set_to_none=True)
        torch.manual_seed(3)
        told = method.backward(victim, batch, Step(strength, dice, carry))
        assert all(np.isfinite(value) for value in told.values())
    return [
        torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in victim.model.parameters()
    ]


def teaches(victim: Victim, batch: Batch, name: str, tolerance: float) -> None:
    plain = gradients(victim, batch, "plain", 1.0)
    for got, wanted in zip(gradients(victim, batch, name, 0.0), plain, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)
    full = gradients(victim, batch, name, 1.0)
    assert all(g.isfinite().all() for g in full)
    assert name == "plain" or any(
        not torch.allclose(a, b) for a, b in zip(full, plain, strict=True)
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, n) for k in KINDS for n in (SHALLOW if k in TRANSLATIONS else [*SHALLOW, *DEEP])],
)
def test_every_method_teaches_every_task_and_without_strength_is_plain(
    kind: str, name: str
) -> None:
    teaches(*trained(kind), name, close(kind))


@pytest.mark.parametrize("name", SHALLOW)
@pytest.mark.parametrize(
    ("kind", "side"), [("marian", "decoder"), *((kind, "both") for kind in TRANSLATIONS)]
)
def test_training_may_perturb_the_decoder_side_too(kind: str, name: str, side: str) -> None:
    teaches(*trained(kind, side), name, close(kind))


@pytest.mark.parametrize("kind", TRANSLATIONS)
def test_an_encoder_with_a_decoder_has_no_hidden_layer_to_perturb(kind: str) -> None:
    victim, batch = trained(kind)
    for name in DEEP:
        with pytest.raises(SettingError, match="an encoder and a decoder; perturb the word emb"):
            build_method({"name": name}).backward(victim, batch, Step())
    with pytest.raises(SettingError, match="an encoder and a decoder"):
        build_method({"name": "pgd", "site": "sum"}).backward(victim, batch, Step())
    with pytest.raises(SettingError, match="an encoder and a decoder"):
        blocks_of(victim)


@pytest.mark.parametrize("what", ["rdrop", "hotflip"])
@pytest.mark.parametrize("kind", KINDS)
def test_regularisers_add_finite_gradients_on_every_task(kind: str, what: str) -> None:
    victim, batch = trained(kind)
    told = backward(victim, batch, Regularisation(**{what: 1.0}), torch.Generator().manual_seed(0))
    assert np.isfinite(told[f"{what}_loss"])
    found = [p.grad for p in victim.model.parameters() if p.grad is not None]
    assert found
    assert all(g.isfinite().all() for g in found)
    assert any(g.any() for g in found)


@pytest.mark.parametrize("kind", KINDS)
def test_mixup_blends_texts_of_one_shape_and_refuses_others(kind: str) -> None:
    victim, batch = trained(kind)
    with pytest.raises(SettingError, match="same places for mixup"):
        backward(victim, batch, Regularisation(mixup=1.0), torch.Generator().manual_seed(0))
    text, other = ("the film was good", "a plot seems dull")
    answers = ("film", "plot") if kind in SPANS else ("great plot", "poor scene")
    pair = [
        Example(str(i), t, (a,), "what" if kind in SPANS else "")
        for i, (t, a) in enumerate(zip((text, other), answers, strict=True))
    ]
    told = backward(victim, victim.encode(pair), Regularisation(mixup=1.0))
    assert 0 < told["mixup_loss"] < 20


@pytest.mark.parametrize("kind", KINDS)
def test_words_exchanged_by_hotflip_raise_the_loss_that_the_task_has(kind: str) -> None:
    victim = shared_seam(kind)
    batch = victim.encode(right(kind))
    found = HotFlip(2, verify=4)(victim, batch)
    many = replace(batch, input_ids=found.input_ids)
    with torch.no_grad():
        loss = victim.objective(many)(victim.embed(many))
        clean = victim.objective(batch)(victim.embed(batch))
    torch.testing.assert_close(loss, found.losses[-1])
    torch.testing.assert_close(clean, found.losses[0])
    assert torch.equal(found.input_ids[~batch.perturbable], batch.input_ids[~batch.perturbable])
    assert (loss > clean).any()
