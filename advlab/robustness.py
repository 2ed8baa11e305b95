"""An evaluation grid as figures and tables: curves with intervals, noise beside, cost, slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from advlab.plots import CLASSES, CLEAR, NEUTRAL, SHAPES, faded, finish, label
from advlab.records import Rate
from advlab.statistics import compare, rate
from advlab.story import number
from advlab.tables import Columns

if TYPE_CHECKING:
    from advlab.grid import Grid, Row

UNITS = {"norm": "× mean norm", "half-nn": "× half-NN distance", "raw": "raw"}
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


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
        colour, shape = CLASSES[k % len(CLASSES)], SHAPES[k % len(SHAPES)]
        x = [0.0, *row.eps]
        rates = [row.clean, *row.robust]
        figure.add_scatter(
            x=[*x, *x[::-1]], y=[*(r.high for r in rates), *(r.low for r in rates[::-1])],
            fill="toself", fillcolor=faded(colour, 0.18), line={"color": CLEAR},
            showlegend=False, hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=[r.value for r in rates], mode="lines+markers",
            name=label(name_of(grid, row), 48),
            line={"color": colour, "width": 2.5, "dash": DASHES[k % len(DASHES)]},
            marker={"symbol": shape, "size": 8},
            customdata=[rate_text(r) for r in rates],
            hovertemplate="ε = %{x:g}: %{customdata}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=[row.clean.value, *(r.value for r in row.noisy)], mode="lines",
            line={"color": colour, "width": 1, "dash": "dot"}, showlegend=False,
            hovertemplate="noise as long, ε = %{x:g}: %{y:.1%}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=grid.majority, line={"color": NEUTRAL, "width": 1, "dash": "dash"})
    unit = UNITS.get(str(grid.rows[0].attack.get("unit", "norm")), "")
    figure.update_xaxes(title={"text": f"ε ({unit})"}, rangemode="tozero", nticks=8)
    figure.update_yaxes(
        title={"text": "right"}, range=[-0.02, 1.02], tickformat=".0%", nticks=6
    )  # fmt: skip
    return finish(figure, 400, legend_rows=len(grid.rows))


def rate_text(found: Rate) -> str:
    """‘76.8 % [74–80]’."""
    return f"{100 * found.value:.1f} % [{100 * found.low:.0f}–{100 * found.high:.0f}]"


def columns(grid: Grid) -> Columns:
    """One row a model and attack: clean, each ε, noise at the largest, median flip."""
    table: Columns = {
        "model": [row.model for row in grid.rows],
        "attack": [str(row.attack["name"]) for row in grid.rows],
        "clean": [rate_text(row.clean) for row in grid.rows],
    }
    for e, eps in enumerate(grid.rows[0].eps):
        table[f"ε = {eps:g}"] = [rate_text(row.robust[e]) for row in grid.rows]
    table["noise, largest ε"] = [rate_text(row.noisy[-1]) for row in grid.rows]
    table["half flip by ε"] = [
        number(row.median_flip) if np.isfinite(row.median_flip) else "beyond" for row in grid.rows
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
            table["difference"].append(f"{100 * pair.gain:+.1f} points".replace("-", "−"))
            table["95 %"].append(
                f"{100 * pair.low:+.1f} to {100 * pair.high:+.1f}".replace("-", "−")
            )
            table["p"].append(number(pair.p))
            table["differ"].append("yes" if pair.differ else "not shown")
    return table


def _right(row: Row, e: int) -> np.ndarray:
    return row.right if e < 0 else row.stands(e)


def slices(grid: Grid, texts: Sequence[str], names: Sequence[str], e: int) -> Columns:
    """Accuracy of each row on parts of the data at ε number e (−1: clean), with intervals."""
    parts = slices_of(texts, [names[k] if k is not None else "" for k in grid.labels])
    table: Columns = {"slice": list(parts), "texts": [int(mask.sum()) for mask in parts.values()]}
    for row in grid.rows:
        found = _right(row, e)
        table[name_of(grid, row)] = [rate_text(rate(found[mask])) for mask in parts.values()]
    return table


NEGATIONS = ("not", "no", "never", "n't", "nothing", "hardly", "neither", "nor", "without")


def slices_of(texts: Sequence[str], labels: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Name -> (N,) bool: length by thirds, label, negation. Empty ones are left out."""
    words = [text.lower().replace("n't", " n't").split() for text in texts]
    sizes = np.array([len(w) for w in words])
    low, high = np.quantile(sizes, [1 / 3, 2 / 3]) if len(sizes) else (0, 0)
    negated = np.array([any(w.strip(".,!?;:'\"") in NEGATIONS for w in row) for row in words])
    found = {
        "all": np.ones(len(texts), dtype=bool),
        f"short (up to {low:.0f} words)": sizes <= low,
        f"long (over {high:.0f} words)": sizes > high,
        "with a negation": negated,
        "without one": ~negated,
    }
    for name in dict.fromkeys(labels):
        found[f"label {name}"] = np.array([label == name for label in labels])
    return {name: mask for name, mask in found.items() if mask.any()}


def frontier(
    names: Sequence[str], seconds: Sequence[float], clean: Sequence[Rate], hard: Sequence[Rate]
) -> go.Figure:
    """What robustness costs: clean against robust accuracy, larger marks took longer to train."""
    figure = go.Figure()
    longest = max([*seconds, 1.0])
    for k, name in enumerate(names):
        figure.add_scatter(
            x=[hard[k].value], y=[clean[k].value], mode="markers+text", showlegend=False,
            text=[f"{label(name, 22)}, {seconds[k]:.0f} s"], textposition="top center",
            cliponaxis=False,
            marker={"color": CLASSES[k % len(CLASSES)], "symbol": SHAPES[k % len(SHAPES)],
                    "size": 10 + 16 * (seconds[k] / longest) ** 0.5},
            error_x={"array": [hard[k].high - hard[k].value],
                     "arrayminus": [hard[k].value - hard[k].low], "thickness": 1},
            error_y={"array": [clean[k].high - clean[k].value],
                     "arrayminus": [clean[k].value - clean[k].low], "thickness": 1},
            hovertemplate=f"{label(name)}: clean {rate_text(clean[k])}, robust {rate_text(hard[k])},"
            f" {seconds[k]:.0f} s<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title={"text": "right under attack"}, tickformat=".0%", nticks=6)
    figure.update_yaxes(title={"text": "right when clean"}, tickformat=".0%", nticks=6)
    return finish(figure, 380)


def outcomes(grid: Grid, texts: Sequence[str], names: Sequence[str]) -> Columns:
    """One row a text: its label and, for each row, the smallest ε that breaks it."""
    table: Columns = {
        "text": list(texts),
        "label": [names[k] if k is not None else "" for k in grid.labels],
    }
    for row in grid.rows:
        table[name_of(grid, row)] = [
            "wrong" if k < 0 else "stands" if k >= len(row.eps) else f"ε = {row.eps[k]:g}"
            for k in row.broken.tolist()
        ]
    return table
