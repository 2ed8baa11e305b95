"""Straight lines and paths through the loss, growing distances, and the map that is context only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.language import _
from advlab.pictures.base import finish, tokens_of
from advlab.pictures.sentences import number, percent
from advlab.pictures.style import AHEAD, NEUTRAL, SIDES, faded, label, side
from advlab.pictures.tables import Columns
from advlab.records import AttackRecord, Distances, Line, Map


def lines(
    records: Sequence[AttackRecord], found: Sequence[Line], which: Sequence[int] | None = None
) -> go.Figure:
    """Loss on the straight way to δ and beyond, at the attack's own steps, and under noise as long.

    `which` are the models' places (A, B, C) where not all of them are here.
    """
    figure = go.Figure()
    for i, record, one in zip(which or range(len(records)), records, found, strict=True):
        colour, shape, dash = SIDES[i]
        name = side(i, label(record.model, 30))
        if one.noise is not None and one.noise_t is not None:
            figure.add_scatter(
                x=np.concatenate([one.noise_t, one.noise_t[::-1]]),
                y=np.concatenate([one.noise.min(0), one.noise.max(0)[::-1]]),
                fill="toself",
                fillcolor=faded(colour, 0.25),
                line={"color": faded(colour, 0.6), "width": 1},
                mode="lines",
                name=_("{name}, {n_noise} random draws as long", name=name, n_noise=len(one.noise)),
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=one.t,
            y=one.loss,
            mode="lines",
            name=_("{name}, straight", name=name),
            line={"color": colour, "dash": dash, "width": 2.5},
            hovertemplate=_("%{x:.2f} × δ, straight: loss %{y:.3f} nats<extra></extra>"),
        )
        figure.add_scatter(
            x=one.path_length,
            y=one.path_loss,
            mode="lines+markers",
            name=_("{name}, path", name=name),
            line={"color": colour, "width": 1, "dash": "dot"},
            marker={"symbol": f"{shape}-open", "size": 8, "color": colour},
            hovertemplate=_("step as long as %{x:.2f} × δ: loss %{y:.3f} nats<extra></extra>"),
        )
        flips = np.flatnonzero(one.margin < 0)
        if len(flips):
            at = int(flips[0])
            figure.add_scatter(
                x=[one.t[at]],
                y=[one.loss[at]],
                mode="markers",
                showlegend=False,
                marker={"symbol": "x", "size": 12, "color": colour},
                hovertemplate=_("the straight line is flipped from %{x:.2f} × δ on<extra></extra>"),
            )
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_xaxes(title={"text": _("length (1 is ‖δ‖)")}, nticks=8, zeroline=False)
    figure.update_yaxes(title={"text": _("loss, nats")}, rangemode="tozero", nticks=5)
    return finish(figure, 330, legend_rows=3 * len(records))


def line_sentence(record: AttackRecord, found: Line) -> str:
    """Whether the way is a ramp or has bumps, and how straight the attack walked."""
    reach = found.loss[found.t <= 1 + 1e-9]
    falls = float(np.clip(-np.diff(reach), 0, None).sum())
    rise = float(reach.max() - reach[0])
    kept = int(np.flatnonzero(record.path_steps == record.best_step)[0])
    before = found.path_length[: kept + 1]
    straight = found.path_along[: kept + 1]
    way = _("rises all the way") if falls <= 0.01 * max(rise, 1e-9) else _("rises and falls")
    off = np.sqrt(np.clip(before**2 - straight**2, 0, None)).max(initial=0.0)
    return _(
        "On the straight line to δ the loss {way}; the attack's own path strays "
        "{percent} of ‖δ‖ from it at most.{against_noise}",
        way=way,
        percent=percent(float(off)),
        against_noise=_against_noise(found),
    )


def _against_noise(found: Line) -> str:
    """How high the loss stands at δ itself, and under noise as long."""
    if found.noise is None or found.noise_t is None:
        return ""
    at = int(np.abs(found.noise_t - 1).argmin())
    own = float(np.interp(found.noise_t[at], found.t, found.loss))
    low, high = float(found.noise[:, at].min()), float(found.noise[:, at].max())
    return _(
        " At ‖δ‖ it is {own} nats, under {n_noise} random draws as long {low} to {high}.",
        own=number(own),
        n_noise=len(found.noise),
        low=number(low),
        high=number(high),
    )


def line_columns(found: Line) -> Columns:
    """One row a point of the straight line; noise was drawn at some of them only."""
    table: Columns = {
        "× δ": found.t.tolist(),
        "loss, nats": found.loss.tolist(),
        "margin, logits": found.margin.tolist(),
    }
    if found.noise is not None and found.noise_t is not None:
        at = {round(float(t), 6): k for k, t in enumerate(found.noise_t)}
        places = [at.get(round(float(t), 6)) for t in found.t]
        for name, values in (
            (_("noise lowest, nats"), found.noise.min(0)),
            (_("noise highest, nats"), found.noise.max(0)),
        ):
            table[name] = [None if k is None else float(values[k]) for k in places]
    return table


def distances(
    found: Distances, name: str, which: int = 0, reach: tuple[float, float] | None = None
) -> go.Figure:
    """Distance to the own row and to rivals as δ grows; the exit is where they cross.

    `reach`: the largest factor and distance of the axes, where models share them.
    """
    right, top = reach or distance_reach(found)
    colour = SIDES[which][0]
    figure = go.Figure()
    for k, rival in enumerate(found.rivals):
        last = bool(found.becomes) and rival == found.becomes
        figure.add_scatter(
            x=found.t,
            y=found.far[k],
            mode="lines",
            showlegend=False,
            line={
                "color": NEUTRAL,
                "width": 2.5 if last else 1,
                "dash": "dash" if last else "solid",
            },
            opacity=1.0 if last else 0.6,
            hovertemplate=_(
                "{name}: %{{y:.3f}} raw at %{{x:.3g}} × δ<extra></extra>", name=label(rival)
            ),
        )
    figure.add_scatter(
        x=found.t,
        y=found.own,
        mode="lines",
        name=_("to ‘{label}’ itself", label=label(name)),
        line={"color": colour, "width": 3},
        hovertemplate=_("own vector: %{y:.3f} raw at %{x:.3g} × δ<extra></extra>"),
    )
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="lines",
        line={"color": NEUTRAL, "width": 1},
        name=_("to its {n_rivals} rivals", n_rivals=len(found.rivals)),
    )
    if np.isfinite(found.exit) and found.exit <= found.t[-1]:
        height = float(np.interp(found.exit, found.t, found.own))
        figure.add_scatter(
            x=[found.exit],
            y=[height],
            mode="markers+text",
            showlegend=False,
            marker={"symbol": "x", "size": 12, "color": AHEAD},
            text=[f"{label(found.becomes, 14)}, {number(found.exit)} × δ"],
            # it stands where there is room: one near the left edge would cover the axis's numbers
            textposition="top left" if found.exit > right / 2 else "bottom right",
            cliponaxis=False,
            hovertemplate=_("from here on it reads as another token<extra></extra>"),
        )
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_xaxes(
        title={"text": _("factor on δ (1 is δ)")}, range=[0, right], nticks=7, zeroline=False
    )
    figure.update_yaxes(title={"text": _("distance, raw")}, range=[0, top], nticks=6)
    return finish(figure, 340, legend_rows=1)


def distance_reach(found: Distances) -> tuple[float, float]:
    """How far the axes of one picture go: factor on δ, distance in raw units."""
    return float(found.t[-1]), 1.05 * float(max(found.own.max(), found.far.max()))


def distance_columns(found: Distances) -> Columns:
    """One row a factor."""
    table: Columns = {"× δ": found.t.tolist(), "own, raw": found.own.tolist()}
    for rival, values in zip(found.rivals, found.far, strict=True):
        while _("{rival}, raw", rival=rival) in table:
            rival += "′"
        table[_("{rival}, raw", rival=rival)] = values.tolist()
    return table


WIDE = 600  # pixels: the width in which the arrow's length is told


def context(record: AttackRecord, found: Map, which: int = 0) -> go.Figure:
    """The vocabulary in its two main axes, the sentence in it; arrows are δ, as short as they are."""
    colour = SIDES[which][0]
    figure = go.Figure(
        go.Scatter(
            x=found.words[:, 0],
            y=found.words[:, 1],
            mode="markers",
            name=_("vocabulary (a sample)"),
            marker={"color": NEUTRAL, "size": 4, "opacity": 0.35},
            hoverinfo="skip",
        )
    )
    moved = np.flatnonzero(record.delta_norm > 0)
    for t in moved:
        figure.add_scatter(
            x=[found.tokens[t, 0], found.moved[t, 0]],
            y=[found.tokens[t, 1], found.moved[t, 1]],
            mode="lines",
            line={"color": AHEAD, "width": 2},
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=found.tokens[:, 0],
        y=found.tokens[:, 1],
        mode="markers+text",
        name=_("the sentence"),
        text=tokens_of(record),
        textposition="top center",
        textfont={"size": 11},
        marker={"color": colour, "size": 8},
        hovertemplate="%{text}<extra></extra>",
    )
    figure.update_xaxes(title={"text": _("first axis")}, nticks=6, zeroline=False)
    figure.update_yaxes(
        title={"text": _("second axis")}, scaleanchor="x", scaleratio=1, nticks=6, zeroline=False
    )
    return finish(figure, 420, legend_rows=1)


def context_sentence(record: AttackRecord, found: Map) -> str:
    """What share of δ the map shows, and how long its longest arrow is on the screen."""
    points = np.concatenate([found.words, found.tokens])
    width = float(np.ptp(points[:, 0])) or 1.0
    longest = int(record.delta_norm.argmax())
    drawn = float(np.linalg.norm(found.moved[longest] - found.tokens[longest]))
    return _(
        "Context only: these two axes hold {variance} of the vocabulary's variance "
        "and {energy} of ‖δ‖². On {wide} pixels the longest δ, of ‘{token}’, is "
        "an arrow of {width} pixels.",
        variance=percent(found.variance),
        energy=percent(found.energy),
        wide=WIDE,
        token=record.tokens[longest],
        width=number(WIDE * drawn / width),
    )


def context_columns(record: AttackRecord, found: Map) -> Columns:
    """One row a token: where it is on the map, and where δ takes it."""
    return {
        "token": list(record.tokens),
        "x": found.tokens[:, 0].tolist(),
        "y": found.tokens[:, 1].tolist(),
        "x with δ": found.moved[:, 0].tolist(),
        "y with δ": found.moved[:, 1].tolist(),
    }


__all__ = [
    "context",
    "context_columns",
    "context_sentence",
    "distance_columns",
    "distance_reach",
    "distances",
    "line_columns",
    "line_sentence",
    "lines",
]
