"""An evaluation grid as figures and tables: curves with intervals, noise beside, cost, slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from advlab.language import _
from advlab.pictures.base import finish
from advlab.pictures.sentences import number
from advlab.pictures.style import CLEAR, DASHES, NEUTRAL, RUNS, SHAPES, UNITS, faded, label
from advlab.pictures.tables import Columns
from advlab.records import Estimate, Example
from advlab.records.estimates import compare, share_of
from advlab.records.estimates import over_seeds as seeds_of

if TYPE_CHECKING:
    from advlab.records.measured import Grid, Row


def name_of(grid: Grid, row: Row) -> str:
    """A row's name: the model, and the attack where there are several; equal names told apart."""
    several = len({str(r.attack) for r in grid.rows}) > 1
    same = {r.model_hash for r in grid.rows if r.model == row.model}
    model = row.model if len(same) == 1 else f"{row.model} · {row.model_hash[:4]}"
    return f"{model}, {row.attack['name']}" if several else model


def curves(grid: Grid) -> go.Figure:
    """Accuracy under attack against ε with Wilson bands; dotted: noise as long; line: majority."""
    figure = go.Figure()
    for k, row in enumerate(grid.rows):
        add_row(figure, grid, k, [row.clean, *row.robust], [row.clean, *row.noisy])
    figure.add_hline(y=grid.majority, line={"color": NEUTRAL, "width": 1, "dash": "dash"})
    against_eps(figure, grid)
    figure.update_yaxes(
        title={"text": _("texts read right (%)")}, range=[-0.02, 1.02], tickformat=".0%", nticks=6
    )
    return finish(figure, 400, legend_rows=len(grid.rows))


def add_row(
    figure: go.Figure,
    grid: Grid,
    k: int,
    found: Sequence[Estimate],
    noise: Sequence[Estimate],
    *,
    band: bool = True,
) -> None:
    """The line of row k, clean and at each ε, with its intervals (`band`), and that of noise."""
    row, colour = grid.rows[k], RUNS[k % len(RUNS)]
    x = [0.0, *row.eps]
    if band:
        figure.add_scatter(
            x=[*x, *x[::-1]],
            y=[*(r.high for r in found), *(r.low for r in found[::-1])],
            fill="toself",
            fillcolor=faded(colour, 0.18),
            line={"color": CLEAR},
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=x,
        y=[r.value for r in found],
        mode="lines+markers",
        name=label(name_of(grid, row), 48),
        line={"color": colour, "width": 2.5, "dash": list(DASHES)[k % len(DASHES)]},
        marker={"symbol": SHAPES[k % len(SHAPES)], "size": 8},
        cliponaxis=False,  # the mark at ε = 0 is whole
        customdata=[str(r) for r in found],
        hovertemplate="ε = %{x:g}: %{customdata}<extra></extra>",
    )
    figure.add_scatter(
        x=x,
        y=[r.value for r in noise],
        mode="lines",
        line={"color": colour, "width": 1, "dash": "dot"},
        showlegend=False,
        customdata=[str(r) for r in noise],
        hovertemplate=_("noise as long, ε = %{x:g}: %{customdata}<extra></extra>"),
    )


def against_eps(figure: go.Figure, grid: Grid) -> None:
    """The axis of ε, in the unit of the grid's attacks."""
    unit = UNITS.get(str(grid.rows[0].attack.get("unit", "norm")), "")
    figure.update_xaxes(
        title={"text": f"ε ({_(unit)})" if unit else "ε"}, rangemode="tozero", nticks=8
    )


def columns(grid: Grid) -> Columns:
    """One row a model and attack: clean, each ε, noise at the largest, median flip."""
    table: Columns = {
        "model": [row.model for row in grid.rows],
        "attack": [str(row.attack["name"]) for row in grid.rows],
        "clean": [str(row.clean) for row in grid.rows],
    }
    for e, eps in enumerate(grid.rows[0].eps):
        table[f"ε = {eps:g}"] = [str(row.robust[e]) for row in grid.rows]
    table["noise, largest ε"] = [str(row.noisy[-1]) for row in grid.rows]
    table["half flip by ε"] = [
        number(row.median_flip) if np.isfinite(row.median_flip) else _("beyond")
        for row in grid.rows
    ]
    return table


def paired(grid: Grid, e: int) -> Columns:
    """Every two rows on the same texts at ε number e (−1: clean): difference, interval, McNemar."""
    table: Columns = {
        "first": [],
        "second": [],
        "difference": [],
        "95 %": [],
        "p": [],
        "differ": [],
    }
    for i, a in enumerate(grid.rows):
        for b in grid.rows[i + 1 :]:
            pair = compare(_right(a, e).tolist(), _right(b, e).tolist())
            table["first"].append(name_of(grid, a))
            table["second"].append(name_of(grid, b))
            table["difference"].append(
                _("{points:+.1f} points", points=100 * pair.gain).replace("-", "−")
            )
            table["95 %"].append(
                _("{low:+.1f} to {high:+.1f}", low=100 * pair.low, high=100 * pair.high).replace(
                    "-", "−"
                )
            )
            table["p"].append(number(pair.p))
            table["differ"].append(_("yes") if pair.differ else _("not shown"))
    return table


