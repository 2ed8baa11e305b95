"""What the figures share: colours and shapes, labels, layout.

Records in, figures out. Backgrounds are transparent and fonts are left to the page's theme; colours
are Okabe and Ito's, and every colour has a second sign (shape, dash or number). All text that came
from a user or a tokenizer is escaped, because Plotly reads some HTML in labels.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import plotly.graph_objects as go

from advlab.records import AttackRecord

SIDES = (  # models A, B and C
    ("#0072B2", "circle", "solid"),
    ("#D55E00", "diamond", "dash"),
    ("#009E73", "square", "dot"),
)
CLASSES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
SHAPES = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "hexagon")
NEUTRAL = "#808080"  # visible on white and on near-black
DIVERGING = ((0.0, "#f59322"), (0.5, "#e8eaeb"), (1.0, "#0877bd"))
CLEAR = "rgba(0,0,0,0)"


def label(text: str, limit: int = 24) -> str:
    """Text fit for a Plotly label: escaped, without line breaks, cut with an ellipsis."""
    text = " ".join(text.split()) or "␣"
    return html.escape(text if len(text) <= limit else text[: limit - 1] + "…", quote=False)


def tokens_of(record: AttackRecord) -> list[str]:
    """The tokens as labels."""
    return [label(t, 14) for t in record.tokens]


def attacked_title(records: Sequence[AttackRecord]) -> str:
    """‘P(positive)’, or each model's own answer where these differ."""
    names = [label(r.reference, 14) for r in list(records)[:3]]
    if len(set(names)) == 1:
        return f"P({names[0]})"
    return ", ".join(f"{'ABC'[i]}: P({n})" for i, n in enumerate(names))


def side(i: int, record: AttackRecord) -> str:
    """‘A: plain’: how a model is called in a figure that shows two."""
    return f"{'ABC'[i]}: {label(record.model, 34)}"


def faded(colour: str, alpha: float) -> str:
    """A hex colour with an opacity."""
    r, g, b = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"


def finish(figure: go.Figure, height: int, *, legend_rows: int = 0) -> go.Figure:
    """What all figures share: transparent, small margins, the legend below, no drag.

    `legend_rows` reserves room at the foot, counted for a phone's width.
    """
    figure.update_layout(
        height=height + 22 * legend_rows,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        dragmode=False,
        margin={"l": 8, "r": 8, "t": 30, "b": 30 + 22 * legend_rows},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "title": {"text": ""},
            "traceorder": "normal",
        },
        hoverlabel={"align": "left"},
        modebar={"bgcolor": CLEAR, "color": NEUTRAL},
    )
    figure.update_xaxes(automargin=True, fixedrange=True)
    figure.update_yaxes(automargin=True, fixedrange=True)
    return figure
