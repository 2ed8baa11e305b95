from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from advlab.attacks.norms import random_in_ball
from advlab.records import Scale
from advlab.tasks import Batch, Classification, Objective
from advlab.training.methods import Step, build_method, inputs


class Linear:
    """logits = Wᵀ·(mean of the embeddings): everything can be worked out on paper."""

    def __init__(self) -> None:
        dice = torch.Generator().manual_seed(3)
        self.table = torch.nn.Parameter(
            torch.randn(5, 3, generator=dice, dtype=torch.float64), requires_grad=False
        )
        self.weight = torch.nn.Parameter(torch.randn(3, 2, generator=dice, dtype=torch.float64))
        self.model = torch.nn.ParameterDict({"table": self.table, "weight": self.weight})
        self.task = Classification()
        self.scale = Scale(1.0, 0.5)

    def embed(self, batch: Batch) -> Tensor:
        return self.table[batch.input_ids]

    def output(self, embeds: Tensor, batch: Batch) -> Tensor:
        return embeds.mean(1) @ self.weight

    def objective(self, batch: Batch, *, training: bool = False) -> Objective:
        return Objective(self, batch, training=training)


EPS = 0.4


def one_text(ids: Sequence[int] = (1, 4, 2)) -> Batch:
    """One text of three words, every place open, label 1."""
    whole = torch.ones(1, len(ids), dtype=torch.long)
    target = {"labels": torch.tensor([1])}
    return Batch(torch.tensor([ids]), whole, whole.bool(), torch.zeros_like(whole), target)


def by_hand(name: str, x: np.ndarray, w: np.ndarray, y: int, eps: float = EPS) -> np.ndarray:
    """dW of one text x (T,D), zero starts, two steps where there are steps; numpy and paper."""
    T = len(x)

    def p(d: np.ndarray, w: np.ndarray = w) -> np.ndarray:
        z = (x + d).mean(0) @ w
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum()

    def dw(d: np.ndarray, w: np.ndarray = w) -> np.ndarray:  # ∂L/∂W = mean(x + δ) ⊗ (p − y)
        return np.outer((x + d).mean(0), p(d, w) - np.eye(2)[y])

    def dx(d: np.ndarray) -> np.ndarray:  # ∂L/∂x_t = W(p − y)/T, the same for every token
        return np.tile(w @ (p(d) - np.eye(2)[y]) / T, (T, 1))

    def unit(g: np.ndarray) -> np.ndarray:
        return g / np.linalg.norm(g)

    zero = np.zeros_like(x)
    far = eps * unit(dx(zero))  # in a linear model the steepest direction never turns
    if name == "plain":
        return dw(zero)
    if name == "fgm":
        return (dw(zero) + dw(far)) / 2
    if name == "fgsm":
        return (dw(zero) + dw(EPS * np.sign(dx(zero)))) / 2
    if name == "pgd":  # two steps of 0.6 ε end on the sphere
        return (dw(zero) + dw(far)) / 2
    if name == "free":
        return dw(far)
    if name in ("freelb", "freelb++"):  # steps of 0.6 ε: 0, 0.6, then 1 when projected, else 1.2
        last = 1.2 if name == "freelb++" else 1.0
        return (dw(zero) + dw(0.6 * far) + dw(last * far)) / 3
    if name == "sam":
        g = dw(zero)
        return dw(zero, w + 0.1 * unit(g))
    if name == "awp":
        worse = w + 0.1 * np.linalg.norm(w) * unit(dw(far))
        return (dw(zero, worse) + dw(far, worse)) / 2
    raise AssertionError("its start is random: see below")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("plain", {}),
        ("fgm", {}),
        ("fgsm", {}),
        ("pgd", {"steps": 2, "step_size": 0.6}),
        ("free", {"replays_m": 2}),
        ("freelb", {"steps": 3, "step_size": 0.6, "start_size": 0.0}),
        ("freelb++", {"steps": 3, "step_size": 0.6, "start_size": 0.0}),
        ("sam", {"rho": 0.1}),
        ("awp", {"steps": 2, "step_size": 0.6, "gamma": 0.1}),
    ],
)
def test_one_step_on_a_linear_model_is_as_worked_out_by_hand(
    name: str, settings: dict[str, Any]
) -> None:
    victim: Any = Linear()
    batch = one_text()
    size = {"eps": EPS, "unit": "raw"} if name not in ("plain", "sam") else {}
    method = build_method({"name": name} | size | settings)
    carry: dict[str, Any] = {}
    for _ in range(method.replays):
        victim.weight.grad = None
        dice = torch.Generator().manual_seed(0)
        method.backward(victim, batch, Step(generator=dice, carry=carry))
    x = victim.table[batch.input_ids[0]].numpy()
    wanted = by_hand(name, x, victim.weight.detach().numpy(), 1)
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, atol=1e-12)


