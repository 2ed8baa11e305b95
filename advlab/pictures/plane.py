"""One token's neighbourhood as a faithful picture: true scale, and a lens on the arrow.

The plane holds δ exactly (x) and the neighbours' main other direction (y). Shading is the slice of
the true cells: which vocabulary row is nearest in all D dimensions. It is no joint PCA, in which
the arrow would shrink to about a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.language import _
from advlab.pictures.base import finish, square
from advlab.pictures.sentences import number, percent
from advlab.pictures.style import AHEAD, NEUTRAL, SIDES, faded, label, side
from advlab.pictures.tables import Columns
from advlab.pictures.text import Mark
from advlab.records import AttackRecord, LocalPlane

TINTS = ("#C9A66B", "#7FB0C9", "#A58BC0", "#C98F86", "#8FB58A")  # neighbours' cells, in turn


def plane_figure(
    record: AttackRecord,
    plane: LocalPlane,
    which: int = 0,
    *,
    lens: bool = False,
    width: float | None = None,
    whole: float | None = None,
) -> go.Figure:
    """The local plane of one token, raw units, equal axes.

    `lens` shows only the arrow's surroundings; the true-scale picture has a square where the lens
    looks. The arrow δ is exact. Neighbours fade with their distance out of the plane. `width`, in raw
    units, is what is shown across, where several models share it; `whole` is that of the true-scale
    picture beside a lens.
    """
    left, bottom, width = _window(plane, lens, width)
    magnified = magnification(plane, whole, width)
    figure = go.Figure()
    figure.add_trace(_cells(plane))
    if not lens:
        _neighbours(figure, plane, width)
    _arrow(figure, plane, label(record.tokens[plane.token]), SIDES[which][0])
    if np.isfinite(plane.exit_radius) and plane.exit_radius <= left + width:
        _exit_mark(figure, plane.exit_radius, 0.06 * width)
    if not lens and plane.delta > 0:
        _frame_of_lens(figure, plane)
    title = (
        _("Lens: magnified {magnified} ×", magnified=number(magnified)) if lens else _("True scale")
    )
    figure.update_layout(title={"text": title, "font": {"size": 14}, "x": 0, "xref": "paper"})
    across, up = (left, left + width), (bottom, bottom + width)
    square(figure, across, up, (_("along δ, raw"), _("across, raw")), 5)
    finish(figure, 380)
    figure.update_layout(margin={"t": 40})
    return figure


def marks(which: Sequence[int]) -> list[Mark]:
    """What each sign of the pictures stands for; `which` are the models' places (A, B, C)."""
    several = len(which) > 1
    return [
        *(
            Mark(
                SIDES[i][0],
                _("the clean word ({model})", model=side(i)) if several else _("the clean word"),
                round=True,
            )
            for i in which
        ),
        Mark(AHEAD, _("δ, its head is the perturbed vector"), line="solid"),
        Mark(NEUTRAL, _("where δ leaves the token's cell"), line="dotted"),
        Mark(AHEAD, _("what the lens magnifies"), line="dotted"),
        Mark(NEUTRAL, _("another word; faint: far out of this plane"), round=True),
        Mark(faded(NEUTRAL, 0.12), _("the token's own cell")),
        Mark(faded(TINTS[0], 0.3), _("each other shade: another word's cell")),
    ]


def reach_sentence(record: AttackRecord, plane: LocalPlane) -> str:
    """How long the token's δ is, and how far that is on its way to another word."""
    name = f"‘{record.tokens[plane.token]}’"
    size = _(
        "δ moves {name} by {delta} × mean norm",
        name=name,
        delta=number(plane.delta / record.scale.mean_norm),
    )
    if not np.isfinite(plane.exit_radius) or plane.exit_radius <= 0:
        return _("{size}; no other word lies that way.", size=size)
    share = plane.delta / plane.exit_radius
    if share > 1:
        return _("{size}: beyond its cell, so it reads as another word.", size=size)
    return _("{size}, {percent} of the way to another word.", size=size, percent=percent(share))


def magnification(
    plane: LocalPlane, whole: float | None = None, lens: float | None = None
) -> float:
    """How much larger the lens draws a length than the true-scale picture as wide beside it.

    `whole` and `lens` are the widths that are shown, where several models share them.
    """
    return (whole or width_of(plane)) / (lens or width_of(plane, lens=True))


def width_of(plane: LocalPlane, *, lens: bool = False) -> float:
    """What a picture needs to show across, raw units."""
    return _window(plane, lens)[2]


def _window(plane: LocalPlane, lens: bool, wide: float | None = None) -> tuple[float, float, float]:
    """Left, bottom and width of the square that is shown; `wide`: at least so wide."""
    if lens and plane.delta > 0:
        side = max(3 * plane.delta, wide or 0.0)
        return -side / 3, -side / 2, side
    xs = np.concatenate([plane.x, [0.0, plane.delta]])
    ys = np.concatenate([plane.y, [0.0]])
    if np.isfinite(plane.exit_radius) and plane.exit_radius <= float(plane.grid_x.max()):
        xs = np.append(xs, plane.exit_radius)
    width = max(1.2 * max(float(np.ptp(xs)), float(np.ptp(ys)), 1e-9), wide or 0.0)
    return (float(xs.max() + xs.min() - width) / 2, float(ys.max() + ys.min() - width) / 2, width)


