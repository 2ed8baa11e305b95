"""What are perturbed embeddings nearest to in the vocabulary, and how far is the next word?

Perturbed vectors live in the space of raw word embeddings, so that is where neighbours are searched.
Candidates are the ordinary rows; special and unused ones are left out, but a token's own row never is.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

Metric = Literal["l2", "cosine", "dot"]
METRICS: tuple[Metric, ...] = ("l2", "cosine", "dot")


def scores(x: Tensor, table: Tensor, metric: Metric) -> Tensor:
    """(T,D), (V,D) -> (T,V); smaller is nearer for l2 and cosine, larger for dot."""
    if metric == "l2":
        # not the matrix-product shortcut: it loses small distances to cancellation
        return torch.cdist(x, table, compute_mode="donot_use_mm_for_euclid_dist")
    if metric == "cosine":
        return 1 - F.normalize(x, dim=-1) @ F.normalize(table, dim=-1).T
    return x @ table.T


def nearest_tokens(
    x: Tensor, own: Tensor, table: Tensor, allowed: Tensor, k: int = 5, metric: Metric = "l2"
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The k nearest rows of each vector; fewer in a vocabulary of fewer.

    x (T,D) vectors, own (T,) their tokens' rows, table (V,D), allowed (V,) bool. Returns ids (T,k)
    and scores (T,k), nearest first; own_rank (T,), 1 when no allowed row is nearer than the own one;
    and margin (T,), the score gap between the first and the second.
    """
    return ranked(scores(x, table, metric), own, allowed, k, metric)


def ranked(
    found: Tensor, own: Tensor, allowed: Tensor, k: int, metric: Metric
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As `nearest_tokens`, from scores (T,V) that are known already."""
    k = min(k, int(allowed.sum()))
    towards = -found if metric != "dot" else found  # larger is nearer
    blocked = (~allowed).expand_as(towards).clone()
    blocked.scatter_(1, own.unsqueeze(1), False)
    towards = towards.masked_fill(blocked, -torch.inf)
    best = towards.topk(max(k, 2), dim=-1)
    mine = towards.gather(1, own.unsqueeze(1))
    own_rank = (towards > mine).sum(1) + 1
    margin = best.values[:, 0] - best.values[:, 1]
    return best.indices[:, :k], found.gather(1, best.indices[:, :k]), own_rank, margin


def exit_radius(
    own: Tensor, direction: Tensor, table: Tensor, allowed: Tensor, apart: Tensor | None = None
) -> Tensor:
    """How far each token goes along its direction before another row is nearer: (T,), raw units.

    own (T,) rows, direction (T,D) of any length, table (V,D), allowed (V,); apart (T,V), the rows'
    L2 distances from the own ones, when the caller has them. Along the unit vector u the cell of eᵢ
    ends at t = min over j with u·(eⱼ−eᵢ) > 0 of ‖eⱼ−eᵢ‖² / (2u·(eⱼ−eᵢ)); cells are convex, so the
    token has moved exactly when ‖δᵢ‖ > t. Infinite where nothing lies that way or the direction
    is 0.
    """
    return first_exit(own, direction, table, allowed, apart)[0]


def first_exit(
    own: Tensor, direction: Tensor, table: Tensor, allowed: Tensor, apart: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The exit radius (T,) and the row that is nearest beyond it (T,), −1 where there is none."""
    apart = scores(table[own], table, "l2") if apart is None else apart
    unit = F.normalize(direction, dim=-1)
    ahead = unit @ table.T - (unit * table[own]).sum(-1, keepdim=True)  # (T,V)
    # a row equal to the own one is never strictly nearer
    useful = allowed & (ahead > 0) & (apart > 0)
    radii, rows = torch.where(useful, apart.pow(2) / (2 * ahead), torch.inf).min(1)
    radii = radii.masked_fill(direction.norm(dim=-1) == 0, torch.inf)
    return radii, rows.masked_fill(radii.isinf(), -1)


def certificate(own: Tensor, table: Tensor, allowed: Tensor, apart: Tensor | None = None) -> Tensor:
    """Half the distance to the nearest other row: (T,). Below it no direction leaves the cell.

    `apart` (T,V) as for `exit_radius`.
    """
    return closest(own, table, allowed, apart)[0] / 2


def closest(
    own: Tensor, table: Tensor, allowed: Tensor, apart: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The distance (T,) to the nearest other allowed row, and that row (T,)."""
    apart = scores(table[own], table, "l2") if apart is None else apart
    blocked = (~allowed).expand_as(apart).clone()
    blocked.scatter_(1, own.unsqueeze(1), True)
    distance, rows = apart.masked_fill(blocked, torch.inf).min(1)
    return distance, rows


def crossings(
    own: Tensor,
    delta: Tensor,
    table: Tensor,
    allowed: Tensor,
    limit: float,
    apart: Tensor | None = None,
) -> list[list[tuple[float, int]]]:
    """Every change of the nearest row (L2) as δ grows: for each token, (factor, row) ascending.

    own (T,), delta (T,D), table (V,D), allowed (V,); factors up to `limit`. At factor f row j is
    nearer than the own one by f·bⱼ − aⱼ, with aⱼ = ‖eⱼ−eᵢ‖² and bⱼ = 2δ·(eⱼ−eᵢ): straight lines in
    f. The nearest row follows their upper envelope, so no row comes twice and none is missed.
    """
    apart = scores(table[own], table, "l2") if apart is None else apart
    a = apart.double().pow(2)  # (T,V)
    b = 2 * (delta @ table.T - (delta * table[own]).sum(-1, keepdim=True)).double()
    usable = allowed & (apart > 0)
    found: list[list[tuple[float, int]]] = [[] for _ in range(len(own))]
    height = torch.zeros(len(own), 1, dtype=a.dtype, device=a.device)  # a and b of the present row
    slope = torch.zeros_like(height)
    while True:
        ahead = usable & (b > slope)
        at, rows = torch.where(ahead, (a - height) / (b - slope), torch.inf).min(1)
        going = (at <= limit) & (delta.norm(dim=-1) > 0)
        if not going.any():
            return found
        for t in going.nonzero()[:, 0].tolist():
            found[t].append((float(at[t]), int(rows[t])))
        height = torch.where(going.unsqueeze(1), a.gather(1, rows.unsqueeze(1)), height)
        slope = torch.where(going.unsqueeze(1), b.gather(1, rows.unsqueeze(1)), slope)
        usable = usable & going.unsqueeze(1)  # a token that is done stays so