def from_a_random_start(
    name: str, x: np.ndarray, w: np.ndarray, y: int, start: np.ndarray
) -> np.ndarray:
    """dW of one text for the methods whose δ begins at a drawn point; weights λ are 0.7."""
    T = len(x)

    def softmax(d: np.ndarray) -> np.ndarray:
        z = (x + d).mean(0) @ w
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum()

    def apart(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradients of KL(p‖q) with respect to the logits of p and of q."""
        gap = np.log(p) - np.log(q)
        return p * (gap - (p * gap).sum()), q - p

    def divergence(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, q = softmax(np.zeros_like(x)), softmax(d)
        of_p, of_q = apart(p, q)
        if name in ("noise", "smart"):  # both directions
            other_q, other_p = apart(q, p)
            of_p, of_q = of_p + other_p, of_q + other_q
        return of_p, of_q

    def ascent(d: np.ndarray) -> np.ndarray:
        return np.tile(w @ divergence(d)[1] / T, (T, 1))

    def unit(g: np.ndarray) -> np.ndarray:
        return g / np.linalg.norm(g)

    def inside(d: np.ndarray) -> np.ndarray:
        return d * min(1.0, EPS / np.linalg.norm(d))

    d = start
    if name == "fast":  # the perturbed loss alone
        d = inside(d + 1.25 * EPS * unit(np.tile(w @ (softmax(d) - np.eye(2)[y]) / T, (T, 1))))
        return np.outer((x + d).mean(0), softmax(d) - np.eye(2)[y])
    if name == "vat":  # the small start gives the direction of a step of full length
        d = EPS * unit(ascent(d))
    if name == "trades":
        for _ in range(2):
            d = inside(d + 0.5 * EPS * unit(ascent(d)))
    if name == "smart":
        d = np.clip(d + EPS * np.sign(ascent(d)), -EPS, EPS)
    of_p, of_q = divergence(d)
    clean = softmax(np.zeros_like(x)) - np.eye(2)[y]
    return np.outer(x.mean(0), clean + 0.7 * of_p) + np.outer((x + d).mean(0), 0.7 * of_q)


@pytest.mark.parametrize(
    ("name", "settings", "start"),
    [
        ("noise", {"weight": 0.7}, 1.0),
        ("fast", {}, None),
        ("vat", {"weight": 0.7, "start_size": 0.02}, 0.02),
        ("trades", {"weight": 0.7, "steps": 2, "start_size": 0.1}, 0.1),
        ("smart", {"weight": 0.7, "site": "words", "start_size": 0.1}, 0.1),
    ],
)
def test_one_step_from_a_random_start_is_as_worked_out_by_hand(
    name: str, settings: dict[str, Any], start: float | None
) -> None:
    """The start comes from the same dice; `start` None: anywhere in the ball, else on a sphere."""
    victim: Any = Linear()
    batch = one_text()
    method: Any = build_method({"name": name, "eps": EPS, "unit": "raw"} | settings)
    method.backward(victim, batch, Step(generator=torch.Generator().manual_seed(0)))
    x = victim.table[batch.input_ids]
    begin = random_in_ball(
        x,
        batch.perturbable,
        EPS * (start or 1.0),
        method.p,
        method.ball,
        torch.Generator().manual_seed(0),
        surface=start is not None,
    )
    wanted = from_a_random_start(
        name, x[0].numpy(), victim.weight.detach().numpy(), 1, begin[0].numpy()
    )
    assert np.abs(wanted).max() > 0.01
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_steps_that_fall_are_as_long_as_worked_out_by_hand() -> None:
    """Three steps of 0.4: 0.4, 0.267 and 0.133 of ε, all in one direction: 0.8 of ε."""
    victim: Any = Linear()
    method = inputs.PGD(EPS, "raw", steps=3, step_size=0.4, step_rule="falling")
    told = method.backward(victim, one_text(), Step())
    assert told["delta_norm"] == pytest.approx(0.8 * EPS, rel=1e-12)
    x, w = victim.table[[1, 4, 2]].numpy(), victim.weight.detach().numpy()
    wanted = by_hand("fgm", x, w, 1, 0.8 * EPS)
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, atol=1e-12)
    assert [method.parts()[0].share(k) for k in range(3)] == pytest.approx([0.4, 0.8 / 3, 0.4 / 3])


def test_one_step_of_the_table_attack_is_as_worked_out_by_hand() -> None:
    """A word that stands twice gets both gradients, and moves alike at both places."""
    victim: Any = Linear()
    victim.table.requires_grad_(True)
    victim.model = SimpleNamespace(
        get_input_embeddings=lambda: SimpleNamespace(weight=victim.table)
    )
    ids = [1, 4, 1]
    x, w = victim.table[ids].detach().numpy(), victim.weight.detach().numpy()
    method = build_method({"name": "table", "eps": EPS, "unit": "raw"})
    method.backward(victim, one_text(ids), Step())

    def gap(d: np.ndarray) -> np.ndarray:
        z = (x + d).mean(0) @ w
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum() - np.eye(2)[1]

    g = w @ gap(np.zeros_like(x)) / 3
    far = EPS * np.stack([2 * g, g, 2 * g]) / (np.sqrt(5) * np.linalg.norm(g))
    wanted = (np.outer(x.mean(0), gap(0 * x)) + np.outer((x + far).mean(0), gap(far))) / 2
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, atol=1e-12)


class Stacked(Linear):
    """Two linear blocks under the mean: h = x·A₁·A₂."""

    def __init__(self) -> None:
        super().__init__()
        dice = torch.Generator().manual_seed(4)
        self.model = torch.nn.Module()
        self.model.config = SimpleNamespace(num_hidden_layers=2)  # type: ignore[assignment]
        self.model.layers = torch.nn.ModuleList(
            torch.nn.Linear(3, 3, bias=False, dtype=torch.float64) for _ in range(2)
        )
        for block in self.model.layers:
            block.weight.data = torch.randn(3, 3, generator=dice, dtype=torch.float64)

    def output(self, embeds: Tensor, batch: Batch) -> Tensor:
        for block in self.model.layers:  # type: ignore[union-attr]
            embeds = block(embeds)
        return embeds.mean(1) @ self.weight


def test_one_hidden_step_is_as_worked_out_by_hand() -> None:
    """δ on the input of the second block, h = x·A₁; from there the model is W after A₂."""
    victim: Any = Stacked()
    method = inputs.Hidden(EPS, "raw", layer=1, steps=2, step_size=0.6)
    method.backward(victim, one_text(), Step())
    first, second = (block.weight.detach().numpy().T for block in victim.model.layers)
    h, w = victim.table[[1, 4, 2]].numpy() @ first, victim.weight.detach().numpy()

    def gap(d: np.ndarray) -> np.ndarray:
        z = (h + d).mean(0) @ second @ w
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum() - np.eye(2)[1]

    g = np.tile(second @ w @ gap(0 * h), (3, 1))
    far = EPS * g / np.linalg.norm(g)  # two steps of 0.6 ε end on the sphere
    wanted = (
        np.outer(h.mean(0) @ second, gap(0 * h)) + np.outer((h + far).mean(0) @ second, gap(far))
    ) / 2
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, atol=1e-12)