def _right(row: Row, e: int) -> np.ndarray:
    return row.right if e < 0 else row.stands(e)


def slices(grid: Grid, parts: Mapping[str, np.ndarray], e: int) -> Columns:
    """Accuracy of each row on parts of the data at ε number e (−1: clean), with intervals.

    `parts`: names and masks (N,) as `studies.parts.slices_of` tells them.
    """
    table: Columns = {"slice": list(parts), "texts": [int(mask.sum()) for mask in parts.values()]}
    sure = (_("the least confident third"), _("the most confident third"))
    table["slice"] += sure
    table["texts"] += [len(grid.ids) // 3] * 2
    for row in grid.rows:
        found = _right(row, e)
        order = np.argsort(row.confidence, kind="stable")
        third = len(order) // 3  # of each model's own confidence
        table[name_of(grid, row)] = [
            *(str(share_of(found[mask])) for mask in parts.values()),
            str(share_of(found[order[:third]])),
            str(share_of(found[order[-third:]])),
        ]
    return table


def over_seeds(grid: Grid, groups: Mapping[str, str]) -> Columns:
    """Models that differ in their seed alone, together: mean, and lowest to highest in brackets.

    `groups`: weights' hash -> what the models of a group are called. Only groups of two or more.
    """
    together: dict[tuple[str, str], list[Row]] = {}
    for row in grid.rows:
        if row.model_hash in groups:
            key = (groups[row.model_hash], str(row.attack["name"]))
            together.setdefault(key, []).append(row)
    together = {key: rows for key, rows in together.items() if len(rows) > 1}
    table: Columns = {
        "setting": [title for title, __ in together],
        "attack": [a for __, a in together],
        "seeds": [len(rows) for rows in together.values()],
        "clean": [_spread([r.clean.value for r in rows]) for rows in together.values()],
    }
    for e, eps in enumerate(grid.rows[0].eps):
        table[f"ε = {eps:g}"] = [
            _spread([r.robust[e].value for r in rows]) for rows in together.values()
        ]
    return table


def _spread(values: Sequence[float]) -> str:
    found = seeds_of(values)
    return f"{100 * found.mean:.1f} % ({100 * found.low:.1f}–{100 * found.high:.1f})"


def frontier(
    names: Sequence[str],
    seconds: Sequence[float],
    clean: Sequence[Estimate],
    hard: Sequence[Estimate],
) -> go.Figure:
    """What robustness costs: clean against robust accuracy, larger marks took longer to train."""
    figure = go.Figure()
    longest = max([*seconds, 1.0])
    middle = float(np.mean([r.value for r in hard])) if hard else 0.5
    for k, name in enumerate(names):
        figure.add_scatter(
            x=[hard[k].value],
            y=[clean[k].value],
            mode="markers+text",
            showlegend=False,
            text=[_("{name}, {seconds:.0f} s", name=label(name, 22), seconds=seconds[k])],
            # beside the bars, towards the middle of the picture
            textposition="top right" if hard[k].value <= middle else "top left",
            cliponaxis=False,
            marker={
                "color": RUNS[k % len(RUNS)],
                "symbol": SHAPES[k % len(SHAPES)],
                "size": 10 + 16 * (seconds[k] / longest) ** 0.5,
            },
            error_x={
                "array": [hard[k].high - hard[k].value],
                "arrayminus": [hard[k].value - hard[k].low],
                "thickness": 1,
            },
            error_y={
                "array": [clean[k].high - clean[k].value],
                "arrayminus": [clean[k].value - clean[k].low],
                "thickness": 1,
            },
            hovertemplate=_(
                "{name}: clean {clean}, robust {robust}, {seconds:.0f} s<extra></extra>",
                name=label(name),
                clean=clean[k],
                robust=hard[k],
                seconds=seconds[k],
            ),
        )
    figure.update_xaxes(
        title={"text": _("right under attack (% of texts)")}, tickformat=".0%", nticks=6
    )
    figure.update_yaxes(
        title={"text": _("right when clean (% of texts)")}, tickformat=".0%", nticks=6
    )
    return finish(figure, 380)


def outcomes(grid: Grid, examples: Sequence[Example]) -> Columns:
    """One row a text: its known answer and, for each row, the smallest ε that breaks it."""
    table: Columns = {"text": [e.text for e in examples]}
    if any(e.beside for e in examples):
        table["beside it"] = [e.beside for e in examples]
    table["known answer"] = [answer or "" for answer in grid.answers]
    for row in grid.rows:
        table[name_of(grid, row)] = [
            _("wrong") if k < 0 else _("stands") if k >= len(row.eps) else f"ε = {row.eps[k]:g}"
            for k in row.broken.tolist()
        ]
    return table
