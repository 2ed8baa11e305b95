from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from torch import Tensor

from advlab.attacks.norms import Ball, P, norm, project, random_in_ball, steepest

NORMS = get_args(P)
BALLS = get_args(Ball)
DUAL = {"l2": "l2", "linf": "l1", "l1": "linf"}
every_norm = pytest.mark.parametrize("p", NORMS)
every_ball = pytest.mark.parametrize("ball", BALLS)
quick = settings(deadline=None, max_examples=40)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """(B,T,D) float64 of any scale, some rows zero, some coordinates equal."""
    shape = [draw(st.integers(1, 4)) for _ in range(3)]
    dice = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    x = torch.randn(shape, generator=dice, dtype=torch.float64)
    if draw(st.booleans()):
        x = x.round()  # ties and zeros
    return x * 10.0 ** draw(st.integers(-4, 4))


def radii(x: Tensor, seed: int) -> Tensor:
    """One radius per example, from a hundredth of its length to a hundred times it."""
    dice = np.random.default_rng(seed)
    size = x.flatten(1).norm(dim=1).clamp_min(1e-3)
    return size * torch.tensor(10.0 ** dice.uniform(-2, 2, len(x)))


@every_norm
@every_ball
@quick
@given(x=tensors(), seed=st.integers(0, 10_000))
def test_projection_is_the_nearest_point_of_the_ball(
    p: P, ball: Ball, x: Tensor, seed: int
) -> None:
    eps = radii(x, seed)
    limit = eps.reshape(-1, 1, 1)
    found = project(x, eps, p, ball)
    assert (norm(found, p, ball) <= limit * (1 + 1e-12)).all()
    # z is the projection of x on a convex set exactly if (x−z)·(y−z) ≤ 0 for every y of the set
    everywhere = torch.ones(x.shape[:2], dtype=torch.bool)
    dice = torch.Generator().manual_seed(seed)
    axes = (1, 2) if ball == "example" else (2,)
    for surface in (True, True, False):
        y = random_in_ball(x, everywhere, eps, p, ball, dice, surface=surface)
        slack = ((x - found) * (y - found)).sum(axes, keepdim=True)
        assert (slack <= 1e-10 * (norm(x, "l2", ball) + limit) ** 2).all()
    corner = limit * steepest(x - found, p, ball)  # the y that makes the product largest
    slack = ((x - found) * (corner - found)).sum(axes, keepdim=True)
    assert (slack <= 1e-10 * (norm(x, "l2", ball) + limit) ** 2).all()


@every_norm
@every_ball
@quick
@given(x=tensors(), seed=st.integers(0, 10_000))
def test_projection_leaves_points_inside_bit_for_bit(
    p: P, ball: Ball, x: Tensor, seed: int
) -> None:
    size = norm(x, p, "example").flatten()
    assert torch.equal(project(x, size, p, ball), x)
    assert (project(x, 0.0, p, ball) == 0).all()
    eps = radii(x, seed)
    once = project(x, eps, p, ball)
    torch.testing.assert_close(project(once, eps, p, ball), once, rtol=1e-12, atol=1e-14)


@every_norm
@every_ball
def test_projection_treats_examples_as_if_alone(p: P, ball: Ball) -> None:
    x = torch.randn(5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    eps = torch.tensor([0.0, 0.1, 1.0, 3.0, 100.0], dtype=torch.float64)
    alone = [project(x[i : i + 1], float(eps[i]), p, ball) for i in range(5)]
    assert torch.equal(project(x, eps, p, ball), torch.cat(alone))


def test_projections_have_their_closed_forms() -> None:
    x = torch.tensor([[[3.0, 4.0], [0.0, 12.0]]], dtype=torch.float64)
    torch.testing.assert_close(project(x, 6.5, "l2", "example"), x / 2)
    torch.testing.assert_close(
        project(x, 6.0, "l2", "token"), torch.tensor([[[3.0, 4.0], [0.0, 6.0]]]).double()
    )
    torch.testing.assert_close(
        project(-x, 3.5, "linf", "example"), -torch.tensor([[[3.0, 3.5], [0.0, 3.5]]]).double()
    )
    # taking 8 off every |entry|, down to 0, leaves one entry of 4
    torch.testing.assert_close(
        project(x, 4.0, "l1", "example"), torch.tensor([[[0.0, 0.0], [0.0, 4.0]]]).double()
    )
    torch.testing.assert_close(
        project(x, 5.0, "l1", "token"), torch.tensor([[[2.0, 3.0], [0.0, 5.0]]]).double()
    )


@pytest.mark.parametrize("seed", range(5))
def test_l1_projection_agrees_with_a_general_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, eps = rng.normal(size=6), 1.3
    # x = a − b with a, b ≥ 0 turns the ball into linear constraints
    solved = optimize.minimize(
        lambda v: ((v[:6] - v[6:] - x) ** 2).sum(),
        np.full(12, 0.05),
        jac=lambda v: np.concatenate([2 * (v[:6] - v[6:] - x), -2 * (v[:6] - v[6:] - x)]),
        bounds=[(0, None)] * 12,
        constraints={"type": "ineq", "fun": lambda v: eps - v.sum(), "jac": lambda v: -np.ones(12)},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert solved.success or solved.status == 8  # at the optimum no step leads further down
    found = project(torch.from_numpy(x).reshape(1, 2, 3), eps, "l1", "example").flatten().numpy()
    np.testing.assert_allclose(found, solved.x[:6] - solved.x[6:], atol=1e-6)


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_l1_projection_agrees_with_bisection_on_the_threshold(n: int) -> None:
    x = np.random.default_rng(n).standard_cauchy(n)
    eps = 0.3 * np.abs(x).sum()
    low, high = 0.0, np.abs(x).max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if np.maximum(np.abs(x) - middle, 0).sum() > eps else (low, middle)
        )
    wanted = np.sign(x) * np.maximum(np.abs(x) - high, 0)
    found = project(torch.from_numpy(x).reshape(1, 1, n), eps, "l1", "example").flatten().numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(x).max())


