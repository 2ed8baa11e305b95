"""Replaced words as a picture: the rise in loss that the gradient promises against the real one."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from advlab.language import _
from advlab.pictures.base import finish
from advlab.pictures.sentences import percent, signed
from advlab.pictures.style import NEUTRAL, SIDES, label
from advlab.pictures.tables import Columns
from advlab.pictures.wording import said
from advlab.records import AttackRecord, Substitutions
from advlab.records.estimates import rank_correlation

BEST = 8  # rows of the table


def estimates(
    record: AttackRecord,
    found: Substitutions,
    which: int = 0,
    span: tuple[float, float, float, float] | None = None,
) -> go.Figure:
    """Estimated (x) against real rise in loss (y), nats; on the dotted line the estimate is right.

    Filled marks flip the prediction. `span`: left, right, bottom, top, where models share the axes.
    """
    colour, shape, __ = SIDES[which]
    left, right, bottom, top = span or reach(found)
    low, high = max(left, bottom), min(right, top)
    figure = go.Figure()
    figure.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        name=_("estimate is right"),
        hoverinfo="skip",
        line={"color": NEUTRAL, "width": 1, "dash": "dot"},
    )
    flips = found.reading.broken
    for chosen, name, symbol in (
        (~flips, _("same prediction"), f"{shape}-open"),
        (flips, _("other prediction"), shape),
    ):
        figure.add_scatter(
            x=found.estimates[chosen],
            y=found.rises[chosen],
            mode="markers",
            name=name,
            marker={"symbol": symbol, "size": 8, "color": colour},
            customdata=[
                f"{label(record.tokens[found.places[k]])} → {label(found.words[k])}"
                for k in np.flatnonzero(chosen)
            ],
            hovertemplate=_(
                "%{customdata}<br>estimated %{x:+.3f}, really %{y:+.3f} nats<extra></extra>"
            ),
        )
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1})
    figure.update_xaxes(
        title={"text": _("estimated rise in loss, nats")},
        range=[left, right],
        nticks=6,
        zeroline=False,
    )
    figure.update_yaxes(
        title={"text": _("real rise, nats")}, range=[bottom, top], nticks=6, zeroline=False
    )
    return finish(figure, 340, legend_rows=2)


def reach(found: Substitutions) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of one picture, nats; 0 is always in it."""
    ends = []
    for values in (found.estimates, found.rises):
        values = np.append(values, 0.0)
        pad = 0.08 * float(np.ptp(values)) or 1.0
        ends += [float(values.min()) - pad, float(values.max()) + pad]
    return ends[0], ends[1], ends[2], ends[3]


def swap_sentence(record: AttackRecord, found: Substitutions) -> str:
    """How far the gradient may be believed, and what the best replacement does."""
    K = len(found.words)
    if not K:
        return _("There is no word here that another could replace.")
    way = -1.0 if record.attack.get("targeted") else 1.0
    real = way * found.rises
    best = int(real.argmax())
    rank = 1 + int((real > real[0]).sum())
    flips = int(found.reading.broken.sum())
    rho = rank_correlation(found.estimates, found.rises)
    order = (
        _(" Estimates and real changes agree in order by ρ = {rho:.2f}.", rho=rho).replace("-", "−")
        if rho is not None
        else ""
    )
    return _(
        "Of {possible:,} single replacements the gradient's best {k} were tried: "
        "{flips} change the prediction. Its first choice, ‘{first}’, is number "
        "{rank} of {k} in truth; the best is ‘{best}’, {rise} nats, read as "
        "{answer} ({sure}).{replace}",
        possible=found.possible,
        k=K,
        flips=flips,
        first=_pair(record, found, 0),
        rank=rank,
        best=_pair(record, found, best),
        rise=signed(float(found.rises[best])),
        answer=said(record, found.reading.answers[best]),
        sure=percent(float(found.reading.sure[best])),
        replace=order.replace("-", "−"),
    )


def swap_columns(record: AttackRecord, found: Substitutions, count: int | None = BEST) -> Columns:
    """One row a replacement, the really best first: both rises, and what the model then says."""
    way = -1.0 if record.attack.get("targeted") else 1.0
    order = (-way * found.rises).argsort(kind="stable")[:count]
    return {
        "replaced": [record.tokens[found.places[k]] for k in order],
        "by": [found.words[k] for k in order],
        "real rise, nats": [float(found.rises[k]) for k in order],
        "prediction": [found.reading.answers[k] for k in order],
        "probability": [float(found.reading.sure[k]) for k in order],
        "estimated rise, nats": [float(found.estimates[k]) for k in order],
        "rank by estimate": [int(k) + 1 for k in order],
        "loss, nats": [found.start + float(found.rises[k]) for k in order],
    }


def _pair(record: AttackRecord, found: Substitutions, k: int) -> str:
    return f"{record.tokens[found.places[k]]} → {found.words[k]}"
