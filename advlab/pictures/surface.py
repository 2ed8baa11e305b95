"""The loss around a sentence as pictures: over δ and random directions, flat and in three dimensions.

One random direction proves nothing, so three stand beside each other, in one colour range.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from advlab.language import N_, _, listing
from advlab.pictures.base import finish, square
from advlab.pictures.sentences import number, percent
from advlab.pictures.style import AHEAD, NEUTRAL
from advlab.pictures.tables import Columns
from advlab.pictures.text import Mark
from advlab.pictures.wording import said
from advlab.records import AttackRecord, Surface

EDGE = "#F3B6D8"  # the edge of the ball
MARKS = (
    Mark(AHEAD, N_("δ, from the sentence"), line="solid"),
    Mark("#ffffff", N_("decision boundary"), line="solid", edged=True),
    Mark(EDGE, N_("edge of the ε ball"), line="dotted", edged=True),
)
SOLID_MARKS = (MARKS[0], Mark("#000000", N_("decision boundary"), line="dotted"), MARKS[2])
ALIKE = 0.1  # shares of three pictures that differ by less tell the same story


def joined(parts: Sequence[Surface]) -> Surface:
    """The rows that are there, in order."""
    rows = np.concatenate([p.rows for p in parts])
    order = rows.argsort()

    def stacked(name: str) -> np.ndarray:
        return np.concatenate([getattr(p, name) for p in parts])[order]

    first = parts[0]
    return Surface(
        first.seed, first.axis, rows[order], stacked("loss"), stacked("margin"), stacked("share")
    )


def surface(found: Surface, limit: float | None = None) -> go.Figure:
    """Loss over δ (x) × a random direction (y), both in lengths of δ; boundary bold, ball dotted."""
    x = found.axis
    figure = go.Figure()
    for trace in _flat(found, limit or float(found.loss.max()), bar=True):
        figure.add_trace(trace)
    ends = (x[0], x[-1])
    square(
        figure,
        ends,
        ends,
        (_("along δ (1 is δ)"), _("random direction {seed}", seed=found.seed + 1)),
        7,
    )
    # none at the right edge, where the bar of colours stands on a phone
    figure.update_xaxes(tickvals=[-1, -0.5, 0, 0.5, 1])
    finish(figure, 380)
    figure.update_layout(margin={"t": 6})
    return figure


def seeds(found: Sequence[Surface], limit: float | None = None) -> go.Figure:
    """The same for several random directions beside each other, one colour range."""
    top = limit or max(float(f.loss.max()) for f in found)
    figure = make_subplots(
        rows=1,
        cols=len(found),
        horizontal_spacing=0.03,
        subplot_titles=[_("direction {number}", number=f.seed + 1) for f in found],
    )
    for k, one in enumerate(found, start=1):
        for trace in _flat(one, top, bar=False):
            figure.add_trace(trace, row=1, col=k)
        axis = one.axis
        figure.update_xaxes(
            row=1,
            col=k,
            range=[axis[0], axis[-1]],
            tickvals=[-1, 0, 1],
            constrain="domain",
            showgrid=False,
            zeroline=False,
        )
        figure.update_yaxes(
            row=1,
            col=k,
            range=[axis[0], axis[-1]],
            tickvals=[-1, 0, 1],
            constrain="domain",
            scaleanchor=f"x{k if k > 1 else ''}",
            scaleratio=1,
            showgrid=False,
            zeroline=False,
            showticklabels=k == 1,
        )
    finish(figure, 220)
    figure.update_layout(margin={"t": 24, "b": 24})
    figure.update_annotations(font={"size": 12})
    return figure


def _flat(found: Surface, top: float, *, bar: bool) -> list[Any]:
    x, y = found.axis, found.axis[found.rows]
    traces: list[Any] = [
        go.Heatmap(
            z=found.loss,
            x=x,
            y=y,
            colorscale="Cividis",
            zmin=0.0,
            zmax=top,
            zsmooth=False,
            showscale=bar,
            colorbar=_bar(),
            hovertemplate=_("%{x:.2f} δ, %{y:.2f} across<br>loss %{z:.3f} nats<extra></extra>"),
        )
    ]
    for values, at, colour, dash, name in (
        (found.margin, 0.0, "#ffffff", "solid", _("decision boundary")),
        (found.share, 1.0, EDGE, "dot", _("edge of the ε ball")),
    ):
        if len(y) > 1 and values.min() < at < values.max():
            for width, tone, shown in ((5, "#000000", False), (2.5, colour, True)):
                traces.append(
                    go.Contour(
                        z=values,
                        x=x,
                        y=y,
                        showscale=False,
                        hoverinfo="skip",
                        showlegend=False,
                        autocontour=False,
                        contours={"start": at, "end": at, "size": 1, "coloring": "none"},
                        line={"width": width, "color": tone, "dash": dash},
                        name=name if shown else "",
                    )
                )
    traces.append(
        go.Scatter(
            x=[0, 1],
            y=[0, 0],
            mode="lines+markers",
            showlegend=False,
            line={"color": AHEAD, "width": 3},
            marker={
                "symbol": ["circle", "arrow-right"],
                "size": [9, 14],
                "color": AHEAD,
                "line": {"color": "#ffffff", "width": 1},
            },
            hovertemplate=_("from the sentence to δ<extra></extra>"),
        )
    )
    return traces


def _bar() -> dict[str, Any]:
    return {
        "title": {"text": _("loss, nats"), "side": "right"},
        "thickness": 10,
        "nticks": 6,
        "xpad": 4,
        "outlinewidth": 0,
    }


def relief(found: Surface, limit: float | None = None) -> go.Figure:
    """The same in three dimensions, boundary black and the edge of the ball pink, on the loss."""
    x, y = found.axis, found.axis[found.rows]
    top = limit or float(found.loss.max())
    figure = go.Figure(
        go.Surface(
            z=found.loss,
            x=x,
            y=y,
            colorscale="Cividis",
            cmin=0.0,
            cmax=top,
            colorbar=_bar(),
            hovertemplate=_("%{x:.2f} δ, %{y:.2f} across<br>loss %{z:.3f} nats<extra></extra>"),
        )
    )
    middle = int(np.abs(y).argmin())
    on = (x >= 0) & (x <= 1)
    lines = [
        (np.stack([x[on], 0 * x[on], found.loss[middle][on]], 1), AHEAD, "lines", "δ"),
        (edge(found), EDGE, "lines+markers", _("edge of the ε ball")),
        (crossings(found), "#000000", "markers", _("decision boundary")),
    ]
    for points, colour, mode, name in lines:
        if len(points):
            figure.add_scatter3d(
                x=points[:, 0],
                y=points[:, 1],
                z=points[:, 2] + 0.02 * top,
                mode=mode,
                line={"color": colour, "width": 8 if mode == "lines" else 5},
                marker={"color": colour, "size": 3},
                showlegend=False,
                hovertemplate=f"{name}<extra></extra>",
            )
    # no colour of its own: the theme's text colour reads on light and on dark, no grey does on both
    plain = {"showbackground": False, "gridcolor": NEUTRAL}
    figure.update_layout(
        scene={
            "xaxis": plain | {"title": {"text": _("along δ")}},
            "yaxis": plain | {"title": {"text": _("across")}},
            "zaxis": plain | {"title": {"text": _("loss, nats")}, "range": [0, 1.05 * top]},
            "aspectmode": "manual",
            "aspectratio": {"x": 1, "y": 1, "z": 0.7},
            "camera": {"eye": {"x": -1.5, "y": -1.5, "z": 0.9}},
        }
    )
    finish(figure, 420)
    figure.update_layout(margin={"t": 0, "b": 0}, dragmode="orbit")
    return figure


def crossings(
    found: Surface, values: np.ndarray | None = None, level: float = 0.0, *, turned: bool = False
) -> np.ndarray:
    """(N,3) points (a, b, loss) where `values` pass `level` between neighbours of a row.

    Without `values` it is the margin: the decision boundary. `turned` looks along columns.
    """
    field = (found.margin if values is None else values) - level
    loss, x, y = found.loss, found.axis, found.axis[found.rows]
    if turned:
        field, loss, x, y = field.T, loss.T, y, x
    points = []
    for r, row in enumerate(field):
        for k in np.flatnonzero(np.signbit(row[:-1]) != np.signbit(row[1:])):
            share = row[k] / (row[k] - row[k + 1])
            height = loss[r, k] + share * (loss[r, k + 1] - loss[r, k])
            points.append((x[k] + share * (x[k + 1] - x[k]), y[r], height))
    made = np.array(points, dtype=float).reshape(-1, 3)
    return made[:, [1, 0, 2]] if turned else made


def edge(found: Surface) -> np.ndarray:
    """(N,3) the edge of the ε ball as a closed line, NaN where it leaves the picture.

    Any ball is star-shaped about the sentence, so its edge is in order by angle.
    """
    both = [crossings(found, found.share, 1.0, turned=turned) for turned in (False, True)]
    points = np.concatenate(both)
    if len(points) < 3:
        return np.empty((0, 3))
    points = points[np.arctan2(points[:, 1], points[:, 0]).argsort()]
    points = np.concatenate([points, points[:1]])
    gap = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1)
    # neighbours on the edge are at most a cell apart, where every row is there
    torn = np.flatnonzero(gap > 1.5 * np.diff(found.axis[found.rows]).max(initial=0.0)) + 1
    return np.insert(points, torn, np.nan, axis=0)


def shares(found: Surface) -> tuple[float, float]:
    """Which part of the picture, and of the ball in it, lies beyond the boundary."""
    beyond, inside = found.margin < 0, found.share <= 1
    return float(beyond.mean()), float(beyond[inside].mean()) if inside.any() else 0.0


def surface_sentence(record: AttackRecord, found: Surface) -> str:
    """How much of the picture, and of the ball in it, lies beyond the boundary."""
    whole, near = shares(found)
    name = said(record, record.clean.answers[0])
    return _(
        "Random direction {seed}: {picture} of the picture and {ball} of the ε "
        "ball in it are read otherwise than {name}; loss from {lowest} to {highest} "
        "nats.",
        seed=found.seed + 1,
        picture=percent(whole),
        ball=percent(near),
        name=name,
        lowest=number(float(found.loss.min())),
        highest=number(float(found.loss.max())),
    )


def seeds_sentence(found: Sequence[Surface]) -> str:
    """Whether several random directions tell the same story."""
    pairs = [shares(f) for f in found]
    whole, near = zip(*pairs, strict=True)
    spread = max(max(whole) - min(whole), max(near) - min(near))
    verdict = (
        _("they tell the same story")
        if spread < ALIKE
        else _("they tell different stories, so none of them alone is the shape of the loss")
    )
    return _(
        "{n} random directions: {picture} of the picture and {ball} of the "
        "ε ball in it lie beyond the boundary; {verdict}.",
        n=len(found),
        picture=_listed(whole),
        ball=_listed(near),
        verdict=verdict,
    )


def _listed(values: Sequence[float]) -> str:
    texts = [percent(v) for v in values]
    return (
        _("{first} and {last}", first=listing(texts[:-1]), last=texts[-1])
        if len(texts) > 1
        else texts[0]
    )


def surface_columns(found: Surface) -> Columns:
    """One row a point."""
    b, a = np.meshgrid(found.axis[found.rows], found.axis, indexing="ij")
    return {
        "along δ": a.ravel().tolist(),
        "across": b.ravel().tolist(),
        "loss, nats": found.loss.ravel().tolist(),
        "margin, logits": found.margin.ravel().tolist(),
        "length ÷ ε": found.share.ravel().tolist(),
    }


def seed_columns(found: Sequence[Surface]) -> Columns:
    """One row a random direction."""
    return {
        "random direction": [f.seed + 1 for f in found],
        "beyond the boundary": [shares(f)[0] for f in found],
        "of the ε ball": [shares(f)[1] for f in found],
        "lowest loss, nats": [float(f.loss.min()) for f in found],
        "highest loss, nats": [float(f.loss.max()) for f in found],
    }
