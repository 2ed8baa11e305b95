from __future__ import annotations

from typing import Any

import pytest
import torch
from gradients import assert_close, every_kind, every_method, gradients, training

from advlab.training.methods import METHODS, Plain, build_method
from advlab.training.methods.inputs import FreeLB

ADVERSARIAL = [name for name in METHODS if name != "plain"]
adversarial = pytest.mark.parametrize("name", ADVERSARIAL)


@every_kind
@adversarial
@pytest.mark.parametrize("how", ["eps", "strength"])
def test_at_zero_eps_gradients_equal_plain_training(kind: str, name: str, how: str) -> None:
    victim, batch = training(kind)
    wanted = gradients(victim, Plain(), batch)
    assert max(g.abs().max() for g in wanted) > 1e-3
    zero = {"sam": {"rho": 0.0}, "words": {"share": 0.0}}.get(name, {"eps": 0.0})
    zero |= {"gamma": 0.0} if name == "awp" else {}
    method = build_method({"name": name} | (zero if how == "eps" else {}))
    more = {} if how == "eps" else {"strength": 0.0}
    # Llama's norm layers compute in float32, whatever the model's type
    atol = 1e-6 if kind == "llama" else 1e-12
    assert_close(gradients(victim, method, batch, **more), wanted, atol)


@adversarial
def test_with_eps_gradients_differ_from_plain_training(name: str) -> None:
    victim, batch = training()
    wanted = gradients(victim, Plain(), batch)
    sizes = {"sam": {"rho": 0.3}, "words": {}}
    size = sizes.get(name, {"eps": 0.3, "unit": "raw"})
    found = gradients(victim, build_method({"name": name} | size), batch)
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


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("noise", {"weight": 0.0}),
        ("vat", {"weight": 0.0}),
        ("trades", {"weight": 0.0}),
        ("smart", {"weight": 0.0}),
        ("fgm", {"adv_weight": 0.0}),
        ("fgsm", {"adv_weight": 0.0}),
        ("pgd", {"adv_weight": 0.0}),
        ("pgd", {"adv_weight": 0.0, "start": "random"}),
        ("hidden", {"adv_weight": 0.0}),
        ("awp", {"adv_weight": 0.0, "gamma": 0.0}),
        ("words", {"adv_weight": 0.0}),
        ("c-advul", {"toward": 0.0, "away": 0.0}),
    ],
)
def test_at_weight_zero_gradients_equal_plain_training(name: str, settings: dict[str, Any]) -> None:
    victim, batch = training()
    method = build_method({"name": name} | settings)
    assert_close(gradients(victim, method, batch), gradients(victim, Plain(), batch))
