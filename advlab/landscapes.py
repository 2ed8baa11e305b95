"""Loss surfaces, straight lines and paths, growing distances, and the map that is context only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.plots import NEUTRAL, SIDES, finish, label, tokens_of
from advlab.records import AttackRecord, Distances, Line, Map, Surface
from advlab.story import number, percent
from advlab.tables import Columns

AHEAD, EDGE = "#D55E00", "#CC79A7"  # δ's arrow; the edge of the ball


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


def surface(
    record: AttackRecord, found: Surface, which: int = 0, limit: float | None = None
) -> go.Figure:
    """Loss over δ (x) × a random direction (y), both in lengths of δ; boundary bold, ball dotted."""
    x, y = found.axis, found.axis[found.rows]
    figure = go.Figure(
        go.Heatmap(
            z=found.loss, x=x, y=y, colorscale="Cividis", zmin=0.0,
            zmax=limit or float(found.loss.max()), showscale=False, zsmooth=False,
            hovertemplate="%{x:.2f} δ, %{y:.2f} across<br>loss %{z:.3f}<extra></extra>",
        )
    )  # fmt: skip
    for values, at, colour, dash, name in (
        (found.margin, 0.0, "#ffffff", "solid", "decision boundary"),
        (found.share, 1.0, EDGE, "dot", "edge of the ε ball"),
    ):
        if len(y) > 1 and values.min() < at < values.max():
            for width, tone, shown in ((5, "#000000", False), (2.5, colour, True)):
                figure.add_contour(
                    z=values, x=x, y=y, showscale=False, hoverinfo="skip", showlegend=False,
                    autocontour=False, contours={"start": at, "end": at, "size": 1, "coloring": "none"},
                    line={"width": width, "color": tone, "dash": dash}, name=name if shown else "",
                )  # fmt: skip
    figure.add_scatter(
        x=[0, 1], y=[0, 0], mode="lines+markers", showlegend=False,
        line={"color": AHEAD, "width": 3},
        marker={"symbol": ["circle", "arrow-right"], "size": [9, 14], "color": AHEAD,
                "line": {"color": "#ffffff", "width": 1}},
        hovertemplate="from the sentence to δ<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(
        range=[x[0], x[-1]], constrain="domain", title={"text": "along δ (1 is δ)"}, nticks=7,
        showgrid=False, zeroline=False,
    )  # fmt: skip
    figure.update_yaxes(
        range=[x[0], x[-1]], scaleanchor="x", scaleratio=1, constrain="domain", nticks=7,
        title={"text": f"random direction {found.seed + 1}"}, showgrid=False, zeroline=False,
    )  # fmt: skip
    finish(figure, 380)
    figure.update_layout(margin={"t": 6})
    return figure


def relief(
    record: AttackRecord, found: Surface, which: int = 0, limit: float | None = None
) -> go.Figure:
    """The same in three dimensions; the black line is the decision boundary, as high as the loss."""
    x, y = found.axis, found.axis[found.rows]
    figure = go.Figure(
        go.Surface(
            z=found.loss, x=x, y=y, colorscale="Cividis", cmin=0.0,
            cmax=limit or float(found.loss.max()), showscale=False,
            hovertemplate="%{x:.2f} δ, %{y:.2f} across<br>loss %{z:.3f}<extra></extra>",
        )
    )  # fmt: skip
    middle = int(np.abs(y).argmin())
    line = found.loss[middle]
    on = (x >= 0) & (x <= 1)
    figure.add_scatter3d(
        x=x[on], y=np.zeros(on.sum()), z=line[on] + 0.02 * float(found.loss.max()), mode="lines",
        line={"color": AHEAD, "width": 8}, showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    edge = crossings(found)
    if len(edge):
        figure.add_scatter3d(
            x=edge[:, 0], y=edge[:, 1], z=edge[:, 2] + 0.01 * float(found.loss.max()),
            mode="markers", marker={"color": "#000000", "size": 3}, showlegend=False,
            hovertemplate="decision boundary<extra></extra>",
        )  # fmt: skip
    plain = {"showbackground": False, "color": NEUTRAL, "gridcolor": NEUTRAL}
    figure.update_layout(
        scene={
            "xaxis": plain | {"title": {"text": "along δ"}},
            "yaxis": plain | {"title": {"text": "across"}},
            "zaxis": plain | {"title": {"text": "loss"}, "range": [0, limit or None]},
            "aspectmode": "manual", "aspectratio": {"x": 1, "y": 1, "z": 0.7},
            "camera": {"eye": {"x": -1.5, "y": -1.5, "z": 0.9}},
        },
    )  # fmt: skip
    finish(figure, 420)
    figure.update_layout(margin={"t": 0, "b": 0}, dragmode="orbit")
    return figure


def crossings(found: Surface) -> np.ndarray:
    """(N,3) points (a, b, loss) where the margin changes sign between neighbours of a row."""
    x, y = found.axis, found.axis[found.rows]
    points = []
    for r, row in enumerate(found.margin):
        for k in np.flatnonzero(np.signbit(row[:-1]) != np.signbit(row[1:])):
            share = row[k] / (row[k] - row[k + 1])
            loss = found.loss[r, k] + share * (found.loss[r, k + 1] - found.loss[r, k])
            points.append((x[k] + share * (x[k + 1] - x[k]), y[r], loss))
    return np.array(points).reshape(-1, 3)


def surface_sentence(record: AttackRecord, found: Surface) -> str:
    """How much of the picture, and of the ball in it, lies beyond the boundary."""
    start = int(record.clean.argmax())
    beyond, inside = found.margin < 0, found.share <= 1
    near = float(beyond[inside].mean()) if inside.any() else 0.0
    return (
        f"Random direction {found.seed + 1}: {percent(float(beyond.mean()))} of the picture and"
        f" {percent(near)} of the ε ball in it are read"
        f" otherwise than {record.label_names[start]}; loss from {number(float(found.loss.min()))} to"
        f" {number(float(found.loss.max()))}."
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


def lines(records: Sequence[AttackRecord], found: Sequence[Line]) -> go.Figure:
    """Loss on the straight way to δ and beyond, and at the attack's own steps, by length."""
    figure = go.Figure()
    for i, (record, one) in enumerate(zip(records, found, strict=True)):
        colour, shape, dash = SIDES[i]
        name = f"{'ABC'[i]}: {label(record.model, 30)}"
        figure.add_scatter(
            x=one.t, y=one.loss, mode="lines", name=f"{name}, straight",
            line={"color": colour, "dash": dash, "width": 2.5},
            hovertemplate="%{x:.2f} × δ, straight: loss %{y:.3f}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=one.path_length, y=one.path_loss, mode="lines+markers", name=f"{name}, path",
            line={"color": colour, "width": 1, "dash": "dot"},
            marker={"symbol": f"{shape}-open", "size": 8, "color": colour},
            hovertemplate="step as long as %{x:.2f} × δ: loss %{y:.3f}<extra></extra>",
        )  # fmt: skip
        flips = np.flatnonzero(one.margin < 0)
        if len(flips):
            at = int(flips[0])
            figure.add_scatter(
                x=[one.t[at]], y=[one.loss[at]], mode="markers", showlegend=False,
                marker={"symbol": "x", "size": 12, "color": colour},
                hovertemplate="the straight line is flipped from %{x:.2f} × δ on<extra></extra>",
            )  # fmt: skip
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_xaxes(title={"text": "length (1 is ‖δ‖)"}, nticks=8, zeroline=False)
    figure.update_yaxes(title={"text": "loss, nats"}, rangemode="tozero", nticks=5)
    return finish(figure, 330, legend_rows=2 * len(records))


