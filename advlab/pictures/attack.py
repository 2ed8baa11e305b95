"""The two charts of a saved sentence: probability against ε, and where δ sits.

They take plain arrays, so that a capsule from elsewhere and a record of here are drawn the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.language import _
from advlab.pictures.base import finish
from advlab.pictures.style import NEUTRAL, SIDES, faded, label

ROWS = 60  # tokens shown; of longer texts those with the longest δ


def curve(
    eps: np.ndarray,
    score: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    own: float,
    norm: float,
    reference: str,
) -> go.Figure:
    """The reference's score (N,) against ε, over the band from `low` to `high` of noise as long.

    `eps` (N,) and `own`, the attack's, are raw; `norm` is the mean length of a word vector.
    """
    x = eps / norm
    colour = SIDES[0][0]
    figure = go.Figure()
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=faded(NEUTRAL, 0.3),
        line={"width": 0},
        name=_("random noise as long"),
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=x,
        y=score,
        mode="lines",
        name=_("the attack"),
        line={"color": colour, "width": 2.5},
        hovertemplate=_("ε = %{x:.3f} × mean norm: %{y:.1%}<extra></extra>"),
    )
    figure.add_vline(x=own / norm, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(title={"text": _("ε (× mean norm); dashed: the attack's")}, nticks=8)
    figure.update_yaxes(
        range=[-0.02, 1.02],
        tickformat=".0%",
        nticks=5,
        title={"text": f"P({label(reference, 14)})"},
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
        hovertemplate=_("%{customdata}: %{y:.3f} × mean norm<extra></extra>"),
    )
    figure.update_xaxes(
        tickvals=np.arange(len(rows)), ticktext=[label(name, 14) for name in names], tickangle=-45
    )
    figure.update_yaxes(title={"text": _("‖δ‖ (× mean norm)")}, rangemode="tozero", nticks=5)
    return finish(figure, 280)
