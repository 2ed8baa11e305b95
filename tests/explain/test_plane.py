from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from victims import TEXTS, shared_victim

from advlab.attacks import PGD
from advlab.explain.explore import analyse, explore
from advlab.explain.nearest import exit_radius
from advlab.explain.plane import local_plane
from advlab.pictures.plane import magnification
from advlab.records import LocalPlane

V, D = 300, 12


def case(seed: int = 0, length: float = 0.3) -> tuple[int, Tensor, Tensor, Tensor]:
    """A token's row, its δ, a float64 vocabulary and which rows are ordinary."""
    dice = torch.Generator().manual_seed(seed)
    table = torch.randn(V, D, generator=dice, dtype=torch.float64)
    delta = torch.randn(D, generator=dice, dtype=torch.float64)
    allowed = torch.rand(V, generator=dice) > 0.1
    return 17, length * delta / delta.norm(), table, allowed


def numbered(rows: list[int]) -> list[str]:
    return [str(row) for row in rows]


def plane_of(seed: int = 0, length: float = 0.3, **options: int) -> LocalPlane:
    own, delta, table, allowed = case(seed, length)
    return local_plane(3, own, delta, table, allowed, numbered, **options)


def axes_of(plane: LocalPlane, own: int, delta: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """The plane's two unit vectors, the second recovered from the coordinates it gave."""
    x_axis = delta / delta.norm()
    rows = torch.tensor([int(name) for name in plane.labels])
    away = table[rows] - table[own]
    y_axis = torch.linalg.lstsq(away, torch.from_numpy(plane.y)).solution
    return x_axis, y_axis


@pytest.mark.parametrize("seed", range(3))
def test_arrow_is_exact_and_coordinates_with_residual_give_true_distances(seed: int) -> None:
    own, delta, table, _ = case(seed)
    plane = plane_of(seed)
    assert plane.token == 3
    assert plane.delta == pytest.approx(float(delta.norm()), abs=1e-12)
    rows = torch.tensor([int(name) for name in plane.labels])
    away = table[rows] - table[own]
    np.testing.assert_allclose(plane.x, away @ (delta / delta.norm()), atol=1e-10)
    np.testing.assert_allclose(
        np.sqrt(plane.x**2 + plane.y**2 + plane.residual**2), away.norm(dim=1), atol=1e-10
    )
    # from the arrow's tip too: the residual is orthogonal to the plane
    tip = np.sqrt((plane.x - plane.delta) ** 2 + plane.y**2 + plane.residual**2)
    np.testing.assert_allclose(tip, (table[rows] - table[own] - delta).norm(dim=1), atol=1e-10)


def test_the_second_axis_is_a_unit_vector_across_the_first() -> None:
    own, delta, table, _ = case()
    x_axis, y_axis = axes_of(plane_of(), own, delta, table)
    assert float(y_axis.norm()) == pytest.approx(1, abs=1e-9)
    assert float(x_axis @ y_axis) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("grid", [21, 33])
@pytest.mark.parametrize("seed", range(4))
def test_every_cell_of_the_picture_belongs_to_the_truly_nearest_row(seed: int, grid: int) -> None:
    own, delta, table, allowed = case(seed)
    plane = plane_of(seed, grid=grid)
    x_axis, y_axis = axes_of(plane, own, delta, table)
    usable = allowed.clone()
    usable[own] = True
    rows = torch.nonzero(usable).squeeze(1)
    owners = set()
    for j, y in enumerate(plane.grid_y.tolist()):
        for i, x in enumerate(plane.grid_x.tolist()):
            point = table[own] + x * x_axis + y * y_axis
            nearest = int(rows[(table[rows] - point).pow(2).sum(1).argmin()])
            place = int(plane.cell[j, i])
            assert nearest == (own if place < 0 else int(plane.labels[place]))
            owners.add(nearest)
    assert len(owners) > 2


def test_cells_smaller_than_a_tile_of_the_search_are_found() -> None:
    dice = torch.Generator().manual_seed(0)
    table = torch.randn(4000, 2, generator=dice, dtype=torch.float64)
    delta = torch.tensor([0.4, 0.3], dtype=torch.float64)
    allowed = torch.ones(4000, dtype=torch.bool)
    own = int(table.norm(dim=1).argmin())
    plane = local_plane(0, own, delta, table, allowed, numbered)
    x_axis, y_axis = axes_of(plane, own, delta, table)
    y, x = np.meshgrid(plane.grid_y, plane.grid_x, indexing="ij")
    points = table[own] + torch.from_numpy(x)[..., None] * x_axis
    points = points + torch.from_numpy(y)[..., None] * y_axis
    nearest = torch.cdist(points.reshape(-1, 2), table).argmin(1).reshape(33, 33).numpy()
    rows = np.array([int(name) for name in plane.labels] + [own])
    assert (rows[plane.cell] == nearest).all()
    assert len(np.unique(nearest)) > 500


def test_thirty_nearest_ordinary_rows_are_listed_nearest_first() -> None:
    own, _, table, allowed = case()
    distance = (table - table[own]).norm(dim=1)
    distance[~allowed] = torch.inf
    distance[own] = torch.inf
    nearest = distance.argsort()[:30].tolist()
    assert [int(name) for name in plane_of().labels][:30] == nearest
    assert [int(name) for name in plane_of(nearest=7).labels][:7] == nearest[:7]


@pytest.mark.parametrize("seed", range(4))
def test_exit_radius_is_where_the_picture_changes_hands_along_the_arrow(seed: int) -> None:
    own, delta, table, allowed = case(seed)
    plane = plane_of(seed)
    alone = exit_radius(torch.tensor([own]), delta.unsqueeze(0), table, allowed)
    assert plane.exit_radius == pytest.approx(float(alone[0]))
    middle = plane.cell[len(plane.grid_y) // 2]  # y = 0
    assert plane.grid_y[len(plane.grid_y) // 2] == pytest.approx(0)
    ahead = plane.grid_x >= 0
    assert ((middle[ahead] < 0) == (plane.grid_x[ahead] < plane.exit_radius)).all()


def test_given_distances_change_nothing() -> None:
    own, delta, table, allowed = case()
    apart = (table - table[own]).norm(dim=1)
    given = local_plane(3, own, delta, table, allowed, numbered, apart=apart)
    assert given.labels == plane_of().labels
    np.testing.assert_allclose(given.y, plane_of().y, atol=1e-12)
    assert (given.cell == plane_of().cell).all()


def test_a_picture_whose_every_point_is_the_tokens_own_is_drawn() -> None:
    """One far row, barely in the plane: nothing but the own cell."""
    table = torch.zeros(3, D, dtype=torch.float64)
    table[1, 5], table[2, 6] = 10.0, 11.0
    delta = torch.zeros(D, dtype=torch.float64)
    delta[0] = 0.01
    allowed = torch.ones(3, dtype=torch.bool)
    plane = local_plane(0, 0, delta, table, allowed, numbered)
    assert plane.exit_radius == np.inf
    assert np.isfinite(plane.x).all()
    assert np.isfinite(plane.y).all()


def test_a_vocabulary_of_two_words_still_has_a_plane() -> None:
    table = torch.eye(2, D, dtype=torch.float64)
    delta = table[1] - table[0]
    plane = local_plane(0, 0, delta, table, torch.ones(2, dtype=torch.bool), numbered)
    assert np.isfinite(plane.y).all()
    assert plane.exit_radius == pytest.approx(2**0.5 / 2)


def test_magnification_is_the_ratio_of_the_widths_that_are_drawn() -> None:
    plane = plane_of(length=0.02)
    assert plane.magnification == pytest.approx(
        (plane.grid_x[-1] - plane.grid_x[0]) / (3 * plane.delta)
    )
    # the arrow fills a third of the lens, so a δ ten times smaller is magnified ten times more
    assert magnification(plane_of(length=0.002)) == pytest.approx(
        10 * magnification(plane), rel=0.1
    )


def test_a_token_that_was_not_perturbed_has_no_plane() -> None:
    own, delta, table, allowed = case()
    with pytest.raises(ValueError, match="not perturbed"):
        local_plane(3, own, 0 * delta, table, allowed, numbered)


def test_a_picture_does_not_hang_on_the_sign_that_a_decomposition_chose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    victim = shared_victim("bert")
    record = explore(victim, TEXTS[0], attack=PGD(1.0, steps=2), points=3)
    plane, words = plane_of(), analyse(victim, record, "map")
    svd, eigh = torch.linalg.svd, torch.linalg.eigh

    def mirrored_svd(a: Tensor, **how: bool) -> Any:
        found = svd(a, **how)
        return SimpleNamespace(U=-found.U, S=found.S, Vh=-found.Vh)

    def mirrored_eigh(a: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = eigh(a)
        return values, -vectors

    monkeypatch.setattr(torch.linalg, "svd", mirrored_svd)
    monkeypatch.setattr(torch.linalg, "eigh", mirrored_eigh)
    np.testing.assert_allclose(plane_of().y, plane.y)
    np.testing.assert_allclose(analyse(victim, record, "map").words, words.words)
