"""Attack records as Plotly figures: predictions, δ per token, loss.

Records in, figures out. Backgrounds are transparent and fonts are left to the page's theme. All text
that came from a user or a tokenizer is escaped, because Plotly reads some HTML in labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.pictures.sentences import percent
from advlab.pictures.style import CLASSES, CLEAR, NEUTRAL, SHAPES, label, side
from advlab.pictures.tables import conditions
from advlab.records import AttackRecord


def tokens_of(record: AttackRecord) -> list[str]:
    """The tokens as labels."""
    return [label(t, 14) for t in record.tokens]


def predictions(record: AttackRecord) -> go.Figure:
    """One row a version of the sentence, one mark a class; the band is the range of the draws."""
    rows = conditions(record)
    names = list(rows)
    C = len(record.label_names)
    # classes get a height of their own within the row, so that equal values do not hide each other
    offsets = np.linspace(0.22, -0.22, C) if C > 1 else np.zeros(1)
    y = np.arange(len(names))[::-1]
    figure = go.Figure()
    noise_row = y[names.index("random noise")]
    for c, name in enumerate(record.label_names):
        colour = CLASSES[c % len(CLASSES)]
        if len(record.random):
            low, high = float(record.random[:, c].min()), float(record.random[:, c].max())
            figure.add_scatter(
                x=[low, high],
                y=[noise_row + offsets[c]] * 2,
                mode="lines",
                line={"color": colour, "width": 9},
                opacity=0.35,
                showlegend=False,
                hovertemplate=f"{label(name)}, {len(record.random)} draws:"
                f" {percent(low)} to {percent(high)}<extra></extra>",
            )
        values = np.array([p[c] for p in rows.values()])
        top = [int(p.argmax()) == c for p in rows.values()]
        figure.add_scatter(
            x=values,
            y=y + offsets[c],
            mode="markers",
            name=label(name),
            opacity=1.0,
            marker={
                "color": colour,
                "size": [13 if t else 9 for t in top],
                "opacity": 1.0,
                "symbol": SHAPES[c % len(SHAPES)],
            },
            customdata=names,
            hovertemplate=f"%{{customdata}}<br>{label(name)}: %{{x:.1%}}<extra></extra>",
        )
        # the number stands on the right where there is room and it does not cross the dotted line
        crosses = (values < 1 / C) & (values > 1 / C - 0.2) & (values > 0.2)
        inward = np.where((values > 0.82) | crosses, -1, 1)
        edge = values.copy()
        if len(record.random):  # beside the band, not on it
            noise = names.index("random noise")
            edge[noise] = low if inward[noise] < 0 else high
        figure.add_scatter(
            x=edge + 0.045 * inward,
            y=y + offsets[c],
            mode="text",
            showlegend=False,
            text=[f"<b>{percent(v)}</b>" if t else "" for v, t in zip(values, top, strict=True)],
            textposition=["middle left" if k < 0 else "middle right" for k in inward],
            hoverinfo="skip",
        )
    figure.add_vline(x=1 / C, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_yaxes(tickvals=y, ticktext=names, range=[-0.6, len(names) - 0.4], zeroline=False)
    figure.update_xaxes(
        range=[-0.03, 1.03], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%", zeroline=False
    )
    finish(figure, 44 * len(names) + 40, legend_rows=1 + C // 3)
    figure.update_layout(margin={"t": 6})  # no title above
    return figure


def attacked_title(records: Sequence[AttackRecord]) -> str:
    """‘P(positive)’, or each model's own class where these differ."""
    names = [label(r.label_names[r.label], 14) for r in list(records)[:3]]
    if len(set(names)) == 1:
        return f"P({names[0]})"
    return ", ".join(side(i, f"P({n})") for i, n in enumerate(names))


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
