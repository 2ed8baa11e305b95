"""The two charts of a saved sentence: probability against ε, and where δ sits.

They take plain arrays, so that a capsule from elsewhere and a record of here are drawn the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.capsule.format import Capsule
from advlab.pictures.base import finish
from advlab.pictures.style import NEUTRAL, SIDES, faded, label
from advlab.records import AttackRecord

ROWS = 60  # tokens shown; of longer texts those with the longest δ


def curve(found: Capsule | AttackRecord) -> go.Figure:
    """Probability of the attacked class against ε, over the band of random noise as long."""
    if isinstance(found, Capsule):
        n, c = found.numbers, found.attacked
        x, line = n["curve_eps"], n["curve_adversarial"][:, c]
        low, high = n["curve_low"][:, c], n["curve_high"][:, c]
        norm = found.mean_norm
    else:
        c, norm = found.label, found.scale.mean_norm
        x, line = found.curve.eps, found.curve.adversarial[:, c]
        low, high = found.curve.random_low[:, c], found.curve.random_high[:, c]
    x = x / norm
    colour = SIDES[0][0]
    figure = go.Figure()
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=faded(NEUTRAL, 0.3),
        line={"width": 0},
        name="random noise as long",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=x,
        y=line,
        mode="lines",
        name="the attack",
        line={"color": colour, "width": 2.5},
        hovertemplate="ε = %{x:.3f} × mean norm: %{y:.1%}<extra></extra>",
    )
    figure.add_vline(x=found.eps / norm, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(title={"text": "ε (× mean norm); dashed: the attack's"}, nticks=8)
    figure.update_yaxes(
        range=[-0.02, 1.02],
        tickformat=".0%",
        nticks=5,
        title={"text": f"P({label(found.label_names[c], 14)})"},
    )
    return finish(figure, 300, legend_rows=2)


def bars(tokens: Sequence[str], sizes: np.ndarray, words: np.ndarray) -> go.Figure:
    """‖δ‖ of each token in × mean norm; `words` (T,) are those that may be attacked."""
    rows = np.flatnonzero(words)
    rows = np.sort(rows[(-sizes[rows]).argsort(kind="stable")[:ROWS]])
    names = [tokens[int(t)] for t in rows]
    figure = go.Figure()
    figure.add_bar(
        # numbered, since equal tokens would share a bar
        x=np.arange(len(rows)),
        y=sizes[rows],
        marker={"color": SIDES[0][0]},
        customdata=[label(name) for name in names],
        hovertemplate="%{customdata}: %{y:.3f} × mean norm<extra></extra>",
    )
    figure.update_xaxes(
        tickvals=np.arange(len(rows)), ticktext=[label(name, 14) for name in names], tickangle=-45
    )
    figure.update_yaxes(title={"text": "‖δ‖ (× mean norm)"}, rangemode="tozero", nticks=5)
    return finish(figure, 280)
