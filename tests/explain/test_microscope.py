"""The microscope's numbers are those of the training method run alone on the same batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import task_cases
import torch
from victims import LABELS, TEXTS, make_victim

from advlab.errors import SettingError
from advlab.explain.microscope import Conditions, slow_motion
from advlab.model.victim import Victim
from advlab.records import Example, SlowMotion
from advlab.runs.config import TrainConfig
from advlab.tasks.base import in_training
from advlab.training.methods import METHODS, Step, build_method

EXAMPLES = [Example(str(i), text, (LABELS[i % 3],)) for i, text in enumerate(TEXTS)]
PINNED = Example("pinned", "the film was good")
FOLLOWED = [name for name, cls in METHODS.items() if not cls.unobserved]
EPS = {"eps": 0.4, "unit": "raw"}


def watched(victim: Victim, values: dict[str, Any], **conditions: Any) -> SlowMotion:
    (found,) = slow_motion(
        victim, EXAMPLES, [build_method(values)], PINNED, Conditions(**conditions)
    )
    return found


def alone(victim: Victim, values: dict[str, Any], train: TrainConfig) -> tuple[Victim, dict]:
    """`backward` on a copy, called as the training loop calls it."""
    twin = victim.apart()
    twin.model.requires_grad_(True).train()
    generator = torch.Generator().manual_seed(train.seed)
    torch.manual_seed(train.seed)
    batch = in_training(twin.encode(EXAMPLES))
    told = build_method(values).backward(twin, batch, Step(1.0, generator, tied=train.tied_dropout))
    return twin, told


def mean(values: np.ndarray | None) -> float:
    assert values is not None
    return float(values.mean())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", FOLLOWED)
def test_the_numbers_are_those_of_the_method_run_alone(name: str, tied: bool) -> None:
    victim = make_victim("bert", dropout=0.2)
    train = TrainConfig(seed=3, tied_dropout=tied, clip=0.5, beta2=0.9)
    values = {"name": name} | ({} if name == "plain" else EPS)
    found = watched(victim, values, train=train)
    twin, told = alone(victim, values, train)
    assert found.told == told
    weights = list(twin.model.parameters())
    length = torch.nn.utils.clip_grad_norm_(weights, train.clip).item()
    assert found.grad_norm == length
    before = [p.detach().clone() for p in weights]
    torch.optim.AdamW(weights, train.lr, (0.9, train.beta2), weight_decay=train.weight_decay).step()
    moved = [(p.detach() - q).norm() for p, q in zip(weights, before, strict=True)]
    assert found.update_norm == pytest.approx(torch.stack(moved).norm().item(), rel=1e-5)
    assert found.update_norm > 0
    clean, outer = found.at("clean"), found.at("outer")
    assert outer is not None
    if "clean_loss" in told:
        assert clean is not None
        assert mean(clean.loss) == pytest.approx(told["clean_loss"], rel=1e-12)
    if "adv_loss" in told:
        assert mean(outer.loss) == pytest.approx(told["adv_loss"], rel=1e-12)
        whole = np.sqrt((outer.norms**2).sum(1))
        assert mean(whole) == pytest.approx(told["delta_norm"], rel=1e-12)
    if "divergence" in told:
        assert mean(outer.gain) == pytest.approx(told["divergence"], rel=1e-12)


@pytest.mark.parametrize("name", ["pgd", "trades", "freelb", "freelb++", "hidden"])
def test_each_step_is_that_of_the_method_with_as_many_steps(name: str) -> None:
    """The loss after step k is what the method run alone with k steps tells of its end."""
    victim = make_victim("bert", dropout=0.2)
    train = TrainConfig(seed=3)
    values = {"name": name, **EPS, "step_size": 0.4}
    found = watched(victim, values | {"steps": 4}, train=train)
    shift = name.startswith("freelb")  # K passes, K − 1 moves
    for k in range(1, 5 - shift):
        _, told = alone(victim, values | {"steps": k + shift}, train)
        now = found.at("projection", k) or found.at("step", k)
        assert now is not None
        assert mean(now.loss) == pytest.approx(told["adv_loss"], rel=1e-6)
        assert mean(np.sqrt((now.norms**2).sum(1))) == pytest.approx(told["delta_norm"], rel=1e-6)
        if name == "trades":
            assert mean(now.gain) == pytest.approx(told["divergence"], rel=1e-6)


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_the_weights_descend_on_is_the_loss_that_the_method_names(name: str) -> None:
    found = watched(make_victim("bert"), {"name": name} | ({} if name == "plain" else EPS))
    told, method = found.told, found.method
    clean, hard = told.get("clean_loss", 0.0), told.get("adv_loss", 0.0)
    if name == "plain":
        wanted = clean
    elif name.startswith("freelb"):
        wanted = np.mean(
            [
                mean(i.loss)
                for i in found.instants
                if i.trains and i.phase != "outer" and i.phase != "update"
            ]
        )
    elif "divergence" in told:
        wanted = clean + method["weight"] * told["divergence"]
    else:
        share = method.get("adv_weight", 1.0)
        wanted = (1 - share) * clean + share * hard
    assert mean(found.minimised) == pytest.approx(wanted, rel=1e-12)


def test_a_step_may_leave_the_ball_and_the_projection_brings_it_back() -> None:
    found = watched(make_victim("bert"), {"name": "pgd", **EPS, "steps": 3, "step_size": 0.7})
    out, back = found.at("step", 2), found.at("projection", 2)
    assert out is not None
    assert back is not None
    assert (out.length > 0.4 * 1.01).any()
    assert (back.length <= 0.4 * (1 + 1e-9)).all()
    assert np.nanmax(back.turn) < 1e-6  # an L2 ball is reached along δ itself
    assert (back.norms[~found.perturbable] == 0).all()


@pytest.mark.parametrize("name", [n for n in METHODS if n not in FOLLOWED])
def test_a_method_that_cannot_be_followed_says_why(name: str) -> None:
    with pytest.raises(SettingError, match="can be followed"):
        watched(make_victim("bert"), {"name": name})


def test_the_model_under_the_microscope_is_left_as_it_was() -> None:
    victim = make_victim("bert", dropout=0.2)
    victim.model.requires_grad_(False)
    before = {k: t.clone() for k, t in victim.model.state_dict().items()}
    dice = torch.get_rng_state()
    found = watched(victim, {"name": "pgd", **EPS})
    assert all(torch.equal(t, before[k]) for k, t in victim.model.state_dict().items())
    assert not victim.model.training
    assert all(p.grad is None and not p.requires_grad for p in victim.model.parameters())
    assert torch.equal(torch.get_rng_state(), dice)
    assert found.before != found.after


def test_the_pinned_sentence_is_read_before_and_after_under_one_reference() -> None:
    victim = make_victim("bert")
    found = watched(victim, {"name": "plain"}, train=TrainConfig(lr=0.05))
    assert found.before.answer == found.reference
    assert found.before.flip_eps is not None
    assert found.before.flip_eps > 0
    wrong = next(label for label in LABELS if label != found.reference)
    pinned = Example("pinned", PINNED.text, (wrong,))
    (other,) = slow_motion(
        victim, EXAMPLES, [build_method({"name": "plain"})], pinned, Conditions()
    )
    assert other.before.margin < 0
    assert other.before.flip_eps == 0  # what is misread needs no δ


@pytest.mark.parametrize("kind", task_cases.KINDS)
def test_every_task_can_be_looked_at(kind: str) -> None:
    victim, examples = task_cases.case(kind)
    method = build_method({"name": "pgd", **EPS, "steps": 2})
    (found,) = slow_motion(victim, examples, [method], examples[0], Conditions())
    outer = found.at("outer")
    assert outer is not None
    assert outer.norms.shape == found.real.shape == found.perturbable.shape
    assert mean(outer.loss) == pytest.approx(found.told["adv_loss"], rel=1e-9)
    assert len(found.tokens) == len(examples)