def _cells(plane: LocalPlane) -> go.Heatmap:
    """The slice of the true cells: the token's own is grey, others are tinted in turn."""
    tint = np.where(plane.cell < 0, 0, 1 + plane.cell % len(TINTS)).astype(int)
    colours = [faded(NEUTRAL, 0.12), *(faded(c, 0.3) for c in TINTS)]
    n = len(colours)
    scale = [[(i + side) / n, colour] for i, colour in enumerate(colours) for side in (0, 1)]
    names = np.array([*(label(t) for t in plane.labels), _("its own cell")], dtype=object)
    return go.Heatmap(
        z=tint,
        x=plane.grid_x,
        y=plane.grid_y,
        zmin=-0.5,
        zmax=n - 0.5,
        colorscale=scale,
        showscale=False,
        customdata=names[plane.cell],
        hovertemplate=_("nearest here: %{customdata}<extra></extra>"),
    )


def _arrow(figure: go.Figure, plane: LocalPlane, own: str, colour: str) -> None:
    """δ from the clean word vector, which is named."""
    figure.add_scatter(
        x=[0],
        y=[0],
        mode="markers+text",
        text=[f"<b>{own}</b>"],
        textposition="bottom center",
        marker={"color": colour, "size": 11},
        showlegend=False,
        hovertemplate=_("{own}: the clean word vector<extra></extra>", own=own),
    )
    figure.add_scatter(
        x=[0, plane.delta],
        y=[0, 0],
        mode="lines+markers",
        showlegend=False,
        line={"color": AHEAD, "width": 3},
        marker={"symbol": ["circle", "arrow-right"], "size": [1, 13], "color": AHEAD},
        hovertemplate=_("δ, exact: ‖δ‖ = {length} raw<extra></extra>", length=number(plane.delta)),
    )


def _exit_mark(figure: go.Figure, radius: float, half: float) -> None:
    """A stroke across δ where it leaves the token's cell, `half` long on either side."""
    figure.add_scatter(
        x=[radius, radius],
        y=[-half, half],
        mode="lines",
        line={"color": NEUTRAL, "width": 3, "dash": "dot"},
        showlegend=False,
        hovertemplate=_("exit radius along δ: {radius} raw<extra></extra>", radius=number(radius)),
    )


def _frame_of_lens(figure: go.Figure, plane: LocalPlane) -> None:
    """The square where the lens looks."""
    left, bottom, side = _window(plane, True)
    figure.add_shape(
        type="rect",
        x0=left,
        x1=left + side,
        y0=bottom,
        y1=bottom + side,
        line={"color": AHEAD, "width": 1, "dash": "dot"},
    )


def _neighbours(figure: go.Figure, plane: LocalPlane, width: float) -> None:
    """The nearest vocabulary rows; the further out of the plane, the fainter."""
    distance = np.sqrt(plane.x**2 + plane.y**2 + plane.residual**2)
    share = np.clip(plane.residual / np.where(distance > 0, distance, 1.0), 0.0, 1.0)
    shown = _room(plane, distance.argsort(), width)
    names = [label(t) for t in plane.labels]
    figure.add_scatter(
        x=plane.x,
        y=plane.y,
        mode="markers+text",
        showlegend=False,
        marker={"color": NEUTRAL, "size": 8, "opacity": 1.0 - 0.8 * share},
        text=[n if j in shown else "" for j, n in enumerate(names)],
        textposition=["top center" if v >= 0 else "bottom center" for v in plane.y],
        textfont={"size": 11},
        customdata=[
            [n, number(d), number(r)]
            for n, d, r in zip(names, distance, plane.residual, strict=True)
        ],
        hovertemplate=_(
            "%{customdata[0]}<br>distance %{customdata[1]} raw, of which"
            " %{customdata[2]} out of this plane<extra></extra>"
        ),
    )


def _room(plane: LocalPlane, order: np.ndarray, width: float, most: int = 6) -> set[int]:
    """The nearest rows whose labels do not lie on one another, or on the token's own."""
    placed = [(0.0, -0.04 * width)]
    shown: set[int] = set()
    for j in order.tolist():
        lift = 0.05 if plane.y[j] >= 0 else -0.05
        x, y = float(plane.x[j]), float(plane.y[j]) + lift * width
        if all(abs(x - a) > 0.3 * width or abs(y - b) > 0.08 * width for a, b in placed):
            placed.append((x, y))
            shown.add(j)
        if len(shown) == most:
            break
    return shown


def plane_columns(plane: LocalPlane) -> Columns:
    """One row a vocabulary row near the token, nearest first: its place in the plane and off it."""
    distance = np.sqrt(plane.x**2 + plane.y**2 + plane.residual**2)
    order = distance.argsort(kind="stable")
    return {
        "neighbour": [plane.labels[j] for j in order],
        "distance, raw": distance[order].tolist(),
        "along δ, raw": plane.x[order].tolist(),
        "across, raw": plane.y[order].tolist(),
        "out of the plane, raw": plane.residual[order].tolist(),
    }
