"""Words by methods and by layers: attributions as figures.

Signed values are purple for and green against, symmetric about 0; magnitudes are Cividis. Every cell
has its number. No torch, no streamlit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from advlab.language import N_, _
from advlab.pictures.base import finish
from advlab.pictures.sentences import number, percent, signed
from advlab.pictures.style import DIVERGING, label
from advlab.pictures.tables import Columns
from advlab.records import Layers, Saliency

# what stands in the columns of one method; the difference has a sign even where the method has none
SHOWN = {
    "all": (N_("clean"), N_("pert."), N_("diff.")),
    "both": (N_("clean"), N_("pert.")),
    "difference": (N_("diff."),),
}
CROWDED = 7  # columns from which layers' pictures stand below each other


def cells(found: Saliency, rows: str = "words", shown: str = "both") -> np.ndarray:
    """One method as columns (R,2): clean and perturbed, (R,1): their difference, or (R,3): all.

    `rows`: words, or tokens with the special ones; `shown`: one of `SHOWN`.
    """
    clean, moved = (one.words if rows == "words" else one.tokens for __, one in found.versions)
    if shown == "difference":
        return (moved - clean)[:, None].astype(float)
    columns = [clean, moved, moved - clean] if shown == "all" else [clean, moved]
    return np.stack(columns, axis=1).astype(float)


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
    titles = titles or [_(s.title) or s.method for s in maps]
    figure = make_subplots(
        rows=1,
        cols=len(maps),
        shared_yaxes=True,
        horizontal_spacing=0.02,
        subplot_titles=[label(t, 40).replace(" ", "<br>", 1) for t in titles],
    )
    short = [_(name) for name in SHOWN[shown]]
    for column, (found, limit) in enumerate(zip(maps, scale, strict=True), start=1):
        values = cells(found, rows, shown)
        # one range for clean, perturbed and their difference
        last = len(short) if found.signed or shown == "both" else len(short) - 1
        for first, end, signs in ((0, last, found.signed), (last, len(short), True)):
            if first < end:
                figure.add_trace(
                    _heat(
                        values[:, first:end],
                        words,
                        short[first:end],
                        limit,
                        signs,
                        titles[column - 1],
                        first,
                    ),
                    row=1,
                    col=column,
                )
        figure.update_xaxes(
            row=1,
            col=column,
            tickvals=list(range(len(short))),
            ticktext=short,
            side="bottom",
            showgrid=False,
        )
    return rows_down(figure, words)


def layer_limits(found: Sequence[Layers], *, perturbed: bool = False) -> tuple[float, float]:
    """The largest share of a word in any layer, of gradients and of rollout: a shared scale."""
    tops = [0.0, 0.0]
    for one in found:
        for k, values in enumerate(_layer_shares(one, perturbed)):
            if values is not None:
                tops[k] = max(tops[k], float(values[:, :-1].max(initial=0.0)))
    return tops[0] or 1.0, tops[1] or 1.0


def _layer_shares(found: Layers, perturbed: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Gradient norms (L+1,W+1) as shares of their layer, and attention rollout (L,W+1)."""
    norms = found.gradients_adversarial if perturbed else found.gradients_clean
    whole = norms.sum(1, keepdims=True)
    rolled = found.rollout_adversarial if perturbed else found.rollout_clean
    return norms / np.where(whole > 0, whole, 1), rolled


def layer_columns(
    found: Layers, words: Sequence[str], rest: str, *, perturbed: bool = False
) -> Columns:
    """One row a word and a last one for the `rest` of the tokens: its share of each layer."""
    columns: Columns = {"word": [*words, f"({rest})"]}
    shares, rolled = _layer_shares(found, perturbed)
    for k, row in enumerate(shares):
        name = _("gradient, layer {k}", k=k) if k else _("gradient, embeddings")
        columns[name] = row.tolist()
    for k, row in enumerate([] if rolled is None else rolled, start=1):
        columns[_("rollout, layer {k}", k=k)] = row.tolist()
    return columns


