"""Does training converge? Both players' losses, what the attack adds, gradient norms: from a diary.

The stretch at full ε is cut in four; the last quarter is compared with the one before. Events in,
numbers and figures out, without torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advlab.curves import ADVERSARIAL, CLEAN, THIRD, Figure, smooth
from advlab.records import Event
from advlab.runs import timeline

FLAT = 0.05  # a change below this share of the level is no trend, however sure
NOISY = 0.2  # two standard errors above this share of the level hide one


@dataclass(frozen=True)
class Trend:
    """One figure in the third and in the last quarter of the stretch at full ε."""

    name: str
    before: float
    after: float
    error: float  # standard error of the difference

    @property
    def verdict(self) -> str:
        """“falls” or “rises” beyond two errors and 5 % of the level; else “level”, or “unclear”.

        Unclear: two errors are more than a fifth of the level, so a real change could hide in them.
        """
        change = self.after - self.before
        level = max(abs(self.before), abs(self.after), 1e-9)
        if abs(change) > max(2 * self.error, FLAT * level):
            return "falls" if change < 0 else "rises"
        return "unclear" if 2 * self.error > NOISY * level else "level"


@dataclass(frozen=True)
class Convergence:
    """Where both players of a run stood at its end."""

    trends: tuple[Trend, ...]
    validation: tuple[tuple[int, float, float], ...]  # epoch, clean and robust accuracy
    best_epoch: int | None
    sentence: str


def convergence(events: Sequence[Event]) -> Convergence:
    """Judge a run by its diary. Without enough steps at full ε the sentence says so."""
    rows = _rows(events)
    full = [e for e in rows if e.values.get("strength", 1.0) >= 1.0] or rows
    quarter = len(full) // 4
    series = {
        "clean loss": _values(full, "clean_loss"),
        "perturbed loss": _values(full, "adv_loss"),
        "inner gain": _gain(full),
        "gradient norm": _values(full, "grad_norm"),
    }
    trends = tuple(
        _trend(name, values[-2 * quarter : -quarter], values[-quarter:])
        for name, values in series.items()
        if quarter >= 3 and len(values) == len(full)
    )
    epochs = [e for e in timeline(events) if e.kind == "epoch"]
    validation = tuple(
        (
            int(e.values["epoch"]),
            float(e.values["clean_accuracy"]["value"]),
            float(e.values["robust_accuracy"]["value"]),
        )
        for e in epochs
    )
    best = [int(e.values["epoch"]) for e in epochs if e.values.get("best")]
    kept = best[-1] if best else None
    return Convergence(trends, validation, kept, _sentence(trends, validation, kept))


def _rows(events: Sequence[Event]) -> list[Event]:
    return [e for e in timeline(events) if e.kind == "step" and "clean_loss" in e.values]


def _values(rows: Sequence[Event], name: str) -> list[float]:
    found = [e.values.get(name) for e in rows]
    return [float(v) for v in found if isinstance(v, int | float) and math.isfinite(v)]


def _gain(rows: Sequence[Event]) -> list[float]:
    return [e.values["adv_loss"] - e.values["clean_loss"] for e in rows if "adv_loss" in e.values]


def _trend(name: str, before: Sequence[float], after: Sequence[float]) -> Trend:
    a, b = np.asarray(before), np.asarray(after)
    error = math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return Trend(name, float(a.mean()), float(b.mean()), error)


def _sentence(
    trends: Sequence[Trend], validation: Sequence[tuple[int, float, float]], kept: int | None
) -> str:
    if not trends:
        return (
            "Too few steps at full ε were noted to judge: train for more epochs, or on more texts."
        )
    found = {t.name: t for t in trends}
    clean, perturbed = found["clean loss"], found.get("perturbed loss")
    outer = perturbed or clean
    told = {
        "level": f"The {outer.name} has settled at {outer.after:.3f} nats.",
        "falls": f"The {outer.name} still falls (from {outer.before:.3f} to {outer.after:.3f} nats"
        " over the last quarter): more epochs may help.",
        "unclear": f"The {outer.name} went from {outer.before:.3f} to {outer.after:.3f} nats over the"
        f" last quarter, give or take {2 * outer.error:.3f}: single batches vary too much to say"
        " whether it has settled; more epochs would tell.",
        "rises": f"The {outer.name} rises (from {outer.before:.3f} to {outer.after:.3f} nats over the"
        " last quarter): the attack wins; lower the learning rate or ε.",
    }[outer.verdict]
    if gain := found.get("inner gain"):
        told += (
            f" The attack adds {gain.after:.3f} nats to the clean loss, and that "
            + {
                "level": "stands still.",
                "unclear": "may still move.",
                "falls": "shrinks: the model is learning to resist it.",
                "rises": "grows: the model fits clean texts faster than perturbed ones.",
            }[gain.verdict]
        )
    if validation and kept is not None and kept < validation[-1][0]:
        told += (
            f" Validation was best after epoch {kept} of {validation[-1][0]}, whose weights were kept:"
            " more epochs are not what it lacks."
        )
    return told


def players(events: Sequence[Event]) -> Figure:
    """Clean and perturbed loss, smoothed, and what lies between: the inner gain."""
    rows = _rows(events)
    x = [e.step for e in rows]
    figure = _frame("loss (nats)")
    for name, title, colour, dash in (
        ("clean_loss", "clean loss: the outer player", CLEAN, "solid"),
        ("adv_loss", "perturbed loss: after the inner player", ADVERSARIAL, "dash"),
    ):
        values = _values(rows, name)
        if len(values) == len(x) and x:
            figure["data"].append(_line(x, smooth(values), title, colour, dash))
    gain = _gain(rows)
    if len(gain) == len(x) and x:
        figure["data"].append(_line(x, smooth(gain), "inner gain", THIRD, "dot"))
    _full_eps(figure, rows)
    return figure


def gradients(events: Sequence[Event]) -> Figure:
    """The norm of the parameters' gradient before clipping."""
    rows = _rows(events)
    figure = _frame("gradient norm")
    values = _values(rows, "grad_norm")
    if values:
        x = [e.step for e in rows]
        figure["data"].append(_line(x, smooth(values), "gradient norm", CLEAN, "solid"))
        _full_eps(figure, rows)
    return figure


