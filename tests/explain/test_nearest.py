from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from victims import KINDS, TEXTS, shared_victim

from advlab.explain.nearest import (
    METRICS,
    certificate,
    closest,
    crossings,
    exit_radius,
    first_exit,
    nearest_tokens,
)

V, D = 60, 5


def vocabulary(seed: int = 0) -> tuple[Tensor, Tensor]:
    """(V,D) float64 rows of different lengths, and which of them are ordinary."""
    dice = torch.Generator().manual_seed(seed)
    table = torch.randn(V, D, generator=dice, dtype=torch.float64)
    table *= 0.5 + torch.rand(V, 1, generator=dice, dtype=torch.float64)
    allowed = torch.ones(V, dtype=torch.bool)
    allowed[:4] = False
    return table, allowed


def directions(n: int, seed: int = 1) -> Tensor:
    found = torch.randn(n, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return found / found.norm(dim=1, keepdim=True)


def stays(table: Tensor, allowed: Tensor, own: int, x: Tensor) -> Tensor:
    """(N,) bool: no allowed row is strictly nearer to x (N,D) than the own one, seen one by one."""
    squared = (x.unsqueeze(1) - table).pow(2).sum(-1)  # (N,V)
    others = squared[:, allowed & (torch.arange(V) != own)]
    return others.min(1).values >= squared[:, own]


def test_exit_radius_is_where_a_true_nearest_neighbour_search_first_finds_another_row() -> None:
    table, allowed = vocabulary()
    unit = directions(1000)
    own = torch.arange(1000) % V
    radii = exit_radius(own, 3.7 * unit, table, allowed)  # the length plays no part
    assert radii.isfinite().sum() > 500
    far = 1e4
    for ray in range(1000):
        row, u = int(own[ray]), unit[ray]
        low, high = 0.0, far
        if bool(stays(table, allowed, row, (table[row] + far * u).unsqueeze(0))):
            assert radii[ray] > far
            continue
        for _ in range(8):  # bisection, 32 points at a time
            marks = torch.linspace(low, high, 34, dtype=torch.float64)[1:-1]
            inside = stays(table, allowed, row, table[row] + marks.unsqueeze(1) * u)
            count = int(inside.sum())
            assert bool(inside[:count].all()), "cells are convex: it leaves once and for all"
            low, high = (
                float(marks[count - 1]) if count else low,
                float(marks[count]) if count < len(marks) else high,
            )
        assert low * (1 - 1e-6) <= float(radii[ray]) <= high * (1 + 1e-6)


def test_no_direction_below_the_certificate_leaves_the_cell_and_one_just_above_does() -> None:
    table, allowed = vocabulary()
    safe = certificate(torch.arange(V), table, allowed)
    u = directions(400, seed=2)
    for row in range(V):
        assert bool(stays(table, allowed, row, table[row] + 0.9999 * safe[row] * u).all())
        away = torch.where(
            (allowed & (torch.arange(V) != row)).unsqueeze(1), table - table[row], torch.inf
        )
        towards = away[away.norm(dim=1).argmin()]
        towards = towards / towards.norm()
        assert not bool(
            stays(table, allowed, row, (table[row] + 1.0001 * safe[row] * towards).unsqueeze(0))
        )


def test_certificate_is_never_above_an_exit_radius() -> None:
    table, allowed = vocabulary()
    own = torch.arange(1000) % V
    radii = exit_radius(own, directions(1000), table, allowed)
    assert (certificate(own, table, allowed) <= radii * (1 + 1e-12)).all()


def test_a_zero_direction_never_leaves_and_distances_may_be_given() -> None:
    table, allowed = vocabulary()
    own = torch.tensor([5, 7, 9])
    push = directions(3)
    push[1] = 0
    radii = exit_radius(own, push, table, allowed)
    assert radii[1] == torch.inf
    apart = (table[own].unsqueeze(1) - table).norm(dim=-1)
    torch.testing.assert_close(exit_radius(own, push, table, allowed, apart), radii)
    torch.testing.assert_close(
        certificate(own, table, allowed, apart), certificate(own, table, allowed)
    )


def test_exit_radius_in_single_precision_agrees_with_double() -> None:
    table, allowed = vocabulary()
    own = torch.arange(1000) % V
    double = exit_radius(own, directions(1000), table, allowed)
    single = exit_radius(own, directions(1000).float(), table.float(), allowed)
    near = double < 100
    torch.testing.assert_close(single[near].double(), double[near], rtol=1e-3, atol=0)


def by_hand(x: Tensor, own: int, table: Tensor, allowed: Tensor, metric: str) -> Any:
    """Ids by nearness and the scores of all rows, one vector at a time."""
    score = {
        "l2": (x - table).pow(2).sum(1).sqrt(),
        "cosine": 1 - (table @ x) / (table.norm(dim=1) * x.norm()),
        "dot": table @ x,
    }[metric]
    usable = allowed.clone()
    usable[own] = True
    rows = torch.nonzero(usable).squeeze(1)
    order = rows[score[rows].argsort(descending=metric == "dot")]
    return order, score


@pytest.mark.parametrize("metric", METRICS)
def test_nearest_tokens_are_those_of_a_sorted_list(metric: Any) -> None:
    table, allowed = vocabulary()
    own = torch.arange(V)  # special rows too: a token's own row is never left out
    x = table + 1.5 * directions(V, seed=3)
    ids, scores, rank, margin = nearest_tokens(x, own, table, allowed, 5, metric)
    blocked = set(torch.nonzero(~allowed).flatten().tolist())
    for i in range(V):
        order, score = by_hand(x[i], i, table, allowed, metric)
        assert ids[i].tolist() == order[:5].tolist()
        torch.testing.assert_close(scores[i], score[order[:5]])
        assert int(rank[i]) == order.tolist().index(i) + 1
        assert float(margin[i]) == pytest.approx(abs(float(score[order[0]] - score[order[1]])))
        assert not (set(ids[i].tolist()) - {i}) & blocked
    assert (rank > 1).any()
    assert (rank == 1).any()


def test_one_neighbour_still_has_a_margin() -> None:
    table, allowed = vocabulary()
    ids, scores, _, margin = nearest_tokens(table, torch.arange(V), table, allowed, k=1)
    assert ids.shape == scores.shape == (V, 1)
    assert (margin > 0).all()


def test_asking_for_more_neighbours_than_there_are_gives_all() -> None:
    table, allowed = vocabulary()
    allowed[8:] = False
    ids, scores, *_ = nearest_tokens(table[4:8], torch.arange(4, 8), table, allowed, k=10)
    assert ids.shape == scores.shape == (4, 4)
    assert set(ids.flatten().tolist()) == {4, 5, 6, 7}


@pytest.mark.parametrize("kind", KINDS)
def test_every_token_projects_to_itself_when_nothing_is_added(kind: str) -> None:
    victim = shared_victim(kind)
    batch = victim.encode(TEXTS)
    own = batch.input_ids[batch.attention_mask.bool()]
    for metric in ("l2", "cosine"):
        ids, _, rank, _ = nearest_tokens(
            victim.table[own], own, victim.table, victim.ordinary, 3, metric
        )
        assert (ids[:, 0] == own).all()
        assert (rank == 1).all()
    assert (
        exit_radius(own, torch.zeros_like(victim.table[own]), victim.table, victim.ordinary)
        == torch.inf
    ).all()


def test_crossing_the_exit_radius_and_losing_the_first_rank_are_the_same_thing() -> None:
    table, allowed = vocabulary()
    own = torch.arange(1000) % V
    delta = directions(1000, seed=5) * torch.linspace(0.1, 4, 1000).unsqueeze(1)
    _, _, rank, _ = nearest_tokens(table[own] + delta, own, table, allowed)
    crossed = delta.norm(dim=1) > exit_radius(own, delta, table, allowed)
    assert (crossed == (rank > 1)).all()
    assert crossed.any()
    assert not crossed.all()


def nearest_row(table: Tensor, allowed: Tensor, own: int, x: Tensor) -> int:
    """The row nearest to x (D,), special rows left out but for the own one, which wins ties."""
    squared = (x - table).pow(2).sum(-1).masked_fill(~allowed & (torch.arange(V) != own), torch.inf)
    return own if squared[own] <= squared.min() else int(squared.argmin())


def test_the_row_behind_the_exit_is_the_one_that_a_search_finds_there() -> None:
    table, allowed = vocabulary()
    own, unit = torch.arange(300) % V, directions(300)
    radii, rows = first_exit(own, 0.3 * unit, table, allowed)
    for i in range(300):
        if radii[i].isinf():
            assert rows[i] == -1
            continue
        row = int(own[i])
        past = table[row] + float(radii[i]) * (1 + 1e-9) * unit[i]
        short = table[row] + float(radii[i]) * (1 - 1e-9) * unit[i]
        assert nearest_row(table, allowed, row, past) == int(rows[i])
        assert nearest_row(table, allowed, row, short) == row


def test_the_closest_row_is_twice_the_certificate_away_and_is_ordinary() -> None:
    table, allowed = vocabulary()
    own = torch.arange(V)
    distance, rows = closest(own, table, allowed)
    torch.testing.assert_close(distance / 2, certificate(own, table, allowed))
    for i in range(V):
        away = (table - table[i]).norm(dim=1)
        away[i] = torch.inf
        away[~allowed] = torch.inf
        assert int(away.argmin()) == int(rows[i])


def test_crossings_are_all_the_changes_that_a_search_along_the_ray_finds() -> None:
    table, allowed = vocabulary()
    own = torch.arange(200) % V
    delta = 0.4 * directions(200, seed=7)
    found = crossings(own, delta, table, allowed, limit=50.0)
    assert max(map(len, found)) >= 3
    for i, path in enumerate(found):
        row = int(own[i])
        at = [f for f, _ in path]
        assert at == sorted(at)
        assert len({r for _, r in path}) == len(path), "no cell is entered twice"
        steps = [(0.0, row), *path, (50.0, -1)]
        for (low, here), (high, _) in pairwise(steps):
            for share in (1e-6, 0.5, 1 - 1e-6):
                x = table[row] + (low + share * (high - low)) * delta[i]
                assert nearest_row(table, allowed, row, x) == here


def test_crossings_begin_at_the_exit_radius_and_a_zero_delta_has_none() -> None:
    table, allowed = vocabulary()
    own, delta = torch.arange(100) % V, 0.4 * directions(100, seed=8)
    delta[3] = 0
    found = crossings(own, delta, table, allowed, limit=1e9)
    radii = exit_radius(own, delta, table, allowed)
    assert found[3] == []
    for path, radius in zip(found, radii.tolist(), strict=True):
        assert (path[0][0] if path else torch.inf) == pytest.approx(radius / 0.4)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_ten_thousand_rays_leave_a_cell_at_the_exit_radius_and_none_below_the_certificate(
    kind: str,
) -> None:
    victim = shared_victim(kind)
    table, allowed = victim.table, victim.ordinary
    rows = victim.encode([TEXTS[1]]).input_ids[0]
    own = rows[victim.encode([TEXTS[1]]).perturbable[0]][:5]
    rays = torch.randn(
        10_000, table.shape[1], generator=torch.Generator().manual_seed(3), dtype=table.dtype
    )
    rays = rays / rays.norm(dim=1, keepdim=True)

    def left(row: Tensor, points: Tensor) -> Tensor:
        """(N,) bool: some other ordinary row is strictly nearer, by all the distances."""
        far = torch.cdist(points, table, compute_mode="donot_use_mm_for_euclid_dist")
        others = allowed & (torch.arange(len(table)) != row)
        return far[:, others].min(1).values < far[:, row]

    for row in own:
        radii = exit_radius(row.expand(10_000), rays, table, allowed)
        safe = certificate(row.unsqueeze(0), table, allowed)[0]
        ends = radii < 1e3  # farther out, distances of 1e5 and more hide a millionth of a step
        assert ends.sum() > 1000
        just = radii[ends].unsqueeze(1) * rays[ends]
        assert not left(row, table[row] + (1 - 1e-7) * just).any()
        assert left(row, table[row] + (1 + 1e-7) * just).all()
        endless = radii.isinf()
        assert not left(row, table[row] + 1e5 * rays[endless]).any()
        assert not left(row, table[row] + 0.999999 * safe * rays).any()
        assert safe <= radii.min()
