from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from explained import Linear, aimed, baseline_of, case
from torch import Tensor
from victims import make_victim

from advlab.explain import attributions
from advlab.explain.saliency import explain
from advlab.model.victim import Victim


class Perceptron(torch.nn.Module):
    """Logits of one hidden layer over all embeddings, with ReLU: what DeepLift is made for."""

    def __init__(self, T: int, D: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.first, self.last = torch.nn.Linear(T * D, 12), torch.nn.Linear(12, 3)
        self.relu = torch.nn.ReLU()
        self.double().requires_grad_(False)

    def forward(self, embeds: Tensor) -> Tensor:
        return self.last(self.relu(self.first(embeds.flatten(1))))


class Plain(Linear):
    """A perceptron in place of a victim."""

    def __init__(self, victim: Victim, T: int) -> None:
        super().__init__(victim, T)
        self.model = Perceptron(T, victim.table.shape[1])

    def output(self, embeds: Tensor, batch: Any) -> Tensor:
        return self.model(embeds)

    def view(self) -> Plain:
        return self


def test_deep_lift_is_the_rescale_rule_where_it_is_valid() -> None:
    found = case("bert")
    victim: Any = Plain(found.target.victim, found.views.shape[1])
    found = replace(found, target=aimed(victim, found.target.batch))
    shown = explain("deep_lift", found)
    assert shown.withheld == ""
    assert shown.clean.completeness is not None
    assert shown.clean.completeness < 1e-6
    net = victim.model
    x, start = found.views[:1].flatten(1), baseline_of(found, found.views[:1]).flatten(1)
    into, into_start = net.first(x), net.first(start)
    slope = (net.relu(into) - net.relu(into_start)) / (into - into_start)  # Δout ÷ Δin
    back = ((net.last.weight[2] - net.last.weight[0]) * slope) @ net.first.weight
    by_hand = ((x - start) * back).view(found.views.shape[1:]).sum(-1)
    np.testing.assert_allclose(shown.clean.tokens, by_hand.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_deep_lift_is_withheld_where_its_rule_does_not_fit(kind: str) -> None:
    shown = explain("deep_lift", case(kind))
    assert "activation" in shown.withheld
    assert np.isnan(shown.clean.tokens).all()
    assert shown.clean.completeness is None


def test_deep_lift_is_withheld_where_it_does_not_add_up() -> None:
    victim = make_victim("bert")
    for module in list(victim.model.modules()):  # an activation that the rule knows
        if hasattr(module, "intermediate_act_fn"):
            module.intermediate_act_fn = torch.nn.ReLU()
    found = case("bert", victim=victim)
    with victim.analysing():
        shown = explain("deep_lift", found)
        assert "miss" in shown.withheld
        assert np.isnan(shown.clean.words).all()
        assert shown.clean.completeness is not None
        assert shown.clean.completeness > attributions.DEEP_LIFT_GAP
        assert not explain("deep_lift", found, tolerance=1e6).withheld
