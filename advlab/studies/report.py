"""An evaluation as a report: an HTML file that needs no network, and Markdown, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from advlab.pictures import robustness
from advlab.pictures.page import Band, Chart, Line, Section, Table, frame, versions
from advlab.pictures.style import RUNS
from advlab.pictures.tables import Columns, to_csv
from advlab.studies.parts import slices_of

if TYPE_CHECKING:
    from advlab.records import Example
    from advlab.records.measured import Alarm, Grid

LIMITS = (
    "Accuracy under attack is an upper bound: a stronger attack may break more.",
    "A text counts as broken at every ε at or above the first that breaks it.",
    "Intervals are Wilson's, 95 %, for these texts; another data set may differ by more.",
    "ε is measured on word vectors: what it allows is no text, and says nothing of typing errors.",
)


def report(
    grid: Grid,
    examples: Sequence[Example],
    alarms: Sequence[Alarm],
    *,
    known: Mapping[str, int] | None = None,
    more: Sequence[tuple[str, Columns, str]] = (),
    made: str = "",
    used: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """File name -> content: report.html, report.md, accuracy.csv, texts.csv, report.json.

    `known` as for `slices_of`; `more`: further tables as title, columns, note; `used`: which texts
    these are, in words, among the settings.
    """
    made = made or datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    settings = _settings(grid, made, used or {})
    last = len(grid.rows[0].eps) - 1
    largest = f"{grid.rows[0].eps[last]:g}"
    parts: list[tuple[str, Columns | None, str]] = [
        ("Settings", {"setting": list(settings), "value": list(settings.values())}, ""),
        ("Accuracy", robustness.columns(grid), "Share read right, with 95 % intervals."),
        (
            "Alarms",
            _alarms(alarms) if alarms else None,
            "" if alarms else "None of the checks found anything.",
        ),
        (
            f"Paired differences at ε = {largest}",
            robustness.paired(grid, last) if len(grid.rows) > 1 else None,
            "McNemar's exact test on the texts on which two rows differ; paired bootstrap.",
        ),
        (
            f"Parts of the texts at ε = {largest}",
            robustness.slices(grid, slices_of(examples, known), last),
            "",
        ),
        *((title, columns, note) for title, columns, note in more),
        ("Limits", {"": list(LIMITS)}, ""),
    ]
    return {
        "report.html": _page(grid, parts),
        "report.md": _markdown(parts),
        "accuracy.csv": to_csv(robustness.columns(grid)),
        "texts.csv": to_csv(robustness.outcomes(grid, examples)),
        "report.json": json.dumps(
            _json(grid, settings, alarms) | {title: columns for title, columns, _ in more},
            ensure_ascii=False,
            indent=1,
        ),
    }


def _settings(grid: Grid, made: str, used: Mapping[str, str]) -> dict[str, str]:
    found = {
        "data": grid.data,
        "texts": str(len(grid.ids)),
        **used,
        "data hash": grid.data_hash,
        "majority": f"{100 * grid.majority:.1f} %",
        "seed": str(grid.seed),
        "made": made,
    }
    for row in grid.rows:
        name = robustness.name_of(grid, row)
        settings = ", ".join(f"{k} {v}" for k, v in row.attack.items() if k != "eps")
        found[name] = f"weights {row.model_hash}; {settings}"
    return found | {f"version of {k}": v for k, v in versions().items()}


def _alarms(alarms: Sequence[Alarm]) -> Columns:
    return {
        "model": [a.model for a in alarms],
        "alarm": [a.name for a in alarms],
        "evidence": [a.evidence for a in alarms],
        "what to do": [a.advice for a in alarms],
    }


def _json(grid: Grid, settings: Mapping[str, str], alarms: Sequence[Alarm]) -> dict[str, Any]:
    def plain(found: Any) -> dict[str, float]:
        return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}

    return {
        "settings": dict(settings),
        "rows": [
            {
                "model": row.model,
                "weights": row.model_hash,
                "attack": dict(row.attack),
                "eps": list(row.eps),
                "raw_eps": list(row.raw_eps),
                "clean": plain(row.clean),
                "robust": [plain(r) for r in row.robust],
                "noise": [plain(r) for r in row.noisy],
                "broken": row.broken.tolist(),
            }
            for row in grid.rows
        ],
        "ids": list(grid.ids),
        "alarms": [vars(a) for a in alarms],
        "limits": list(LIMITS),
    }


def _markdown(parts: Sequence[tuple[str, Columns | None, str]]) -> str:
    def cell(value: Any) -> str:
        return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")

    lines = ["# Robustness", ""]
    for title, columns, note in parts:
        if columns is None and not note:
            continue
        lines += [f"## {title}", "", *([note, ""] if note else [])]
        if columns is not None:
            lines += [
                f"| {' | '.join(map(cell, columns))} |",
                "|---" * len(columns) + "|",
                *(
                    f"| {' | '.join(map(cell, row))} |"
                    for row in zip(*columns.values(), strict=True)
                ),
                "",
            ]
    return "\n".join(lines)


def _page(grid: Grid, parts: Sequence[tuple[str, Columns | None, str]]) -> str:
    sections = [
        Section(
            title,
            note,
            chart=_curves(grid) if title == "Accuracy" else None,
            table=_table(columns) if columns is not None else None,
        )
        for title, columns, note in parts
        if columns is not None or note
    ]
    return frame("advlab: robustness", f"Robustness: {grid.data}", sections)


def _table(columns: Columns) -> Table:
    return Table(list(columns), list(zip(*columns.values(), strict=True)))


def _curves(grid: Grid) -> Chart:
    """Accuracy against ε: a band and a line a row, noise dotted."""
    shapes: list[Band | Line] = []
    for k, row in enumerate(grid.rows):
        colour, dash = RUNS[k % len(RUNS)], ("", "8 4", "2 4", "8 4 2 4")[k % 4]
        x = [0.0, *row.eps]
        rates = [row.clean, *row.robust]
        noise = [row.clean.value, *(rate.value for rate in row.noisy)]
        shapes += [
            Band(x, [rate.low for rate in rates], [rate.high for rate in rates], colour, 0.18),
            Line(
                x, [rate.value for rate in rates], colour, dash, name=robustness.name_of(grid, row)
            ),
            Line(x, noise, colour, "1 4", width=1),
        ]
    ticks = sorted({0.0, *(eps for row in grid.rows for eps in row.eps)})
    return Chart(
        "Accuracy against ε",
        shapes,
        x_ticks=[(eps, f"{eps:g}") for eps in ticks],
        y_ticks=[(k / 5, f"{20 * k} %") for k in range(6)],
        x_title="ε",
        legend="; finely dotted: random noise as long",
        width=720,
        height=300,
    )
