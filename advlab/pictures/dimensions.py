"""δ by token and dimension: a picture, its sentence and its numbers. No torch, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from advlab.language import _
from advlab.pictures.attributions import rows_down
from advlab.pictures.sentences import of_text, percent, signed
from advlab.pictures.style import DIVERGING, label
from advlab.pictures.tables import Columns
from advlab.records import AttackRecord

TOP = 32  # dimensions of δ that are drawn


def delta_order(record: AttackRecord, top: int = TOP) -> np.ndarray:
    """The dimensions that hold most of ‖δ‖², largest first."""
    return (-(record.delta.astype(float) ** 2).sum(0)).argsort(kind="stable")[:top]


def delta_limit(record: AttackRecord) -> float:
    """Largest |δ| of any token and dimension, raw units; 1 where δ is zero."""
    return float(np.abs(record.delta).max()) or 1.0


def delta(record: AttackRecord, limit: float | None = None) -> go.Figure:
    """Tokens by the dimensions with most of δ, and each token's share that these leave out.

    What δ is never added to, as the tokens of a written answer, has no row.
    """
    limit = limit or delta_limit(record)
    rows = of_text(record)
    dims, names = delta_order(record), [label(record.tokens[t], 14) for t in rows]
    values = record.delta[np.ix_(rows, dims)].astype(float)
    figure = make_subplots(
        rows=1,
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.02,
        column_widths=[0.9, 0.1],
        subplot_titles=["", _("rest")],
    )
    figure.add_trace(
        go.Heatmap(
            z=values,
            x=list(range(len(dims))),
            y=list(range(len(names))),
            zmin=-limit,
            zmax=limit,
            colorscale=[list(stop) for stop in DIVERGING],
            showscale=False,
            customdata=[
                [
                    _("{n}, dimension {d}: {signed} raw", n=n, d=d, signed=signed(float(v)))
                    for d, v in zip(dims, row, strict=True)
                ]
                for n, row in zip(names, values, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    figure.add_trace(_rest(residual(record)[rows]), row=1, col=2)
    marks = list(range(0, len(dims), 8))
    figure.update_xaxes(
        row=1,
        col=1,
        tickvals=marks,
        ticktext=[str(k + 1) for k in marks],
        showgrid=False,
        title={"text": _("rank of the dimension")},
    )
    figure.update_xaxes(row=1, col=2, tickvals=[0], ticktext=["%"], showgrid=False)
    rows_down(figure, names)
    figure.update_layout(margin={"t": 30})
    return figure


def _rest(left: np.ndarray) -> go.Heatmap:
    """One column: the shares (T,) in other dimensions, in per cent; empty where there is no δ."""
    return go.Heatmap(
        z=left[:, None],
        x=[0],
        y=list(range(len(left))),
        zmin=0.0,
        zmax=1.0,
        colorscale="Cividis",
        showscale=False,
        text=[[f"{100 * v:.0f}" if v == v else ""] for v in left],
        texttemplate="%{text}",
        textfont={"size": 11},
        hovertemplate=_("%{text} % in other dimensions<extra></extra>"),
    )


def residual(record: AttackRecord, top: int = TOP) -> np.ndarray:
    """(T,) share of each token's ‖δ‖² outside the dimensions that are drawn; NaN where δ is 0."""
    squares = record.delta.astype(float) ** 2
    total = squares.sum(1)
    kept = squares[:, delta_order(record, top)].sum(1)
    return np.where(total > 0, 1 - kept / np.where(total > 0, total, 1.0), np.nan).clip(0, 1)


def delta_sentence(record: AttackRecord) -> str:
    """How much of δ the drawn dimensions hold, and how many hold half of it."""
    squares = np.sort((record.delta.astype(float) ** 2).sum(0))[::-1]
    total = squares.sum()
    if total == 0:
        return _("δ is zero.")
    shares = squares.cumsum() / total
    half = int(np.searchsorted(shares, 0.5)) + 1
    top = min(TOP, len(squares))
    return _(
        "{top} of {n} dimensions hold {share} of ‖δ‖²; half of it is in {half}.",
        top=top,
        n=len(squares),
        share=percent(float(shares[top - 1])),
        half=half,
    )


def delta_columns(record: AttackRecord) -> Columns:
    """One row a token: δ in the drawn dimensions, and the share that they leave out."""
    dims, left = delta_order(record), residual(record)
    found: Columns = {
        "token": list(record.tokens),
        "rest, share": [float(v) if v == v else None for v in left],
    }
    for d in dims:
        found[_("dim {d}, raw", d=d)] = record.delta[:, d].astype(float).tolist()
    return found
