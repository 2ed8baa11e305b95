"""The smallest δ that flips."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from linear_logits import Planes, distance
from torch import Tensor

from advlab.attacks import FMN, AutoPGD, CarliniWagner, DeepFool
from advlab.attacks.norms import norm
from advlab.errors import SettingError


@pytest.mark.parametrize(("p", "dual"), [("l2", 2.0), ("linf", 1.0), ("l1", float("inf"))])
@pytest.mark.parametrize("attack", [DeepFool(), FMN(steps=400)])
def test_smallest_deltas_of_a_linear_model_reach_its_boundaries(
    planes: Any, attack: Any, p: Any, dual: float
) -> None:
    model, x, mask = planes
    delta, size = replace(attack, unit="raw", p=p).smallest(model, x, mask)
    wanted = distance(model, x, dual)
    assert model.flips(x + delta).all()
    assert (size >= wanted * (1 - 1e-9)).all()  # nothing flips below
    assert (size <= wanted * 1.03).all()
    torch.testing.assert_close(norm(delta, p, "example").flatten(), size)


def test_carlini_and_wagner_reach_them_too(planes: Any) -> None:
    model, x, mask = planes
    delta, size = CarliniWagner(unit="raw", steps=300, searches=9).smallest(model, x, mask)
    wanted = distance(model, x, 2.0)
    assert model.flips(x + delta).all()
    assert (size >= wanted * (1 - 1e-9)).all()
    assert (size <= wanted * 1.05).all()


def test_carlini_and_wagner_look_for_the_smallest_l2_in_any_ball_and_say_so(planes: Any) -> None:
    model, x, mask = planes
    quick = CarliniWagner(unit="raw", steps=60)
    in_l2, _ = quick.smallest(model, x, mask)
    in_linf, size = replace(quick, p="linf").smallest(model, x, mask)
    assert torch.equal(in_l2, in_linf)
    torch.testing.assert_close(size, norm(in_linf, "linf", "example").flatten())
    shorter = FMN(unit="raw", steps=400, p="linf").smallest(model, x, mask)[1]
    assert (shorter < 0.8 * size).all()
    assert "for fmn" in (CarliniWagner.__doc__ or "")


@pytest.mark.parametrize("attack", [DeepFool(), FMN(), CarliniWagner()])
def test_misread_texts_need_nothing_and_hopeless_ones_have_no_smallest(
    planes: Any, attack: Any
) -> None:
    model, x, mask = planes
    wrong = Planes(model.w, model.b, (model.batch.target["labels"] + 1) % 4)
    delta, size = replace(attack, unit="raw").smallest(wrong, x, mask)
    assert (delta == 0).all()
    assert (size == 0).all()
    nothing = torch.zeros_like(mask)
    delta, size = replace(attack, unit="raw").smallest(model, x, nothing)
    assert size.isinf().all()
    assert (delta == 0).all()


def test_fmn_shrinks_from_the_shortest_delta_that_flipped() -> None:
    """Where a δ flips that is shorter than its ε, the next ε is a little below that δ."""
    seen: list[float] = []

    class Wall:
        """The boundary is at 1 along a line."""

        def __call__(self, x: Tensor) -> Tensor:
            return x.sum((1, 2))

        def scores(self, x: Tensor) -> Tensor:
            seen.append(float(x.detach().sum()))
            return torch.cat([torch.ones_like(x[:, 0]), x[:, 0]], 1)

    x, mask = torch.zeros(1, 1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.bool)
    FMN(unit="raw", steps=100, step_size=1.004, gamma=0.1).smallest(Wall(), x, mask)
    # ε is 1.01 at first, but the step reaches 1.004, and flips
    fall = (1 + math.cos(math.pi / 100)) / 2
    assert seen[:3] == pytest.approx([0.0, 1.004, 1.004 * (1 - 0.1 * fall)], rel=1e-6)


def test_a_loss_without_scores_is_refused_with_a_way_out(planes: Any) -> None:
    _, x, mask = planes
    for attack in (DeepFool(unit="raw"), AutoPGD(unit="raw", loss="dlr")):
        with pytest.raises(SettingError, match="use pgd or autopgd with loss ce"):
            attack(lambda z: z.sum((1, 2)), x, mask, torch.Generator())


def test_l1_fmn_is_as_short_as_brute_force(planes: Any) -> None:
    """On a linear model an L1 δ spends all on one number: every number and class is tried."""
    model, x, mask = planes
    z, y = model.logits(x), model.batch.target["labels"]
    for i in range(len(x)):
        lengths = []
        for rival in range(4):
            gap = float(z[i, y[i]] - z[i, rival])
            lengths += [
                gap / abs(float(model.w[rival, n] - model.w[y[i], n]))
                for n in range(12)
                if rival != y[i]
            ]
        one = Planes(model.w, model.b, y[i : i + 1])
        delta, size = FMN(unit="raw", p="l1", steps=400).smallest(
            one, x[i : i + 1], mask[i : i + 1]
        )
        assert min(lengths) * (1 - 1e-9) <= float(size) <= 1.03 * min(lengths)
        assert one.flips(x[i : i + 1] + delta).all()
