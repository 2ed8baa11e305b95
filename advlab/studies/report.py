"""An evaluation as a report: an HTML file that needs no network, and Markdown, CSV and JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from advlab.pictures import robustness
from advlab.pictures.base import CLASSES
from advlab.pictures.page import versions
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
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #c8c8c8; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #14181d; --line: #505860; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 64rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 1.6rem 0 .3rem; }
table { border-collapse: collapse; font-size: .9rem; } .scroll { overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: 3px 12px 3px 0; text-align: left; }
svg { width: 100%; height: auto; max-width: 46rem; } svg text { fill: currentColor; font-size: 13px; }
"""


def report(
    grid: Grid,
    examples: Sequence[Example],
    alarms: Sequence[Alarm],
    *,
    known: Mapping[str, int] | None = None,
    more: Sequence[tuple[str, Columns, str]] = (),
    made: str = "",
) -> dict[str, str]:
    """File name -> content: report.html, report.md, accuracy.csv, texts.csv, report.json.

    `known` as for `slices_of`; `more`: further tables as title, columns, note.
    """
    made = made or datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    settings = _settings(grid, made)
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


def _settings(grid: Grid, made: str) -> dict[str, str]:
    found = {
        "data": grid.data,
        "texts": str(len(grid.ids)),
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
    def cells(tag: str, row: Sequence[Any]) -> str:
        return "".join(f"<{tag} dir=auto>{html.escape(str(cell))}</{tag}>" for cell in row)

    body = []
    for title, columns, note in parts:
        if columns is None and not note:
            continue
        body.append(f"<h2>{html.escape(title)}</h2><p>{html.escape(note)}</p>")
        if title == "Accuracy":
            body.append(_curves(grid))
        if columns is not None:
            rows = "".join(
                f"<tr>{cells('td', row)}</tr>" for row in zip(*columns.values(), strict=True)
            )
            body.append(
                f'<div class="scroll"><table><tr>{cells("th", list(columns))}</tr>{rows}</table></div>'
            )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src'
        " 'unsafe-inline'\">"
        f"<title>advlab: robustness</title><style>{_STYLE}</style></head><body>"
        f"<h1>Robustness: {html.escape(grid.data)}</h1>{''.join(body)}</body></html>"
    )


def _curves(grid: Grid) -> str:
    """Accuracy against ε as inline SVG: a band and a line a row, noise dotted."""
    width, height, left, foot = 720, 300, 52, 44
    end = max(row.eps[-1] for row in grid.rows) or 1.0

    def at(x: float, y: float) -> str:
        return (
            f"{left + (width - left - 14) * x / end:.1f},{10 + (height - foot - 10) * (1 - y):.1f}"
        )

    drawn = []
    for k in range(6):
        x0, y0 = at(0, k / 5).split(",")
        drawn.append(
            f'<line x1="{x0}" x2="{width - 14}" y1="{y0}" y2="{y0}" stroke="currentColor"'
            f' stroke-opacity=".15"/><text x="{left - 6}" y="{float(y0) + 4}"'
            f' text-anchor="end">{20 * k} %</text>'
        )
    ticks = sorted({0.0, *(eps for row in grid.rows for eps in row.eps)})
    for eps in ticks:
        x0 = at(eps, 0).split(",")[0]
        drawn.append(f'<text x="{x0}" y="{height - 22}" text-anchor="middle">{eps:g}</text>')
    legend = []
    for k, row in enumerate(grid.rows):
        colour = CLASSES[k % len(CLASSES)]
        x = [0.0, *row.eps]
        rates = [row.clean, *row.robust]
        band = [at(a, r.high) for a, r in zip(x, rates, strict=True)]
        band += [at(a, r.low) for a, r in zip(x, rates, strict=True)][::-1]
        line = [at(a, r.value) for a, r in zip(x, rates, strict=True)]
        noise = [
            at(a, v)
            for a, v in zip(x, [row.clean.value, *(r.value for r in row.noisy)], strict=True)
        ]
        dash = ("", "8 4", "2 4", "8 4 2 4")[k % 4]
        drawn.append(
            f'<polygon points="{" ".join(band)}" fill="{colour}" fill-opacity=".18"/>'
            f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="2.5"'
            f' stroke-dasharray="{dash}"/>'
            f'<polyline points="{" ".join(noise)}" fill="none" stroke="{colour}"'
            ' stroke-dasharray="1 4"/>'
        )
        name = html.escape(robustness.name_of(grid, row))
        legend.append(
            f'<span style="white-space:nowrap"><svg viewBox="0 0 30 8" style="width:30px"'
            f' aria-hidden="true"><line x1="0" x2="30" y1="4" y2="4" stroke="{colour}"'
            f' stroke-width="2.5" stroke-dasharray="{dash}"/></svg> {name}</span>'
        )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Accuracy against ε">'
        f'{"".join(drawn)}<text x="{(left + width) / 2}" y="{height - 4}"'
        f' text-anchor="middle">ε</text></svg><p>{" &nbsp; ".join(legend)}; finely dotted: random'
        " noise as long</p>"
    )
