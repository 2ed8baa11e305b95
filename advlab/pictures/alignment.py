"""Which source words each written token is due to: cross-attention beside input × gradient."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from advlab.language import N_, _
from advlab.pictures.attributions import rows_down
from advlab.pictures.sentences import percent
from advlab.pictures.style import label
from advlab.pictures.tables import Columns
from advlab.records import Alignment

TITLES = (N_("cross-attention"), N_("input × gradient"))


def alignment(found: Alignment) -> go.Figure:
    """One row a written token, one column a word of the source; both pictures from 0 to 1."""
    names = [label(w, 14) for w in found.written]
    words = [label(w, 14) for w in found.words]
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, subplot_titles=[_(title) for title in TITLES]
    )
    for k, (title, values) in enumerate(_both(found), start=1):
        heat = go.Heatmap(
            z=values,
            x=list(range(len(words))),
            y=list(range(len(names))),
            zmin=0.0,
            zmax=1.0,
            colorscale="Cividis",
            showscale=False,
            xgap=1,
            ygap=1,
            customdata=[
                [
                    _("{n} from {w}: {percent}", n=n, w=w, percent=percent(float(v)))
                    for w, v in zip(words, row, strict=True)
                ]
                for n, row in zip(names, values, strict=True)
            ],
            hovertemplate=f"%{{customdata}}<extra>{_(title)}</extra>",
        )
        figure.add_trace(heat, row=1, col=k)
        figure.update_xaxes(
            row=1, col=k, tickvals=list(range(len(words))), ticktext=words, tickangle=-60
        )
    return rows_down(figure, names)


def alignment_sentence(found: Alignment) -> str:
    """Whether the two agree about the strongest word, and how often each errs where that is known."""
    same = int((found.attention.argmax(1) == found.gradient.argmax(1)).sum())
    text = _(
        "They name the same strongest word for {same} of {n_written} written tokens.",
        same=same,
        n_written=len(found.written),
    )
    left = float(1 - found.attention.sum(1).mean())
    text += _(
        " {percent} of the attention is on no word (the end, marks).",
        percent=percent(max(left, 0.0)),
    )
    if found.attention_error is not None and found.gradient_error is not None:
        text += _(
            " Against the true alignment attention errs for {attention} of the tokens, "
            "input × gradient for {gradient}.",
            attention=percent(found.attention_error),
            gradient=percent(found.gradient_error),
        )
    return text


def alignment_columns(found: Alignment) -> Columns:
    """One row a written token: its strongest word by each, and how strong."""
    table: Columns = {"written": list(found.written)}
    for title, values in _both(found):
        table[_("{title}: word", title=_(title))] = [found.words[w] for w in values.argmax(1)]
        table[_("{title}: share", title=_(title))] = values.max(1).tolist()
    return table


def _both(found: Alignment) -> list[tuple[str, np.ndarray]]:
    return list(zip(TITLES, (found.attention, found.gradient), strict=True))
