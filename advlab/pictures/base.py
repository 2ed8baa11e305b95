"""What the figures share: colours and shapes, labels, layout.

Records in, figures out. Backgrounds are transparent and fonts are left to the page's theme. All text
that came from a user or a tokenizer is escaped, because Plotly reads some HTML in labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from advlab.pictures.style import CLEAR, NEUTRAL, label, side
from advlab.pictures.wording import reference_of
from advlab.records import AttackRecord


def tokens_of(record: AttackRecord) -> list[str]:
    """The tokens as labels."""
    return [label(t, 14) for t in record.tokens]


def attacked_title(records: Sequence[AttackRecord]) -> str:
    """‘P(positive)’, or each model's own answer where these differ."""
    names = [label(reference_of(r, 14), 16) for r in list(records)[:3]]
    if len(set(names)) == 1:
        return f"P({names[0]})"
    return ", ".join(side(i, f"P({n})") for i, n in enumerate(names))


def square(
    figure: go.Figure,
    across: tuple[float, float],
    up: tuple[float, float],
    titles: tuple[str, str],
    ticks: int,
) -> None:
    """Axes on which a length is as long in both directions, from and to the given values."""
    shared = {"constrain": "domain", "nticks": ticks, "zeroline": False, "showgrid": False}
    figure.update_xaxes(range=across, title={"text": titles[0]}, **shared)
    figure.update_yaxes(
        range=up, title={"text": titles[1]}, scaleanchor="x", scaleratio=1, **shared
    )


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