def layers(
    found: Layers,
    words: Sequence[str],
    rest: str,
    *,
    perturbed: bool = False,
    scale: tuple[float, float] | None = None,
) -> go.Figure:
    """Gradient norms at each layer's input, as shares of the layer, and attention rollout.

    Shares, because the size of a gradient grows or shrinks from layer to layer for all words alike.
    `rest` names the tokens that are no words. `scale` (from `layer_limits`) is shared by several
    models. Deep models get the two below each other, so that every cell keeps its number.
    """
    names = [*(label(w, 16) for w in words), rest]
    shares, rolled = _layer_shares(found, perturbed)
    tops = scale or layer_limits([found], perturbed=perturbed)
    parts = [(_("Gradient norm"), shares, 0)]
    if rolled is not None:
        parts.append((_("Attention rollout"), rolled, 1))
    crowded = len(shares) > CROWDED
    n = len(parts)
    figure = make_subplots(
        rows=n if crowded else 1,
        cols=1 if crowded else n,
        shared_yaxes=not crowded,
        horizontal_spacing=0.04,
        vertical_spacing=0.14,
        subplot_titles=[p[0] for p in parts],
    )
    for k, (title, values, first) in enumerate(parts):
        row, column = (k + 1, 1) if crowded else (1, k + 1)
        ticks = [str(j + first) if j + first else _("emb.") for j in range(len(values))]
        heat = _layer_heat(values, names, ticks, tops[k], title, 10 if crowded else 11)
        figure.add_trace(heat, row=row, col=column)
        figure.update_xaxes(
            row=row,
            col=column,
            tickvals=list(range(len(values))),
            ticktext=ticks,
            showgrid=False,
            title={"text": _("layer, % of its total")},
        )
    rows_down(figure, names)
    figure.update_layout(margin={"t": 30})
    if crowded:
        figure.update_layout(height=n * (90 + 24 * max(len(names), 2)))
    return figure


def _layer_heat(
    values: np.ndarray,
    names: Sequence[str],
    ticks: Sequence[str],
    top: float,
    title: str,
    size: int,
) -> go.Heatmap:
    """Shares (L,W+1) with words down and layers across, in per cent and letters of a size.

    `top`: the share at the end of the colours, which are for the words: special tokens often hold most
    of a layer.
    """
    across = values.T  # (W+1,L)
    return go.Heatmap(
        z=across,
        x=list(range(len(ticks))),
        y=list(range(len(names))),
        zmin=0.0,
        zmax=top,
        colorscale="Cividis",
        showscale=False,
        xgap=1,
        ygap=1,
        text=[[f"{100 * v:.0f}" for v in row] for row in across],
        texttemplate="%{text}",
        textfont={"size": size},
        customdata=[
            [_told(name, t, float(v)) for t, v in zip(ticks, row, strict=True)]
            for name, row in zip(names, across, strict=True)
        ],
        hovertemplate=f"%{{customdata}}<extra>{title}</extra>",
    )


def _told(name: str, layer: str, share: float) -> str:
    """What the pointer is told of a word at a layer, or at the embeddings before them."""
    if layer.isdecimal():
        return _("{name}, layer {t}: {percent}", name=name, t=layer, percent=percent(share))
    return _("{name}, embeddings: {percent}", name=name, percent=percent(share))


def _heat(
    values: np.ndarray,
    words: list[str],
    short: Sequence[str],
    limit: float,
    signs: bool,
    title: str,
    first: int = 0,
) -> go.Heatmap:
    """Columns of one method, the first of them at place `first`."""
    # as many decimals as the largest value of the scale needs for two or three digits
    digits = int(np.clip(1 - np.floor(np.log10(limit)), 2 if limit < 10 else 0, 4))
    plus, write = ("+", signed) if signs else ("", number)

    def said(v: float) -> str:
        return f"{v:{plus}.{digits}f}".replace("-", "−") if np.isfinite(v) else "–"

    return go.Heatmap(
        z=values,
        x=[first + k for k in range(len(short))],
        y=list(range(len(words))),
        showscale=False,
        xgap=2,
        ygap=1,
        zmin=-limit if signs else 0.0,
        zmax=limit,
        colorscale=[list(stop) for stop in DIVERGING] if signs else "Cividis",
        text=[[said(v) for v in row] for row in values],
        texttemplate="%{text}",
        textfont={"size": 11},
        customdata=[
            [
                _("{w}, {s}: {value}", w=w, s=s, value=write(float(v)))
                for s, v in zip(short, row, strict=True)
            ]
            for w, row in zip(words, values, strict=True)
        ],
        hovertemplate=f"%{{customdata}}<extra>{label(title, 40)}</extra>",
    )


def rows_down(figure: go.Figure, words: Sequence[str]) -> go.Figure:
    """Names down the side, the first at the top, and room for them."""
    W = len(words)
    figure.update_yaxes(
        tickvals=list(range(W)),
        ticktext=list(words),
        autorange="reversed",
        showgrid=False,
        ticks="",
        tickfont={"size": 12},
    )
    finish(figure, 110 + 24 * max(W, 2), legend_rows=0)
    figure.update_layout(margin={"t": 56})
    figure.update_annotations(font={"size": 12})
    return figure
