"""Words by methods, words by layers: attributions as figures.

Signed values are blue for and orange against, symmetric about 0; magnitudes are Cividis. Every cell
has its number. No torch, no streamlit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from advlab.plots import DIVERGING, finish, label
from advlab.records import Layers, Saliency
from advlab.story import number, percent, signed

SHOWN = {"both": ("clean", "perturbed"), "difference": ("pert. − clean",)}


def cells(found: Saliency, rows: str = "words", shown: str = "both") -> np.ndarray:
    """One method as columns (R,2): clean and perturbed, or (R,1): their difference.

    `rows`: words, or tokens with the special ones.
    """
    clean, moved = (
        (found.words_clean, found.words_adversarial)
        if rows == "words"
        else (found.clean, found.adversarial)
    )
    if shown == "difference":
        return (moved - clean)[:, None].astype(float)
    return np.stack([clean, moved], axis=1).astype(float)


def limits(
    sets: Sequence[Sequence[Saliency]], rows: str = "words", shown: str = "both"
) -> list[float]:
    """The largest |value| of each method over several models: a shared scale. 1 where all are 0."""
    found = []
    for same in zip(*sets, strict=True):
        values = np.concatenate([np.abs(cells(s, rows, shown)).ravel() for s in same])
        values = values[np.isfinite(values)]
        found.append(float(values.max()) if values.size and values.max() > 0 else 1.0)
    return found


def attributions(
    maps: Sequence[Saliency],
    names: Sequence[str],
    scale: Sequence[float],
    *,
    rows: str = "words",
    shown: str = "both",
    titles: Sequence[str] | None = None,
) -> go.Figure:
    """Words (or tokens) down, methods across, each with its own colour range (`scale`)."""
    words = [label(w, 16) for w in names]
    titles = titles or [s.title or s.method for s in maps]
    figure = make_subplots(
        rows=1, cols=len(maps), shared_yaxes=True, horizontal_spacing=0.02,
        subplot_titles=[label(t, 40).replace(" ", "<br>", 1) for t in titles],
    )  # fmt: skip
    short = ["clean", "pert."] if shown == "both" else ["change"]
    for column, (found, limit) in enumerate(zip(maps, scale, strict=True), start=1):
        values = cells(found, rows, shown)
        signs = found.signed or shown == "difference"
        figure.add_trace(
            _heat(values, words, short, limit, signs, titles[column - 1]), row=1, col=column
        )
        figure.update_xaxes(
            row=1, col=column, tickvals=list(range(len(short))), ticktext=short, side="bottom",
            showgrid=False,
        )  # fmt: skip
    return _rows(figure, words)


def layers(found: Layers, words: Sequence[str], *, perturbed: bool = False) -> go.Figure:
    """Gradient norms at each layer's input, as shares of the layer, and attention rollout.

    Shares, because the size of a gradient grows or shrinks from layer to layer for all words alike.
    """
    names = [*(label(w, 16) for w in words), "special tokens"]
    norms = found.gradients_adversarial if perturbed else found.gradients_clean
    rolled = found.rollout_adversarial if perturbed else found.rollout_clean
    whole = norms.sum(1, keepdims=True)
    parts = [("Gradient norm", norms / np.where(whole > 0, whole, 1), 0)]
    if rolled is not None:
        parts.append(("Attention rollout", rolled, 1))
    figure = make_subplots(
        rows=1, cols=len(parts), shared_yaxes=True, horizontal_spacing=0.04,
        subplot_titles=[title for title, _, _ in parts],
    )  # fmt: skip
    for column, (title, values, first) in enumerate(parts, start=1):
        ticks = [str(k + first) if k + first else "emb." for k in range(len(values))]
        shares = values.T  # (W+1,L)
        crowded = shares.shape[1] > 7
        # the colours are for the words: special tokens often hold most of a layer
        figure.add_trace(
            go.Heatmap(
                z=shares, x=list(range(len(values))), y=list(range(len(names))), zmin=0.0,
                zmax=float(shares[:-1].max(initial=0.0)) or 1.0, colorscale="Cividis",
                showscale=False, xgap=1, ygap=1,
                text=[[f"{100 * v:.0f}" for v in row] for row in shares],
                texttemplate="" if crowded else "%{text}", textfont={"size": 11},
                customdata=[
                    [f"{name}, layer {t}: {percent(float(v))}" for t, v in zip(ticks, row, strict=True)]
                    for name, row in zip(names, shares, strict=True)
                ],
                hovertemplate=f"%{{customdata}}<extra>{title}</extra>",
            ),
            row=1, col=column,
        )  # fmt: skip
        figure.update_xaxes(
            row=1, col=column, tickvals=list(range(len(values))), ticktext=ticks, showgrid=False,
            title={"text": "layer, % of its total"},
        )  # fmt: skip
    _rows(figure, names)
    figure.update_layout(margin={"t": 30})
    return figure


def _heat(
    values: np.ndarray, words: list[str], short: list[str], limit: float, signs: bool, title: str
) -> go.Heatmap:
    # as many decimals as the largest value of the scale needs for two or three digits
    digits = int(np.clip(1 - np.floor(np.log10(limit)), 2 if limit < 10 else 0, 4))
    plus, write = ("+", signed) if signs else ("", number)

    def said(v: float) -> str:
        return f"{v:{plus}.{digits}f}".replace("-", "−") if np.isfinite(v) else "–"

    return go.Heatmap(
        z=values, x=list(range(len(short))), y=list(range(len(words))), showscale=False, xgap=2,
        ygap=1, zmin=-limit if signs else 0.0, zmax=limit,
        colorscale=[list(stop) for stop in DIVERGING] if signs else "Cividis",
        text=[[said(v) for v in row] for row in values], texttemplate="%{text}",
        textfont={"size": 11},
        customdata=[
            [f"{w}, {s}: {write(float(v))}" for s, v in zip(short, row, strict=True)]
            for w, row in zip(words, values, strict=True)
        ],
        hovertemplate=f"%{{customdata}}<extra>{label(title, 40)}</extra>",
    )  # fmt: skip


def _rows(figure: go.Figure, words: Sequence[str]) -> go.Figure:
    W = len(words)
    figure.update_yaxes(
        tickvals=list(range(W)), ticktext=list(words), autorange="reversed", showgrid=False,
        ticks="", tickfont={"size": 12},
    )  # fmt: skip
    finish(figure, 110 + 24 * max(W, 2), legend_rows=0)
    figure.update_layout(margin={"t": 56})
    figure.update_annotations(font={"size": 12})
    return figure
