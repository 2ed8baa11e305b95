"""A faithful picture of one token's perturbation: the plane that holds δ exactly.

A joint PCA of clean and perturbed vectors spends its axes on the differences between words and shows
δ about a pixel long. Here x runs along δ, so the arrow is exact; y is the main direction in which the
nearest vocabulary vectors spread, once x is removed. Cells use true distances, not those in the plane.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.explain.nearest import exit_radius, scores
from advlab.language import _
from advlab.records import LocalPlane


def local_plane(
    token: int,
    own: int,
    delta: Tensor,
    table: Tensor,
    allowed: Tensor,
    names: Callable[[list[int]], list[str]],
    *,
    apart: Tensor | None = None,
    nearest: int = 30,
    grid: int = 33,
) -> LocalPlane:
    """The plane through eᵢ along δᵢ.

    token: place in the text; own: its row; delta (D,) non-zero; table (V,D); allowed (V,); names:
    rows -> their texts; apart (V,): the rows' distances from the own one, when the caller has them.
    `cell` tells which row is nearest to each point of the plane by true distance; the rows it names
    are listed with the `nearest` ones.
    """
    if delta.norm() == 0:
        raise ValueError(_("expected a δ other than 0, got 0; this token was not perturbed"))
    usable = allowed.clone()
    usable[own] = False
    rows = torch.nonzero(usable).squeeze(1)  # (V',)
    origin = table[own]
    apart = scores(origin.unsqueeze(0), table, "l2")[0] if apart is None else apart
    distance = apart[rows]
    near = distance.topk(min(nearest, len(rows)), largest=False).indices

    x_axis = delta / delta.norm()
    around = table[rows[near]] - origin
    y_axis = _across(x_axis, around)

    axes = torch.stack([x_axis, y_axis])
    x, y = ((table @ axes.T)[rows] - origin @ axes.T).unbind(1)  # no copy of the whole table
    residual = (distance.pow(2) - x.pow(2) - y.pow(2)).clamp_min(0).sqrt()
    row = torch.tensor([own], device=table.device)
    leaves = float(exit_radius(row, delta.unsqueeze(0), table, allowed, apart.unsqueeze(0))[0])
    # wide enough for the arrow, the exit (unless it is far away) and the ten nearest rows
    shown = torch.stack([x[near[:10]].abs().max(), y[near[:10]].abs().max()]).max().item()
    reach = 1.15 * max(shown, float(delta.norm()), min(leaves, 4 * float(distance[near[0]])))
    ticks = torch.linspace(-reach, reach, grid, dtype=table.dtype, device=table.device)

    owner = _owners(torch.stack([x, y]), distance.pow(2), ticks)  # (G,G)
    listed, cell = _listed(near.tolist(), owner.cpu(), len(rows))
    return LocalPlane(
        token=token,
        x=x[listed].cpu().numpy(),
        y=y[listed].cpu().numpy(),
        residual=residual[listed].cpu().numpy(),
        labels=tuple(names(rows[listed].tolist())),
        delta=float(delta.norm()),
        exit_radius=leaves,
        grid_x=ticks.cpu().numpy(),
        grid_y=ticks.cpu().numpy(),
        cell=cell.numpy(),
        magnification=float(ticks[-1]) / (1.5 * float(delta.norm())),
    )


def _listed(near: list[int], owner: Tensor, rows: int) -> tuple[list[int], Tensor]:
    """The rows of a picture, and whose place among them each point has: (G,G), −1 for the own row's.

    Rows that own a part of the picture (`owner` (G,G)) are listed even when they are not among the
    nearest.
    """
    owners = [int(i) for i in owner.unique().tolist() if i >= 0]
    listed = list(dict.fromkeys([*near, *owners]))
    place_of = torch.full((rows + 1,), -1)  # the last entry answers for the own row, −1
    place_of[listed] = torch.arange(len(listed))
    return listed, place_of[owner]


def _across(x_axis: Tensor, around: Tensor) -> Tensor:
    """The unit vector (D,) across `x_axis` along which the rows `around` (J,D) spread most."""
    flat = around - (around @ x_axis).unsqueeze(1) * x_axis
    main = torch.linalg.svd(flat - flat.mean(0), full_matrices=False).Vh[0]
    # where the rows do not spread at all any direction serves, such as the axis farthest from x
    spare = torch.zeros_like(x_axis)
    spare[x_axis.abs().argmin()] = 1.0
    axis = main if abs(float(main @ x_axis)) < 0.5 else spare
    axis = axis - (axis @ x_axis) * x_axis
    return upright(axis / axis.norm())


def upright(axis: Tensor) -> Tensor:
    """An axis (D,), or axes as columns (D,K), turned so that the longest coordinate is positive.

    Decompositions leave the sign open, and libraries choose otherwise on other machines: one record
    would be drawn mirrored there.
    """
    longest = axis.gather(0, axis.abs().argmax(0, keepdim=True))
    return axis * longest.sign()


def _owners(q: Tensor, squared: Tensor, ticks: Tensor, tile: int = 5) -> Tensor:
    """Which row is nearest to each point of the plane: (G,G), rows are y; −1 for the own one.

    q (2,J) places in the plane, squared (J,) = ‖eⱼ−eᵢ‖², ticks (G,). For a point p of the plane,
    ‖p − eⱼ‖² − ‖p − eᵢ‖² = ‖eⱼ − eᵢ‖² − 2p·qⱼ, linear in p: row j is ahead where it is below 0, and
    over a square tile it is lowest at a corner. So most rows are ruled out by whole tiles.
    """
    G, spacing = len(ticks), ticks[1] - ticks[0]
    py, px = torch.meshgrid(ticks, ticks, indexing="ij")
    points = torch.stack([px.flatten(), py.flatten()], 1)  # (G²,2)
    middles = ticks[0] + spacing * (torch.arange(0, G, tile).to(ticks) + (tile - 1) / 2)
    cy, cx = torch.meshgrid(middles, middles, indexing="ij")
    at_middle = squared - 2 * torch.stack([cx.flatten(), cy.flatten()], 1) @ q  # (tiles,J)
    likely = at_middle.argmin(1).unique()
    # what has to be undercut somewhere in the tile: the best of the likely rows and the own one
    lead = (squared[likely] - 2 * points @ q[:, likely]).min(1).values.clamp_max(0)
    worst = F.max_pool2d(lead.reshape(1, 1, G, G), tile, ceil_mode=True).reshape(-1, 1)
    slope = (tile - 1) * 1.001 * spacing * q.abs().sum(0)  # 2p·q from the middle to a corner
    close = (at_middle - slope <= worst).any(0)
    close[likely] = True  # so that there is one
    rivals = torch.nonzero(close).squeeze(1)
    value, place = (squared[rivals] - 2 * points @ q[:, rivals]).min(1)
    return torch.where(value < 0, rivals[place], -1).reshape(G, G)