@every_norm
@every_ball
@quick
@given(grad=tensors())
def test_steepest_direction_reaches_the_dual_norm(p: P, ball: Ball, grad: Tensor) -> None:
    direction = steepest(grad, p, ball)
    assert (norm(direction, p, ball) <= 1 + 1e-12).all()
    axes = (1, 2) if ball == "example" else (2,)
    gain = (grad * direction).sum(axes, keepdim=True)
    torch.testing.assert_close(gain, norm(grad, DUAL[p], ball), rtol=1e-12, atol=1e-14)  # type: ignore[arg-type]
    assert (direction[(grad == 0).all(2)] == 0).all()


@every_norm
@every_ball
@quick
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4)),
    surface=st.booleans(),
)
def test_random_points_lie_in_the_ball_and_off_the_mask_are_zero(
    p: P, ball: Ball, seed: int, shape: tuple[int, int, int], surface: bool
) -> None:
    dice = torch.Generator().manual_seed(seed)
    like = torch.zeros(shape, dtype=torch.float64)
    mask = torch.rand(shape[:2], generator=dice) < 0.6
    eps = torch.rand(shape[0], generator=dice, dtype=torch.float64) * 3
    delta = random_in_ball(like, mask, eps, p, ball, dice, surface=surface)
    assert torch.isfinite(delta).all()
    assert (delta[~mask] == 0).all()
    size, limit = norm(delta, p, ball), eps.reshape(-1, 1, 1)
    assert (size <= limit * (1 + 1e-9)).all()
    if surface:  # every ball that has a free coordinate is filled to its edge
        free = mask.any(1).reshape(-1, 1, 1) if ball == "example" else mask.unsqueeze(-1)
        torch.testing.assert_close(size, limit * free)
    again = torch.Generator().manual_seed(seed)
    assert torch.equal(mask, torch.rand(shape[:2], generator=again) < 0.6)
    torch.rand(shape[0], generator=again, dtype=torch.float64)
    assert torch.equal(delta, random_in_ball(like, mask, eps, p, ball, again, surface=surface))


@every_norm
@every_ball
def test_random_points_are_uniform_in_radius(p: P, ball: Ball) -> None:
    N, T, D, eps = 3000, 3, 2, 0.7
    like = torch.zeros(N, T, D, dtype=torch.float64)
    mask = torch.tensor([True, False, True]).expand(N, T)
    delta = random_in_ball(like, mask, eps, p, ball, torch.Generator().manual_seed(1))
    free = 2 * D if ball == "example" else D  # coordinates of one ball
    radius = norm(delta, p, ball)[:, 0].flatten().numpy() / eps
    # the share of the ball's volume within a uniform point's radius is itself uniform
    assert stats.kstest(radius**free, "uniform").pvalue > 0.01
    assert abs(delta.mean()) < 0.02


@every_norm
def test_random_points_match_rejection_sampling(p: P) -> None:
    rng = np.random.default_rng(3)
    cube = rng.uniform(-1, 1, size=(20_000, 3))
    size = np.linalg.norm(cube, {"l2": 2, "linf": np.inf, "l1": 1}[p], axis=1)
    wanted = cube[size <= 1]
    like = torch.zeros(4000, 1, 3, dtype=torch.float64)
    mask = torch.ones(4000, 1, dtype=torch.bool)
    found = random_in_ball(like, mask, 1.0, p, "token", torch.Generator().manual_seed(4))[:, 0]
    for axis in range(3):
        assert stats.ks_2samp(found[:, axis].numpy(), wanted[:, axis]).pvalue > 0.01
    diagonal = np.array([1.0, -2.0, 0.5])
    assert stats.ks_2samp(found.numpy() @ diagonal, wanted @ diagonal).pvalue > 0.01
