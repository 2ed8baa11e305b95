"""What people quote of answers (F1, BLEU, perplexity, …) as curves against ε and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from advlab.language import _, listing
from advlab.pictures.base import finish
from advlab.pictures.robustness import add_row, against_eps, name_of
from advlab.pictures.tables import Columns
from advlab.records.measured import Quoted

if TYPE_CHECKING:
    from advlab.records.estimates import Resampled
    from advlab.records.measured import Grid, Row


def names(grid: Grid) -> list[str]:
    """The figures that are quoted of every row, in their order."""
    first, *others = [[one.name for one in row.quoted] for row in grid.rows]
    return [name for name in first if all(name in other for other in others)]


def notes(grid: Grid) -> dict[str, str]:
    """Figure -> how it is counted, of those that need to say it."""
    return {one.name: one.note for row in grid.rows for one in row.quoted if one.note}


def of(row: Row, name: str) -> Quoted:
    """A row's figure of that name."""
    return next(one for one in row.quoted if one.name == name)


def curve(grid: Grid, name: str) -> go.Figure:
    """One figure against ε with its intervals; dotted: under noise as long.

    What has no upper end and grows without one, as perplexity under attack, stands on a log axis.
    """
    figure = go.Figure()
    shares = of(grid.rows[0], name).clean.unit == "share"
    high = 0.0
    for k, row in enumerate(grid.rows):
        one = of(row, name)
        found = [r.estimate for r in (one.clean, *one.robust)]
        noise = [r.estimate for r in (one.clean, *one.noisy)]
        high = max(high, *(r.value for r in found))
        # NaN, where there is no interval, equals nothing
        add_row(figure, grid, k, found, noise, band=found[0].low == found[0].low)
    against_eps(figure, grid)
    if shares:
        figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%", nticks=6)
    elif of(grid.rows[0], name).lower and high > 100:
        figure.update_yaxes(type="log", nticks=6)
    else:
        figure.update_yaxes(rangemode="tozero", nticks=6)
    title = _("{name} (less is better)", name=name) if of(grid.rows[0], name).lower else name
    figure.update_yaxes(title={"text": title})
    return finish(figure, 400, legend_rows=len(grid.rows))


def columns(grid: Grid) -> Columns:
    """One row a model, attack and figure: clean, each ε, noise at the largest, how it is counted."""
    rows = [(row, one) for row in grid.rows for one in row.quoted]
    table: Columns = {
        "model": [row.model for row, __ in rows],
        "attack": [str(row.attack["name"]) for row, __ in rows],
        "figure": [one.name for __, one in rows],
        "clean": [str(one.clean.estimate) for __, one in rows],
    }
    for e, eps in enumerate(grid.rows[0].eps):
        table[f"ε = {eps:g}"] = [str(one.robust[e].estimate) for __, one in rows]
    table["noise, largest ε"] = [str(one.noisy[-1].estimate) for __, one in rows]
    table["how"] = [one.note for __, one in rows]
    return table


def paired(grid: Grid, e: int) -> Columns:
    """Every two rows on the same texts at ε number e (−1: clean): each figure's difference.

    By the paired bootstrap over texts; an interval without 0 differs.
    """
    table: Columns = {"first": [], "second": [], "figure": [], "difference": [], "differ": []}
    for i, a in enumerate(grid.rows):
        for b in grid.rows[i + 1 :]:
            for name in names(grid):
                found = _at(of(a, name), e).less(_at(of(b, name), e))
                table["first"].append(name_of(grid, a))
                table["second"].append(name_of(grid, b))
                table["figure"].append(name)
                table["difference"].append(str(found).replace("-", "−"))
                apart = found.low > 0 or found.high < 0
                table["differ"].append(_("yes") if apart else _("not shown"))
    return table


def _at(one: Quoted, e: int) -> Resampled:
    return one.clean if e < 0 else one.robust[e]


def sentence(figures: Sequence[str]) -> str:
    """What stands above them."""
    listed = listing(figures)
    return _(
        "Of the answers as they are given: {listed}. Under attack each text is "
        "answered under the strongest δ found for it, those that are wrong already "
        "too. Intervals: bootstrap over texts.",
        listed=listed,
    )
