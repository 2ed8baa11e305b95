"""Answers to the questions people ask of robustness: figures, tables and a sentence each.

Do attacks stick in local optima? Does robustness carry over? What does it cost? Records in, figures
out; no torch, no streamlit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from advlab.language import _, in_a_row, listing
from advlab.pictures.base import finish
from advlab.pictures.sentences import number, percent
from advlab.pictures.style import DASHES, FLIPS, NEUTRAL, RUNS, SHAPES, label
from advlab.pictures.tables import Columns
from advlab.records import Estimate
from advlab.records.estimates import compare

if TYPE_CHECKING:
    from advlab.records.measured import CarryOver, Grid, Optima, Transfer

STUCK = 0.02  # share of the texts: more broken by further starts than this, and starts matter
ALIKE = 0.9  # mean cosine above which the ends of two ascents are one maximum


# ---- local optima ----------------------------------------------------------------------------


def optima_sentence(found: Optima) -> str:
    """Whether one start is enough, in words."""
    R = found.loss.shape[1]
    one, every = found.broken_by(1), found.broken_by(R)
    cosine, spread = float(np.median(found.cosine)), float(np.median(found.spread))
    told = _(
        "{model}: one start breaks {one} of {n} texts, {starts} starts break "
        "{all}. On {undecided} of the texts some starts succeed and others do "
        "not. ",
        model=found.model,
        one=percent(one),
        n=len(found.ids),
        starts=R,
        all=percent(every),
        undecided=percent(found.undecided.mean()),
    )
    if every - one > STUCK:
        told += _("Attacks do stick here: use {r} restarts before you believe an accuracy.", r=R)
    else:
        told += _("One start finds about all that there is: restarts add little.")
    where = _("at the same place") if cosine > ALIKE else _("at different places")
    return _(
        "{told} The ascents end {where} (median cosine {cosine}), their highest "
        "losses lie {percent} of the climb apart (median).",
        told=told,
        where=where,
        cosine=number(cosine),
        percent=percent(spread),
    )


def more_starts(found: Sequence[Optima]) -> go.Figure:
    """Share of the texts broken by at least one of the first k starts, a line a model."""
    figure = go.Figure()
    for k, one in enumerate(found):
        R = one.loss.shape[1]
        figure.add_scatter(
            x=list(range(1, R + 1)),
            y=[one.broken_by(r) for r in range(1, R + 1)],
            mode="lines+markers",
            name=label(one.model, 34),
            line={"color": RUNS[k], "dash": list(DASHES)[k], "width": 2.5},
            marker={"symbol": SHAPES[k], "size": 8},
            hovertemplate=_("%{x} starts: %{y:.1%} broken<extra></extra>"),
        )
    figure.update_xaxes(title={"text": _("random starts tried")}, dtick=1)
    figure.update_yaxes(
        title={"text": _("broken, of those read right")},
        range=[-0.02, 1.02],
        tickformat=".0%",
        nticks=6,
    )
    return finish(figure, 320, legend_rows=len(found))


def ends(found: Optima, limit: int = 60) -> go.Figure:
    """The highest loss of each ascent, a column of marks a text, sorted; crosses have flipped."""
    order = np.argsort(found.loss.mean(1))
    if len(order) > limit:  # evenly through the sorted texts
        order = order[np.linspace(0, len(order) - 1, limit).round().astype(int)]
    figure = go.Figure()
    for flips, name, symbol, colour in (
        (False, _("holds"), "circle-open", NEUTRAL),
        (True, _("flips"), "x-thin-open", FLIPS),
    ):
        x, y, texts = [], [], []
        for place, n in enumerate(order.tolist()):
            for value in found.loss[n][found.flips[n] == flips].tolist():
                x.append(place)
                y.append(value)
                texts.append(found.ids[n])
        figure.add_scatter(
            x=x,
            y=y,
            mode="markers",
            name=name,
            customdata=[label(t) for t in texts],
            marker={"symbol": symbol, "size": 7, "color": colour, "line": {"width": 1.5}},
            hovertemplate=_("%{customdata}: %{y:.3f} nats<extra></extra>"),
        )
    figure.update_xaxes(title={"text": _("texts, by mean loss")}, showticklabels=False)
    figure.update_yaxes(title={"text": _("highest loss of an ascent (nats)")}, nticks=6)
    return finish(figure, 340, legend_rows=1)


def apart(found: Sequence[Optima]) -> go.Figure:
    """How far apart the ends of two ascents are: a histogram over the texts, × ε."""
    figure = go.Figure()
    widest = max([float(f.distance.max()) for f in found] + [0.1])
    edges = np.linspace(0.0, widest, 16)
    for k, one in enumerate(found):
        counts, __ = np.histogram(one.distance, edges)
        figure.add_scatter(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts / max(len(one.ids), 1),
            mode="lines+markers",
            name=label(one.model, 34),
            line={"color": RUNS[k], "dash": list(DASHES)[k], "shape": "hvh"},
            marker={"symbol": SHAPES[k], "size": 6},
            hovertemplate=_("about %{x:.2f} ε apart: %{y:.1%} of the texts<extra></extra>"),
        )
    figure.update_xaxes(
        title={"text": _("mean distance between two ends (× ε)")}, rangemode="tozero"
    )
    figure.update_yaxes(title={"text": _("share of the texts")}, tickformat=".0%", nticks=5)
    return finish(figure, 300, legend_rows=len(found))


def optima_columns(found: Optima, texts: Mapping[str, str]) -> Columns:
    """One row a text: how its ascents ended."""
    return {
        "text": [texts.get(i, i) for i in found.ids],
        "starts that flip it": [int(n) for n in found.flips.sum(1)],
        "lowest end (nats)": found.loss.min(1).tolist(),
        "highest end (nats)": found.loss.max(1).tolist(),
        "mean cosine of two ends": found.cosine.tolist(),
        "mean distance (× ε)": found.distance.tolist(),
    }


# ---- carry over ------------------------------------------------------------------------------


def kinds_map(found: CarryOver) -> go.Figure:
    """Kinds of attack down, models across: the share read right, with its number."""
    rates = [[found.share(m, k) for m in range(len(found.models))] for k in range(len(found.kinds))]
    return matrix(
        [_(kind) for kind in found.kinds], found.models, rates, _("kind of attack"), _("model")
    )


def transfer_map(found: Transfer) -> go.Figure:
    """Made on (down), tried on (across): the share read right."""
    M = range(len(found.models))
    rates = [[found.share(i, j) if found.possible[i, j] else None for j in M] for i in M]
    return matrix(found.models, found.models, rates, _("made on"), _("tried on"))


def letters(models: Sequence[str]) -> str:
    """‘A: plain · B: FGM’: what the columns of a map are."""
    return " · ".join(f"{'ABCDEFGH'[k]}: {name}" for k, name in enumerate(models))


def matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    rates: Sequence[Sequence[Estimate | None]],
    down: str,
    across: str,
) -> go.Figure:
    """A heat map of shares with their numbers; None is left empty. Columns are letters: `letters`."""
    left = [label(r, 26) for r in rows]
    if rows == columns:
        left = [f"<b>{'ABCDEFGH'[k]}</b> {label(r, 16)}" for k, r in enumerate(rows)]

    def told(row: str, column: str, rate: Estimate | None) -> str:
        if rate is None:
            return ""
        return _(
            "{down}: {row}<br>{across}: {column}<br>{rate} right",
            down=down,
            row=label(row),
            across=across,
            column=label(column),
            rate=rate,
        )

    figure = go.Figure(
        go.Heatmap(
            z=[[np.nan if r is None else r.value for r in row] for row in rates],
            x=list(range(len(columns))),
            y=list(range(len(rows))),
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            xgap=2,
            ygap=2,
            hoverongaps=False,
            showscale=len(rows) > 5,
            customdata=[
                [told(name, column, r) for column, r in zip(columns, row, strict=True)]
                for name, row in zip(rows, rates, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={"tickformat": ".0%", "thickness": 10, "title": {"text": _("right")}},
        )
    )
    _write_shares(figure, rates)
    figure.update_xaxes(
        tickvals=list(range(len(columns))),
        showgrid=False,
        side="top",
        zeroline=False,
        ticktext=[f"<b>{'ABCDEFGH'[k]}</b>" for k in range(len(columns))],
    )
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=left,
        autorange="reversed",
        showgrid=False,
        zeroline=False,
    )
    return finish(figure, 34 * len(rows) + 70)


def _write_shares(figure: go.Figure, rates: Sequence[Sequence[Estimate | None]]) -> None:
    """Each share's number on its colour."""
    for y, row in enumerate(rates):
        for x, found in enumerate(row):
            if found is not None:
                figure.add_annotation(
                    x=x,
                    y=y,
                    text=f"{100 * found.value:.0f} %",
                    showarrow=False,
                    font={"size": 13, "color": ink(found.value)},
                )


