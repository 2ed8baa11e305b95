"""How far δ is from being words: the way out of each token's cell, and δ scaled until words change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.language import _, n_
from advlab.pictures.base import attacked_title, finish, tokens_of
from advlab.pictures.sentences import number, percent
from advlab.pictures.style import CLEAR, NEUTRAL, SIDES, faded, label
from advlab.pictures.tables import Columns
from advlab.pictures.wording import reference_of, said
from advlab.records import AttackRecord, Exits, Scaled


def ways_out(
    record: AttackRecord, found: Exits, which: int = 0, span: tuple[float, float] | None = None
) -> go.Figure:
    """Per token: how many times longer δ must be to become another token, and which, on a log axis.

    The filled mark is along δ itself, the hollow one the nearest word in any direction. `span`: the
    smallest and largest factor, where models share the axis.
    """
    rows = np.flatnonzero(record.perturbable & (record.delta_norm > 0))
    y = np.arange(len(rows))[::-1]
    ticks = tokens_of(record)
    figure = go.Figure()
    for t, at in zip(rows, y, strict=True):
        if np.isfinite(found.factor[t]):
            figure.add_scatter(
                x=[found.closest_factor[t], found.factor[t]],
                y=[at, at],
                mode="lines",
                line={"color": NEUTRAL, "width": 1},
                showlegend=False,
                hoverinfo="skip",
            )
    _nearest_marks(figure, found, rows, y, which)
    reach = np.isfinite(found.factor[rows])
    _along_marks(figure, found, rows[reach], y[reach], which)
    low, high = np.log10(span or factor_span(record, found))
    wide = max(high - low, 0.5)
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_xaxes(
        type="log",
        range=[low - 0.06 * wide, high + 0.55 * wide],
        title={"text": "× ‖δ‖"},
        tickformat="~g",
        nticks=6,
    )
    figure.update_yaxes(
        tickvals=y,
        ticktext=[ticks[t] for t in rows],
        range=[-0.7, len(rows) - 0.3],
        tickfont={"size": 12},
    )
    finish(figure, 70 + 22 * len(rows), legend_rows=2)
    figure.update_layout(margin={"t": 6})
    return figure


def _nearest_marks(
    figure: go.Figure, found: Exits, rows: np.ndarray, y: np.ndarray, which: int
) -> None:
    """Hollow: the nearest word in any direction of the tokens `rows`, at heights y."""
    colour, shape, __ = SIDES[which]
    figure.add_scatter(
        x=found.closest_factor[rows],
        y=y,
        mode="markers",
        name=_("nearest word, any direction"),
        marker={"symbol": f"{shape}-open", "size": 9, "color": colour},
        customdata=[label(found.closest[t]) for t in rows],
        hovertemplate=_("%{customdata}: at least %{x:.3g} × δ in any direction<extra></extra>"),
    )


def _along_marks(
    figure: go.Figure, found: Exits, rows: np.ndarray, y: np.ndarray, which: int
) -> None:
    """Filled: what the tokens `rows` become along δ, at heights y."""
    colour, shape, __ = SIDES[which]
    figure.add_scatter(
        x=found.factor[rows],
        y=y,
        mode="markers+text",
        name=_("along δ"),
        marker={"symbol": shape, "size": 10, "color": colour},
        text=[f"{label(found.becomes[t], 12)}, {number(float(found.factor[t]))} ×" for t in rows],
        textposition="middle right",
        textfont={"size": 11},
        cliponaxis=False,
        customdata=[number(float(found.radius[t])) for t in rows],
        hovertemplate=_("%{text} longer (exit radius %{customdata} raw)<extra></extra>"),
    )


def factor_span(record: AttackRecord, found: Exits) -> tuple[float, float]:
    """The smallest and the largest factor on δ that there is to show."""
    rows = np.flatnonzero(record.perturbable & (record.delta_norm > 0))
    values = np.concatenate([found.factor[rows], found.closest_factor[rows], [1.0]])
    values = values[np.isfinite(values)]
    return max(float(values.min()), 1e-3), float(values.max())


def exits_sentence(record: AttackRecord, found: Exits) -> str:
    """Which token is nearest to becoming another, and how many rows were no candidates."""
    rows = np.flatnonzero(record.perturbable & (record.delta_norm > 0))
    if not len(rows):
        return _("δ is zero on every token.")
    t = int(rows[found.factor[rows].argmin()])
    factor = float(found.factor[t])
    ways = (
        _(
            "Closest to becoming another is ‘{tokens}’: ‘{becomes}’ at {factor} × its δ.",
            tokens=record.tokens[t],
            becomes=found.becomes[t],
            factor=number(factor),
        )
        if np.isfinite(factor)
        else _("No token becomes another, however long its δ is made.")
    )
    return _(
        "{ways} {excluded:,} vocabulary rows are no candidates.", ways=ways, excluded=found.excluded
    )


def scaling(
    record: AttackRecord,
    found: Scaled,
    which: int = 0,
    at: int | None = None,
    span: tuple[float, float] | None = None,
) -> go.Figure:
    """The reference's score of the scaled vectors, their nearest tokens and their text; the noise band.

    `span`: the smallest and largest factor, where models share the axis.
    """
    colour = SIDES[which][0]
    x = found.factors
    figure = go.Figure()
    noise = found.noise.score.reshape(len(x), -1)
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([noise.min(1), noise.max(1)[::-1]]),
        fill="toself",
        fillcolor=faded(NEUTRAL, 0.25),
        line={"color": CLEAR},
        hoverinfo="skip",
        name=_("noise as long ({shape} draws)", shape=noise.shape[1]),
    )
    for name, values, dash, symbol, way in (
        (_("vectors"), found.vectors, "solid", "circle", "linear"),
        (_("nearest tokens"), found.projected, "dash", "square", "hv"),
        (_("text, read again"), found.reread, "dot", "diamond", "hv"),
    ):
        figure.add_scatter(
            x=x,
            y=values.score,
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": dash, "shape": way},
            marker={"symbol": symbol, "size": 6},
            hovertemplate=_("{name}, %{{x:.3g}} × δ: %{{y:.1%}}<extra></extra>", name=name),
        )
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    if at is not None:
        figure.add_vline(x=float(x[at]), line={"color": colour, "width": 2})
    figure.update_xaxes(
        type="log",
        title={"text": _("factor on δ")},
        tickformat="~g",
        nticks=6,
        range=None if span is None else [float(v) for v in np.log10(span)],
    )
    figure.update_yaxes(
        range=[-0.03, 1.03], tickformat=".0%", nticks=5, title={"text": attacked_title([record])}
    )
    return finish(figure, 330, legend_rows=3)


def exit_columns(record: AttackRecord, found: Exits) -> Columns:
    """One row a token that δ moves: how far it is from the next word, and which that is."""
    rows = np.flatnonzero(record.perturbable & (record.delta_norm > 0))

    def real(values: np.ndarray) -> list[float | None]:
        return [float(values[t]) if np.isfinite(values[t]) else None for t in rows]

    return {
        "token": [record.tokens[t] for t in rows],
        "‖δ‖, raw": real(record.delta_norm),
        "exit radius, raw": real(found.radius),
        "times longer": real(found.factor),
        "becomes": [found.becomes[t] for t in rows],
        "certificate, raw": real(found.certificate),
        "nearest word": [found.closest[t] for t in rows],
        "times longer, any direction": real(found.closest_factor),
    }


def scaling_columns(record: AttackRecord, found: Scaled) -> Columns:
    """One row a factor: how many tokens changed, what the text became and what the model says."""
    name = f"P({reference_of(record)})"
    return {
        "× δ": found.factors.tolist(),
        "tokens changed": found.changed.sum(1).tolist(),
        "noise: tokens changed": found.noise_changed.mean(1).tolist(),
        "text": list(found.texts),
        _("{name}, vectors", name=name): found.vectors.score.tolist(),
        _("{name}, nearest tokens", name=name): found.projected.score.tolist(),
        _("{name}, text", name=name): found.reread.score.tolist(),
        _("{name}, noise mean", name=name): found.noise.score.reshape(len(found.factors), -1)
        .mean(1)
        .tolist(),
    }


def scaling_sentence(record: AttackRecord, found: Scaled) -> str:
    """When the first word changes, and whether the words alone ever flip the prediction."""
    first = found.exits[np.isfinite(found.exits)]
    if not len(first):
        return _(
            "No token changes, however long δ is made (up to {limit} ×).", limit=number(found.limit)
        )
    t = int(np.where(np.isfinite(found.exits), found.exits, np.inf).argmin())
    text = _(
        "The first word to change is ‘{token}’, to ‘{other}’, at {factor} × δ.",
        token=record.tokens[t],
        other=found.crossings[t][0][1],
        factor=number(float(first.min())),
    )
    flips = np.flatnonzero(found.reread.broken)
    if not len(flips):
        return _("{text} The words alone never flip the prediction on the way.", text=text)
    f = int(flips[0])
    changed = int(found.changed[f].sum())
    many = n_("{n} token", "{n} tokens", changed)
    return _(
        "{text} The words alone first flip it at {factor} ×, with {many} changed: "
        "{said}, {percent}.",
        text=text,
        factor=number(float(found.factors[f])),
        many=many,
        said=said(record, found.reread.answers[f]),
        percent=percent(float(found.reread.sure[f])),
    )


def moved_count(found: Sequence[int] | np.ndarray, perturbable: np.ndarray) -> int:
    """Tokens that are no longer nearest to themselves, by own rank."""
    return int(((np.asarray(found) > 1) & perturbable).sum())
