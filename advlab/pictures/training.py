"""A run's events as training curves: losses, accuracy, lengths, throughput, and what they come to.

Events in, Plotly figures out, as plain dicts: they cost the server less per refresh than figure
objects, and need no import of Plotly. `Standing` is a run in numbers, for lists and tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from advlab.language import _
from advlab.pictures.style import CLEAN, DASHES, NEUTRAL, PERTURBED, RUNS, SHAPES, label
from advlab.records import Estimate, Event
from advlab.runs.folder import timeline
from advlab.runs.standing import as_estimate, guessing

Figure = dict[str, Any]

POINTS = 400  # at most so many a line: more cannot be seen and cost time


# -- figures of one run ------------------------------------------------------------------------


def losses(events: Sequence[Event]) -> Figure:
    """Clean and adversarial training loss against the step; the dotted line is chance, ln C."""
    rows = _steps(events)
    figure = frame(_("step"), _("loss (nats)"))
    for name, title, colour, dash in (
        ("clean_loss", _("clean"), CLEAN, "solid"),
        ("adv_loss", _("adversarial"), PERTURBED, "dash"),
    ):
        points = [(e.step, e.values[name]) for e in rows if _number(e.values.get(name))]
        if not points:
            continue
        x, y = _thin(points)
        figure["data"] += [
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": y,
                "opacity": 0.3,
                "line": {"color": colour, "width": 1},
                "hoverinfo": "skip",
                "showlegend": False,
            },
            {
                "type": "scatter",
                "mode": _mode(x),
                "name": title,
                "x": x,
                "y": smooth(y),
                "line": {"color": colour, "width": 2.5, "dash": dash},
                "hovertemplate": f"{_('step')} %{{x}}<br>{title} %{{y:.3f}}<extra></extra>",
            },
        ]
    if (chance := guessing(events)) > 0:
        _level(figure, chance, _("chance"))
    figure["layout"]["yaxis"]["rangemode"] = "tozero"
    return figure


def accuracy(events: Sequence[Event]) -> Figure:
    """Validation accuracy after each epoch, clean and under attack, with Wilson 95 % bands.

    The dotted line is the share of the most frequent answer; the star marks the epoch kept.
    """
    rows = [e for e in timeline(events) if e.kind == "epoch"]
    start = _first(events, "start")
    figure = frame(_("epoch"), _("accuracy"))
    eps = start.get("eval_eps")
    attacked = _("under PGD-5, ε = {eps:g}", eps=eps) if _number(eps) else _("under attack")
    for name, title, colour, shape, dash in (
        ("clean_accuracy", _("clean"), CLEAN, "circle", "solid"),
        ("robust_accuracy", attacked, PERTURBED, "diamond", "dash"),
    ):
        points = [(e.values.get("epoch", 0), as_estimate(e.values.get(name)), e) for e in rows]
        points = [(x, rate, e) for x, rate, e in points if rate is not None]
        if not points:
            continue
        _band(figure, [x for x, __, __ in points], [rate for __, rate, __ in points], colour)
        figure["data"].append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": title,
                "x": [x for x, __, __ in points],
                "y": [rate.value for __, rate, __ in points],
                "line": {"color": colour, "width": 2.5, "dash": dash},
                "marker": {"color": colour, "size": 8, "symbol": shape},
                "customdata": [[rate.low, rate.high, rate.n] for __, rate, __ in points],
                "hovertemplate": _(
                    "epoch %{{x}}<br>{title} %{{y:.1%}}<br>95 % interval %{{customdata[0]:.1%}} to"
                    " %{{customdata[1]:.1%}}, %{{customdata[2]}} texts<extra></extra>",
                    title=title,
                ),
            }
        )
        kept = [(x, rate.value) for x, rate, e in points if e.values.get("best")][-1:]
        figure["data"] += [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [x],
                "y": [y],
                "showlegend": False,
                "marker": {"color": colour, "size": 17, "symbol": "star"},
                "hoverinfo": "skip",
            }
            for x, y in kept
        ]
    majority = next((e.values["majority"] for e in rows if "majority" in e.values), None)
    majority = start.get("majority") if majority is None else majority
    if _number(majority):
        _level(figure, float(majority), _("most frequent answer"))
    _percent_axis(figure)
    figure["layout"]["xaxis"] |= _epochs(start.get("epochs"), rows)
    return figure


def lengths(events: Sequence[Event]) -> Figure:
    """Mean ‖δ‖ of a text beside the mean length of a word vector, both L2 in embedding units."""
    rows = _steps(events)
    figure = frame(_("step"), _("length (embedding units)"))
    for name, title, colour, dash in (
        ("delta_norm", _("‖δ‖ of a text"), PERTURBED, "solid"),
        ("embed_norm", _("a word vector"), CLEAN, "dash"),
    ):
        points = [(e.step, e.values[name]) for e in rows if _number(e.values.get(name))]
        if points:
            x, y = _thin(points)
            figure["data"].append(line(x, y, title, colour, dash, ".3f"))
    figure["layout"]["yaxis"]["rangemode"] = "tozero"
    return figure


def throughput(events: Sequence[Event]) -> Figure:
    """Texts per second since training began, against the step."""
    points = [
        (e.step, e.values["texts_per_second"])
        for e in _steps(events)
        if _number(e.values.get("texts_per_second"))
    ]
    figure = frame(_("step"), _("texts per second"))
    if points:
        x, y = _thin(points)
        figure["data"].append(line(x, y, _("texts per second"), NEUTRAL, "solid", ".0f"))
    figure["layout"]["yaxis"]["rangemode"] = "tozero"
    figure["layout"]["showlegend"] = False
    return figure


# -- several runs ------------------------------------------------------------------------------


def compare_accuracy(runs: Sequence[tuple[str, Sequence[Event]]]) -> Figure:
    """Clean (hollow, dotted) and robust (filled) accuracy of several runs against the epoch."""
    figure = frame(_("epoch"), _("accuracy"))
    last = 1
    for i, (name, events) in enumerate(runs):
        rows = [e for e in timeline(events) if e.kind == "epoch"]
        colour, shape = RUNS[i % len(RUNS)], SHAPES[i % len(SHAPES)]
        for key, title, dash, hollow in (
            ("clean_accuracy", _("clean"), "dot", True),
            ("robust_accuracy", _("under attack"), "solid", False),
        ):
            points = [(e.values.get("epoch", 0), as_estimate(e.values.get(key))) for e in rows]
            x = [x for x, rate in points if rate is not None]
            y = [rate.value for __, rate in points if rate is not None]
            last = max([last, *x])
            shown = f"{label(name, 32)}: {title}"
            figure["data"].append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": label(name, 32),
                    "x": x,
                    "y": y,
                    "legendgroup": str(i),
                    "showlegend": not hollow,
                    "line": {"color": colour, "dash": dash, "width": 2.5},
                    "marker": {"symbol": shape + ("-open" if hollow else ""), "size": 9},
                    "hovertemplate": f"{shown}<br>{_('epoch')} %{{x}}: %{{y:.1%}}<extra></extra>",
                }
            )
    _percent_axis(figure)
    figure["layout"]["xaxis"] |= _epochs(last, ())
    return figure


def compare_losses(runs: Sequence[tuple[str, Sequence[Event]]]) -> Figure:
    """Smoothed clean training loss of several runs against the step."""
    figure = frame(_("step"), _("clean loss (nats)"))
    for i, (name, events) in enumerate(runs):
        points = [
            (e.step, e.values["clean_loss"])
            for e in _steps(events)
            if _number(e.values.get("clean_loss"))
        ]
        if points:
            x, y = _thin(points)
            dash = list(DASHES)[i % 4]
            colour = RUNS[i % len(RUNS)]
            figure["data"].append(line(x, smooth(y), label(name, 32), colour, dash, ".3f"))
    figure["layout"]["yaxis"]["rangemode"] = "tozero"
    return figure


# -- small parts -------------------------------------------------------------------------------


def smooth(values: Sequence[float], span: float = 8.0) -> list[float]:
    """An exponential mean over about `span` points that has no lag at the start."""
    keep, total, weight, out = 1.0 - 1.0 / span, 0.0, 0.0, []
    for value in values:
        total, weight = keep * total + value, keep * weight + 1.0
        out.append(total / weight)
    return out


def _steps(events: Sequence[Event]) -> list[Event]:
    return [e for e in timeline(events) if e.kind == "step"]


def _first(events: Sequence[Event], kind: str) -> Mapping[str, Any]:
    return next((e.values for e in events if e.kind == kind), {})


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _thin(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """At most POINTS of them, evenly spaced, the last always kept."""
    stride = max(1, -(-len(points) // POINTS))
    kept = list(points[::stride])
    if kept[-1] != points[-1]:
        kept.append(points[-1])
    return [x for x, __ in kept], [y for __, y in kept]


def frame(x: str, y: str) -> Figure:
    """An empty figure with its axes named."""
    return {
        "data": [],
        "layout": {
            "height": 300,
            "margin": {"l": 8, "r": 12, "t": 36, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "hovermode": "closest",
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "xaxis": {"title": {"text": x}, "automargin": True, "zeroline": False},
            "yaxis": {"title": {"text": y}, "automargin": True, "zeroline": False},
            "shapes": [],
            "annotations": [],
        },
    }


def line(
    x: Sequence[float], y: list[float], name: str, colour: str, dash: str, form: str
) -> Figure:
    """A line against the step; `form` is how the values read on hover."""
    return {
        "type": "scatter",
        "mode": _mode(x),
        "name": name,
        "x": list(x),
        "y": y,
        "line": {"color": colour, "width": 2.5, "dash": dash},
        "hovertemplate": f"{_('step')} %{{x}}<br>{name} %{{y:{form}}}<extra></extra>",
    }


def _mode(x: Sequence[float]) -> str:
    return "lines" if len(x) > 2 else "lines+markers"  # a line through one point is not seen


def _band(figure: Figure, x: list[float], rates: list[Estimate], colour: str) -> None:
    if all(rate.n == 0 for rate in rates):
        return
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    figure["data"].append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": [*x, *reversed(x)],
            "y": [rate.high for rate in rates] + [rate.low for rate in reversed(rates)],
            "fill": "toself",
            "fillcolor": f"rgba({r},{g},{b},0.16)",
            "line": {"width": 0},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    )


def _level(figure: Figure, y: float, text: str) -> None:
    """A dotted line across the whole width, named at its right end."""
    layout = figure["layout"]
    layout["shapes"].append(
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": y,
            "y1": y,
            "line": {"color": NEUTRAL, "width": 1.5, "dash": "dot"},
        }
    )
    layout["annotations"].append(
        {
            "xref": "paper",
            "x": 1,
            "y": y,
            "text": text,
            "showarrow": False,
            "xanchor": "right",
            "yanchor": "bottom",
            "font": {"color": NEUTRAL, "size": 12},
        }
    )


def _percent_axis(figure: Figure) -> None:
    figure["layout"]["yaxis"] |= {"range": [0, 1.03], "tickformat": ".0%", "dtick": 0.25}


def _epochs(epochs: Any, rows: Sequence[Event]) -> dict[str, Any]:
    last = int(epochs) if _number(epochs) else max(len(rows), 1)
    return {"range": [0.7, last + 0.3], "dtick": max(1, -(-last // 10)), "tick0": 1}