def _full_eps(figure: Figure, rows: Sequence[Event]) -> None:
    """A line where ε has reached its full value."""
    begun = next((e.step for e in rows if e.values.get("strength", 0.0) >= 1.0), None)
    if begun is None or not rows or begun == rows[0].step:
        return
    figure["layout"]["shapes"] = [
        {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": begun, "x1": begun,
         "line": {"color": "#808080", "width": 1, "dash": "dot"}}
    ]  # fmt: skip
    figure["layout"]["annotations"] = [
        {"x": begun, "yref": "paper", "y": 1, "text": "full ε", "showarrow": False,
         "xanchor": "left", "yanchor": "top", "font": {"color": "#808080", "size": 12}}
    ]  # fmt: skip


def _line(x: list[int], y: list[float], name: str, colour: str, dash: str) -> Figure:
    return {
        "type": "scatter", "mode": "lines" if len(x) > 2 else "lines+markers", "name": name,
        "x": x, "y": y, "line": {"color": colour, "width": 2.5, "dash": dash},
        "hovertemplate": f"step %{{x}}<br>{name} %{{y:.3f}}<extra></extra>",
    }  # fmt: skip


def _frame(y: str) -> Figure:
    return {
        "data": [],
        "layout": {
            "height": 320, "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
            "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
            "xaxis": {"title": {"text": "step"}, "automargin": True, "zeroline": False},
            "yaxis": {"title": {"text": y}, "automargin": True, "rangemode": "tozero"},
        },
    }  # fmt: skip
