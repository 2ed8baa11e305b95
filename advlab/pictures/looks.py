"""What runs told at each look while they trained: accuracy, and the ε that flips a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from advlab.language import _
from advlab.pictures.style import RUNS, SHAPES, label, side
from advlab.pictures.tables import Columns
from advlab.pictures.training import Figure, frame
from advlab.records import Event
from advlab.runs.folder import timeline
from advlab.runs.standing import as_estimate

Named = Sequence[tuple[str, Sequence[Event]]]  # each run with its events


def looks(events: Sequence[Event]) -> list[Event]:
    """The looks of a run, as one unbroken run."""
    return [e for e in timeline(events) if e.kind == "look"]


def accuracy(runs: Named) -> Figure:
    """Accuracy of the held-out texts against the step: under attack filled, clean hollow and dotted."""
    figure = frame(_("step"), _("accuracy"))
    for i, (name, events) in enumerate(runs):
        for key, dash, hollow in (
            ("clean_accuracy", "dot", True),
            ("robust_accuracy", "solid", False),
        ):
            found = [(e.step, as_estimate(e.values.get(key))) for e in looks(events)]
            points = [(step, rate.value) for step, rate in found if rate is not None]
            shown = _("clean") if hollow else _("under attack")
            figure["data"].append(_line(i, name, points, dash, hollow, f"{shown} %{{y:.1%}}"))
    figure["layout"]["yaxis"] |= {"range": [0, 1.03], "tickformat": ".0%", "dtick": 0.25}
    return figure


def flips(runs: Named, farthest: float) -> Figure:
    """The smallest ε that flips the sentence against the step; at `farthest` where none tried did."""
    figure = frame(_("step"), _("ε, × mean norm"))
    for i, (name, events) in enumerate(runs):
        rows = [e for e in looks(events) if "margin" in e.values]
        points = [(e.step, _flip(e, farthest)) for e in rows]
        figure["data"].append(_line(i, name, points, "solid", False, "ε %{y:.3f}"))
    figure["layout"]["yaxis"]["rangemode"] = "tozero"
    return figure


def columns(events: Sequence[Event]) -> Columns:
    """One row for each look."""
    rows = looks(events)

    def rate(name: str) -> list[float | None]:
        found = (as_estimate(e.values.get(name)) for e in rows)
        return [None if one is None else one.value for one in found]

    return {
        _("step"): [e.step for e in rows],
        _("clean accuracy"): rate("clean_accuracy"),
        _("robust accuracy"): rate("robust_accuracy"),
        _("answer"): [str(e.values.get("answer", "")) for e in rows],
        _("margin"): [e.values.get("margin") for e in rows],
        _("flips at ε, × mean norm"): [e.values.get("flip_eps") for e in rows],
    }


def _flip(event: Event, farthest: float) -> float:
    found = event.values.get("flip_eps")
    return farthest if found is None else float(found)


def _line(
    i: int, name: str, points: Sequence[tuple[int, float]], dash: str, hollow: bool, hover: str
) -> Figure:
    colour, shape = RUNS[i % len(RUNS)], SHAPES[i % len(SHAPES)]
    shown = label(side(i, name), 32)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": shown,
        "x": [x for x, _y in points],
        "y": [y for _x, y in points],
        "legendgroup": str(i),
        "showlegend": not hollow,
        "line": {"color": colour, "dash": dash, "width": 2.5},
        "marker": {"color": colour, "symbol": shape + ("-open" if hollow else ""), "size": 8},
        "hovertemplate": f"{shown}<br>{_('step')} %{{x}}: {hover}<extra></extra>",
    }
