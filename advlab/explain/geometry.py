"""A faithful picture of one token's perturbation: the plane that holds δ exactly.

A joint PCA of clean and perturbed vectors spends its axes on the differences between words and shows
δ about a pixel long. Here x runs along δ, so the arrow is exact; y is the main direction in which the
nearest vocabulary vectors spread, once x is removed. Cells use true distances, not those in the plane.
"""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.explain.projection import exit_radius
from advlab.records import LocalPlane


def local_plane(
    token: int,
    own: int,
    delta: Tensor,
    table: Tensor,
    allowed: Tensor,
    names: list[str],
    *,
    nearest: int = 30,
    grid: int = 33,
) -> LocalPlane:
    """The plane through eᵢ along δᵢ.

    token: place in the text; own: its row; delta (D,) non-zero; table (V,D); allowed (V,); names:
    V entries as people read them. `cell` tells which row is nearest to each point of the plane by
    true distance; the rows it names are listed with the `nearest` ones.
    """
    if delta.norm() == 0:
        raise ValueError("expected a δ other than 0, got 0; this token was not perturbed")
    usable = allowed.clone()
    usable[own] = False
    rows = torch.nonzero(usable).squeeze(1)
    away = table[rows] - table[own]  # (V',D)
    distance = away.norm(dim=1)
    near = distance.argsort()[:nearest]

    x_axis = delta / delta.norm()
    flat = away[near] - (away[near] @ x_axis).unsqueeze(1) * x_axis
    y_axis = torch.linalg.svd(flat - flat.mean(0), full_matrices=False).Vh[0]
    y_axis = y_axis - (y_axis @ x_axis) * x_axis
    y_axis = y_axis / y_axis.norm()

    x, y = away @ x_axis, away @ y_axis
    residual = (distance.pow(2) - x.pow(2) - y.pow(2)).clamp_min(0).sqrt()
    leaves = float(exit_radius(torch.tensor([own]), delta.unsqueeze(0), table, allowed)[0])
    # wide enough for the arrow, the exit (unless it is far away) and the ten nearest rows
    shown = torch.stack([x[near[:10]].abs().max(), y[near[:10]].abs().max()]).max().item()
    reach = max(shown, float(delta.norm()), min(leaves, 4 * float(distance[near[0]])))
    ticks = torch.linspace(-1.15 * reach, 1.15 * reach, grid, dtype=table.dtype)

    # only rows closer than twice the farthest grid point can own one of them
    within = torch.nonzero(distance < 2 * 2**0.5 * float(ticks[-1])).squeeze(1)
    py, px = torch.meshgrid(ticks, ticks, indexing="ij")  # rows are y, columns are x
    points = torch.stack([px.flatten(), py.flatten()], 1)  # (G²,2)
    # ‖p − eⱼ‖² − ‖p − eᵢ‖² = ‖eⱼ − eᵢ‖² − 2p·(xⱼ, yⱼ): below 0, row j is nearer than the own one
    lead = distance[within].pow(2) - 2 * points @ torch.stack([x[within], y[within]])
    value, place = lead.min(1)
    owner = torch.where(value < 0, within[place], -1).reshape(px.shape)

    # rows that own a part of the picture are listed even when they are not among the nearest
    owners = [int(i) for i in owner.unique().tolist() if i >= 0]
    listed = list(dict.fromkeys([*near.tolist(), *owners]))
    place_of = {row: i for i, row in enumerate(listed)}
    cell = torch.tensor([place_of.get(int(i), -1) for i in owner.flatten()]).reshape(px.shape)
    return LocalPlane(
        token=token,
        x=x[listed].numpy(),
        y=y[listed].numpy(),
        residual=residual[listed].numpy(),
        labels=tuple(names[int(rows[i])] for i in listed),
        delta=float(delta.norm()),
        exit_radius=leaves,
        grid_x=ticks.numpy(),
        grid_y=ticks.numpy(),
        cell=cell.numpy(),
        magnification=float(ticks[-1]) / (1.5 * float(delta.norm())),
    )
