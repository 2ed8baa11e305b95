"""One figure in which ε follows the hand: probability against ε, and ‖δ‖ per token at that ε.

All values of ε are computed before; the slider moves Plotly frames in the browser and asks nothing
of the server.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from advlab.plots import (
    CLEAR,
    NEUTRAL,
    SIDES,
    attacked_title,
    faded,
    finish,
    label,
    side,
    tokens_of,
)
from advlab.records import AttackRecord
from advlab.story import number, percent


def scrubber(records: Sequence[AttackRecord], frames: int = 25) -> go.Figure:
    """Probability of the attacked class against ε, and ‖δ‖ per token at the ε under the cursor.

    The slider moves Plotly frames in the browser: dragging asks nothing of the server. Both axes
    count in each model's own mean word-vector norm, so that two models compare; hovers give raw.
    """
    records = list(records)[:3]
    top = max(float(r.curve.eps[-1]) / r.scale.mean_norm for r in records)
    grid = np.linspace(0.0, top, frames)
    rows = 1 + len(records)
    figure = make_subplots(
        rows=rows, cols=1, vertical_spacing=0.17 if rows == 3 else 0.24,
        row_heights=[0.5] + [0.5 / len(records)] * len(records),
        subplot_titles=[
            attacked_title(records),
            *(f"{side(i, r)} · ‖δ‖ per token" for i, r in enumerate(records)),
        ],
    )  # fmt: skip
    for i, record in enumerate(records):
        _curves(figure, i, record)
    moving: list[int] = []  # traces that frames replace, in the order of `_moment`
    own = max(r.eps / r.scale.mean_norm for r in records)
    active = int(np.abs(grid - own).argmin())  # the slider starts at the attack's own ε
    start = _moment(records, grid[active], top)
    for trace, row in zip(start, [1, 1, *range(2, rows + 1)][-len(start) :], strict=True):
        moving.append(len(figure.data))  # type: ignore[arg-type]
        figure.add_trace(trace, row=row, col=1)
    figure.frames = [
        go.Frame(name=f"{k}", data=_moment(records, eps, top), traces=moving)
        for k, eps in enumerate(grid)
    ]
    tallest = max(float(r.curve.delta_norm.max()) / r.scale.mean_norm for r in records) or 1.0
    for i, record in enumerate(records):
        ticks = [label(t, 10) for t in record.tokens]
        every = max(1, len(ticks) // 40)
        figure.update_xaxes(
            row=2 + i, col=1, tickvals=list(range(0, len(ticks), every)),
            ticktext=ticks[::every], autotickangles=[0, 60, 90], tickfont={"size": 12},
            showgrid=False,
        )  # fmt: skip
        figure.update_yaxes(row=2 + i, col=1, range=[0, 1.08 * tallest], nticks=4)
    figure.update_yaxes(row=1, col=1, range=[-0.12, 1.1], tickformat=".0%", nticks=5)
    figure.update_xaxes(
        row=1, col=1, range=[-0.02 * top, 1.02 * top],
        title={"text": "ε (× mean norm)", "standoff": 2, "font": {"size": 12}},
    )  # fmt: skip
    steps = [
        {
            "label": _eps_text(records, eps),
            "method": "animate",
            "args": [
                [f"{k}"],
                {
                    "mode": "immediate",
                    "transition": {"duration": 0},
                    "frame": {"duration": 0, "redraw": False},
                },
            ],
        }
        for k, eps in enumerate(grid)
    ]
    figure.update_layout(
        barmode="overlay",
        sliders=[{
            "active": active, "x": 0, "len": 1, "y": 0, "yanchor": "top", "steps": steps,
            "pad": {"t": 76, "b": 0, "l": 8, "r": 8}, "transition": {"duration": 0},
            "bgcolor": faded(NEUTRAL, 0.25), "bordercolor": NEUTRAL,
            # tick labels would be 25 long lines: only the current value is written
            "font": {"color": CLEAR, "size": 1}, "ticklen": 0, "minorticklen": 0,
            "currentvalue": {
                "font": {"size": 14, "color": NEUTRAL}, "xanchor": "left", "offset": 12,
            },
        }],
    )  # fmt: skip
    finish(figure, 360 + 210 * len(records), legend_rows=3)
    figure.update_layout(margin={"b": 76 + 90 + 60})
    # titles begin at the left, where a phone has room for a model's whole name
    figure.update_annotations(font={"size": 13}, x=0, xanchor="left")
    return figure


def _curves(figure: go.Figure, i: int, record: AttackRecord) -> None:
    """Row 1 of the scrubber for one model: band, mean noise, attack, flip point."""
    colour, _, dash = SIDES[i]
    curve, c = record.curve, record.label
    x = curve.eps / record.scale.mean_norm
    raw = [number(v) for v in curve.eps]
    name = side(i, record)
    for values, fill in ((curve.random_high, None), (curve.random_low, "tonexty")):
        figure.add_scatter(
            x=x, y=values[:, c], mode="lines", line={"width": 0}, fill=fill, hoverinfo="skip",
            fillcolor=faded(colour, 0.22), name=f"{'ABC'[i]} random noise",
            showlegend=fill is not None, row=1, col=1,
        )  # fmt: skip
    figure.add_scatter(
        x=x, y=curve.adversarial[:, c], mode="lines", name=f"{'ABC'[i]} attacked",
        line={"color": colour, "width": 2.5, "dash": dash}, customdata=raw,
        hovertemplate="ε = %{x:.3f} × mean norm (%{customdata} raw)<br>%{y:.1%}"
        f"<extra>{name}</extra>",
        row=1, col=1,
    )  # fmt: skip
    if curve.flip_eps is not None:
        at = curve.flip_eps / record.scale.mean_norm
        figure.add_scatter(
            x=[at], y=[float(np.interp(curve.flip_eps, curve.eps, curve.adversarial[:, c]))],
            mode="markers", name=f"{'ABC'[i]} flips", customdata=[number(curve.flip_eps)],
            marker={"symbol": "x", "size": 12, "color": colour, "line": {"width": 1}},
            hovertemplate="flips at ε = %{x:.3f} × mean norm (%{customdata} raw)<extra></extra>",
            row=1, col=1,
        )  # fmt: skip


def _beside(points: Sequence[float], at: float) -> list[str]:
    """Where each point's number stands: off its own falling curve, and off the other number.

    That is above on the right; of two points close together, the lower one's is below on the left.
    Near an end of the axis all stand on its inner side. `at` is from 0 to 1.
    """
    higher = int(np.argmax(points))
    near = len(points) == 2 and abs(points[0] - points[1]) < 0.15
    places = []
    for i in range(len(points)):
        low = near and i != higher
        inner = "right" if at < 0.12 else "left" if at > 0.85 else "left" if low else "right"
        places.append(f"{'bottom' if low else 'top'} {inner}")
    return places


def _moment(records: Sequence[AttackRecord], eps: float, top: float) -> list[go.Scatter | go.Bar]:
    """The traces that depend on ε (× mean norm): cursor, points on the curves, bars."""
    points = [
        float(np.interp(eps * r.scale.mean_norm, r.curve.eps, r.curve.adversarial[:, r.label]))
        for r in records
    ]
    traces: list[go.Scatter | go.Bar] = [
        go.Scatter(
            x=[eps, eps], y=[-0.02, 1.1], mode="lines", showlegend=False, hoverinfo="skip",
            line={"color": NEUTRAL, "width": 1.5},
        ),
        go.Scatter(
            x=[eps] * len(points), y=points, mode="markers+text", showlegend=False,
            hoverinfo="skip", text=[f"<b>{percent(p)}</b>" for p in points],
            textposition=_beside(points, eps / top if top else 0.0), cliponaxis=False,
            textfont={"color": [SIDES[i][0] for i in range(len(points))]},
            marker={
                "size": 11, "color": [SIDES[i][0] for i in range(len(points))],
                "symbol": [SIDES[i][1] for i in range(len(points))],
            },
        ),
    ]  # fmt: skip
    for i, record in enumerate(records):
        raw = eps * record.scale.mean_norm
        norms = np.array([np.interp(raw, record.curve.eps, d) for d in record.curve.delta_norm.T])
        traces.append(
            go.Bar(
                x=list(range(len(norms))), y=norms / record.scale.mean_norm, showlegend=False,
                marker={"color": SIDES[i][0]}, customdata=_pairs(record, norms),
                hovertemplate="%{customdata[0]}<br>‖δ‖ = %{customdata[1]} raw<extra></extra>",
            )
        )  # fmt: skip
    return traces


def _pairs(record: AttackRecord, norms: np.ndarray) -> list[list[str]]:
    return [[t, number(v)] for t, v in zip(tokens_of(record), norms, strict=True)]


def _eps_text(records: Sequence[AttackRecord], eps: float) -> str:
    """ε in its three units: × mean norm for all, the others once a model where they differ."""
    lines = []
    for record in records:
        u = record.scale.units(eps * record.scale.mean_norm)
        lines.append(f"{number(u['raw'])} raw = {number(u['half-nn'])} × half-NN")
    if len(set(lines)) > 1:
        lines = [f"{'ABC'[i]}: {line}" for i, line in enumerate(lines)]
    return "<br>".join([f"<b>ε = {number(eps)} × mean norm</b>", *dict.fromkeys(lines)])