def line_sentence(record: AttackRecord, found: Line) -> str:
    """Whether the way is a ramp or has bumps, and how straight the attack walked."""
    reach = found.loss[found.t <= 1 + 1e-9]
    falls = float(np.clip(-np.diff(reach), 0, None).sum())
    rise = float(reach.max() - reach[0])
    kept = int(np.flatnonzero(record.path_steps == record.best_step)[0])
    before = found.path_length[: kept + 1]
    straight = found.path_along[: kept + 1]
    way = "rises all the way" if falls <= 0.01 * max(rise, 1e-9) else "rises and falls"
    off = np.sqrt(np.clip(before**2 - straight**2, 0, None)).max(initial=0.0)
    return (
        f"On the straight line to δ the loss {way}; the attack's own path strays"
        f" {percent(float(off))} of ‖δ‖ from it at most."
    )


def line_columns(found: Line) -> Columns:
    """One row a point of the straight line."""
    return {
        "× δ": found.t.tolist(), "loss, nats": found.loss.tolist(),
        "margin, logits": found.margin.tolist(),
    }  # fmt: skip


def distances(found: Distances, name: str, which: int = 0) -> go.Figure:
    """Distance to the own row and to rivals as δ grows; the exit is where they cross."""
    colour = SIDES[which][0]
    figure = go.Figure()
    for k, rival in enumerate(found.rivals):
        last = bool(found.becomes) and rival == found.becomes
        figure.add_scatter(
            x=found.t, y=found.far[k], mode="lines", showlegend=False,
            line={"color": NEUTRAL, "width": 2.5 if last else 1,
                  "dash": "dash" if last else "solid"},
            opacity=1.0 if last else 0.6,
            hovertemplate=f"{label(rival)}: %{{y:.3f}} raw at %{{x:.3g}} × δ<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=found.t, y=found.own, mode="lines", name=f"to ‘{label(name)}’ itself",
        line={"color": colour, "width": 3},
        hovertemplate="own vector: %{y:.3f} raw at %{x:.3g} × δ<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[None], y=[None], mode="lines", line={"color": NEUTRAL, "width": 1},
        name=f"to its {len(found.rivals)} rivals",
    )  # fmt: skip
    if np.isfinite(found.exit) and found.exit <= found.t[-1]:
        height = float(np.interp(found.exit, found.t, found.own))
        figure.add_scatter(
            x=[found.exit], y=[height], mode="markers+text", showlegend=False,
            marker={"symbol": "x", "size": 12, "color": AHEAD},
            text=[f"{label(found.becomes, 14)}, {number(found.exit)} × δ"],
            textposition="top left", cliponaxis=False,
            hovertemplate="from here on it reads as another token<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_xaxes(
        title={"text": "factor on δ (1 is δ)"}, range=[0, found.t[-1]], nticks=7, zeroline=False
    )
    figure.update_yaxes(title={"text": "distance, raw"}, rangemode="tozero", nticks=6)
    return finish(figure, 340, legend_rows=1)