def ink(share: float) -> str:
    """Black or white, whichever reads better on the Cividis colour of a share: 4.5:1 at least."""
    colour = str(sample_colorscale("Cividis", [min(max(share, 0.0), 1.0)])[0])
    parts = [int(v) / 255 for v in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else "#ffffff"


def kinds_columns(found: CarryOver) -> Columns:
    """One row a kind of attack: settings, and each model's share with its interval."""
    table: Columns = {"kind of attack": [_(kind) for kind in found.kinds]}
    for m, name in enumerate(_distinct(found.models, found.hashes)):
        table[name] = [str(found.share(m, k)) for k in range(len(found.kinds))]
    table["settings"] = list(found.settings)
    return table


def transfer_columns(found: Transfer) -> Columns:
    """One row a model that attacks were made on."""
    names = _distinct(found.models, found.hashes)
    table: Columns = {"made on": list(names)}
    for j, name in enumerate(names):
        table[_("tried on {name}", name=name)] = [
            str(found.share(i, j)) if found.possible[i, j] else _("other vectors")
            for i in range(len(names))
        ]
    return table


def carry_sentence(found: CarryOver) -> str:
    """What each model keeps of the first one's losses, kind by kind, where the texts can tell."""
    if len(found.models) < 2:
        return _(
            "{models} alone: choose a plainly trained model beside it, to see what a "
            "defence gains under each kind of attack.",
            models=listing(found.models),
        )
    told = []
    for m in range(1, len(found.models)):
        better, alike, worse = [], [], []
        for k, kind in enumerate(found.kinds):
            pair = compare(found.right[m, k].tolist(), found.right[0, k].tolist())
            where = (better if pair.gain > 0 else worse) if pair.differ else alike
            where.append((pair.gain, kind))
        parts = []
        if better:
            gains = listing(f"{_(k)} ({100 * g:+.0f})" for g, k in sorted(better, reverse=True)[:4])
            parts.append(
                _(
                    "more under {n_better} of {n_kinds} kinds, most under {gains}",
                    n_better=len(better),
                    n_kinds=len(found.kinds),
                    gains=gains,
                )
            )
        if alike:
            kinds = listing(_(k) for __, k in alike[:3]) + (", …" if len(alike) > 3 else "")
            parts.append(_("no difference that these texts show under {kinds}", kinds=kinds))
        if worse:
            losses = listing(
                f"{_(k)} ({100 * g:+.0f})".replace("-", "−") for g, k in sorted(worse)[:3]
            )
            parts.append(_("less under {losses}", losses=losses))
        told.append(
            _(
                "{model} against {first}, in points: {parts}.",
                model=found.models[m],
                first=found.models[0],
                parts=_("; ").join(parts),
            )
        )
    return in_a_row(*told)


def transfer_sentence(found: Transfer) -> str:
    """How much weaker an attack is on a model that it was not made on."""
    own, other = [], []
    for i in range(len(found.models)):
        for j in range(len(found.models)):
            if found.possible[i, j]:
                (own if i == j else other).append(found.share(i, j).value)
    what = "δ" if found.kind == "delta" else _("a replaced word")
    if not other:
        return _(
            "No two of these models share their vectors, so {what} cannot be carried over.",
            what=what,
        )
    return _(
        "Under {what} made on themselves the models read {own} right, under "
        "one made on another model {others} (means over the pairs).",
        what=what,
        own=percent(float(np.mean(own))),
        others=percent(float(np.mean(other))),
    )


def _distinct(models: Sequence[str], hashes: Sequence[str]) -> list[str]:
    return [
        m if list(models).count(m) == 1 else f"{m} · {h[:4]}"
        for m, h in zip(models, hashes, strict=True)
    ]


# ---- what it costs ---------------------------------------------------------------------------


def cost_columns(
    grid: Grid, seconds: Sequence[float | None], costs: Sequence[float | None]
) -> Columns:
    """One row a model: clean, robust, training time, and its difference to the first on the same texts.

    `seconds` of training and `costs` of a step in plain steps, a row each; None where not known.
    """
    table: Columns = {
        "model": [row.model for row in grid.rows],
        "clean": [str(row.clean) for row in grid.rows],
        "under attack": [str(row.robust[-1]) for row in grid.rows],
        "clean, against the first": [],
        "under attack, against the first": [],
        "seconds trained": [None if s is None else round(s, 1) for s in seconds],
        "a step, × plain": [None if c is None else round(c, 2) for c in costs],
    }
    first = grid.rows[0]
    for row in grid.rows:
        for name, mine, base in (
            ("clean, against the first", row.right, first.right),
            (
                "under attack, against the first",
                row.stands(len(row.eps) - 1),
                first.stands(len(first.eps) - 1),
            ),
        ):
            pair = compare(mine.tolist(), base.tolist())
            text = _(
                "{gain:+.1f} [{low:+.1f} to {high:+.1f}]",
                gain=100 * pair.gain,
                low=100 * pair.low,
                high=100 * pair.high,
            )
            table[name].append("–" if row is first else text.replace("-", "−"))
    return table


def cost_sentence(grid: Grid, costs: Sequence[float | None]) -> str:
    """What each model pays for what it gains, against the first."""
    first, told = grid.rows[0], []
    for row, cost in zip(grid.rows[1:], costs[1:], strict=True):
        clean = compare(row.right.tolist(), first.right.tolist())
        hard = compare(
            row.stands(len(row.eps) - 1).tolist(), first.stands(len(first.eps) - 1).tolist()
        )
        paid = (
            _("{points:+.1f} points of clean accuracy", points=100 * clean.gain).replace("-", "−")
            if clean.differ
            else _("no clean accuracy that these texts show")
        )
        gained = _("{points:.1f} points", points=100 * hard.gain).replace("-", "−")
        sure = "" if hard.differ else _(" (not more than chance)")
        time = _(", and {cost:.1f} × the time of a plain step", cost=cost) if cost else ""
        told.append(
            _(
                "{model} gains {gained} under attack at ε = {eps:g}{sure}; the price is {paid}{time}.",
                model=row.model,
                gained=gained,
                eps=row.eps[-1],
                sure=sure,
                paid=paid,
                time=time,
            )
        )
    return in_a_row(*told) or _("Choose a second model: a price needs something to compare with.")
