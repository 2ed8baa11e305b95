"""Does a run converge? Both players' losses and the gradient's norm, from its diary."""

from __future__ import annotations

from collections.abc import Sequence

from advlab.language import _
from advlab.pictures.style import CLEAN, NEUTRAL, PERTURBED
from advlab.pictures.training import Figure, frame, line, smooth
from advlab.records import Event
from advlab.runs.standing import inner_gain, judged, series


def players(events: Sequence[Event]) -> Figure:
    """Clean and perturbed loss, smoothed, and what lies between: the inner gain."""
    rows = judged(events)
    x = [e.step for e in rows]
    figure = frame(_("step"), _("loss (nats)"))
    for name, title, colour, dash in (
        ("clean_loss", _("clean loss: the outer player"), CLEAN, "solid"),
        ("adv_loss", _("perturbed loss: after the inner player"), PERTURBED, "dash"),
    ):
        values = series(rows, name)
        if len(values) == len(x) and x:
            figure["data"].append(line(x, smooth(values), title, colour, dash, ".3f"))
    gain = inner_gain(rows)
    if len(gain) == len(x) and x:
        figure["data"].append(line(x, smooth(gain), _("inner gain"), NEUTRAL, "dot", ".3f"))
    figure["layout"]["yaxis"]["rangemode"] = "tozero"
    _full_eps(figure, rows)
    return figure


def gradients(events: Sequence[Event]) -> Figure:
    """The norm of the parameters' gradient before clipping."""
    rows = judged(events)
    figure = frame(_("step"), _("gradient norm"))
    values = series(rows, "grad_norm")
    if values:
        x = [e.step for e in rows]
        figure["data"].append(line(x, smooth(values), _("gradient norm"), CLEAN, "solid", ".3f"))
        _full_eps(figure, rows)
    return figure


def _full_eps(figure: Figure, rows: Sequence[Event]) -> None:
    """A line where ε has reached its full value."""
    begun = next((e.step for e in rows if e.values.get("strength", 0.0) >= 1.0), None)
    if begun is None or not rows or begun == rows[0].step:
        return
    figure["layout"]["shapes"] = [
        {
            "type": "line",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "x0": begun,
            "x1": begun,
            "line": {"color": NEUTRAL, "width": 1, "dash": "dot"},
        }
    ]
    figure["layout"]["annotations"] = [
        {
            "x": begun,
            "yref": "paper",
            "y": 1,
            "text": _("full ε"),
            "showarrow": False,
            "xanchor": "left",
            "yanchor": "top",
            "font": {"color": NEUTRAL, "size": 12},
        }
    ]