def distance_columns(found: Distances) -> Columns:
    """One row a factor."""
    table: Columns = {"× δ": found.t.tolist(), "own, raw": found.own.tolist()}
    for rival, values in zip(found.rivals, found.far, strict=True):
        while rival in table:
            rival += "′"
        table[rival] = values.tolist()
    return table


WIDE = 600  # pixels: the width in which the arrow's length is told


def context(record: AttackRecord, found: Map, which: int = 0) -> go.Figure:
    """The vocabulary in its two main axes, the sentence in it; arrows are δ, as short as they are."""
    colour = SIDES[which][0]
    figure = go.Figure(
        go.Scatter(
            x=found.words[:, 0], y=found.words[:, 1], mode="markers", name="vocabulary (a sample)",
            marker={"color": NEUTRAL, "size": 4, "opacity": 0.35}, hoverinfo="skip",
        )
    )  # fmt: skip
    moved = np.flatnonzero(record.delta_norm > 0)
    for t in moved:
        figure.add_scatter(
            x=[found.tokens[t, 0], found.moved[t, 0]], y=[found.tokens[t, 1], found.moved[t, 1]],
            mode="lines", line={"color": AHEAD, "width": 2}, showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        x=found.tokens[:, 0], y=found.tokens[:, 1], mode="markers+text", name="the sentence",
        text=tokens_of(record), textposition="top center", textfont={"size": 11},
        marker={"color": colour, "size": 8}, hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title={"text": "first axis"}, nticks=6, zeroline=False)
    figure.update_yaxes(
        title={"text": "second axis"}, scaleanchor="x", scaleratio=1, nticks=6, zeroline=False
    )
    return finish(figure, 420, legend_rows=1)


def context_sentence(record: AttackRecord, found: Map) -> str:
    """What share of δ the map shows, and how long its longest arrow is on the screen."""
    points = np.concatenate([found.words, found.tokens])
    width = float(np.ptp(points[:, 0])) or 1.0
    longest = int(record.delta_norm.argmax())
    drawn = float(np.linalg.norm(found.moved[longest] - found.tokens[longest]))
    return (
        f"Context only: these two axes hold {percent(found.variance)} of the vocabulary's variance and"
        f" {percent(found.energy)} of ‖δ‖². On {WIDE} pixels the longest δ, of"
        f" ‘{record.tokens[longest]}’, is an arrow of {number(WIDE * drawn / width)} pixels."
    )


def context_columns(record: AttackRecord, found: Map) -> Columns:
    """One row a token: where it is on the map, and where δ takes it."""
    return {
        "token": list(record.tokens),
        "x": found.tokens[:, 0].tolist(),
        "y": found.tokens[:, 1].tolist(),
        "x with δ": found.moved[:, 0].tolist(),
        "y with δ": found.moved[:, 1].tolist(),
    }
