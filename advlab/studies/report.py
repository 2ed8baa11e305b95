"""An evaluation as a report: an HTML file that needs no network, and Markdown, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from advlab.language import N_, _, retold
from advlab.pictures import quoted, robustness
from advlab.pictures.page import Band, Chart, Line, Section, Table, frame, versions
from advlab.pictures.style import RUNS
from advlab.pictures.tables import Columns, to_csv
from advlab.studies.parts import slices_of

if TYPE_CHECKING:
    from advlab.records import Estimate, Example
    from advlab.records.measured import Alarm, Grid

LIMITS = (
    N_("Accuracy under attack is an upper bound: a stronger attack may break more."),
    N_("A text counts as broken at every ε at or above the first that breaks it."),
    N_(
        "Intervals are 95 %, for these texts: Wilson's of shares of texts, else a "
        "bootstrap over texts; another data set may differ by more."
    ),
    N_(
        "ε is measured on word vectors: what it allows is no text, and says "
        "nothing of typing errors."
    ),
)

ACCURACY, ANSWERS = N_("Accuracy"), N_("Answers")
SHARES = [(k / 5, f"{20 * k} %") for k in range(6)]  # ticks
PAIRED = N_("Draws of the same texts, in pairs; an interval without 0 differs.")


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

    And quoted.csv, where figures of the answers were measured.

    `known` as for `slices_of`; `more`: further tables as title, columns, note; `used`: which texts
    these are, in words, among the settings.
    """
    made = made or datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    settings = _settings(grid, made, used or {})
    last = len(grid.rows[0].eps) - 1
    largest = f"{grid.rows[0].eps[last]:g}"
    parts: list[tuple[str, Columns | None, str]] = [
        (_("Settings"), {"setting": list(settings), "value": list(settings.values())}, ""),
        (_(ACCURACY), robustness.columns(grid), _("Share read right, with 95 % intervals.")),
        *_quoted(grid),
        (
            _("Alarms"),
            _alarms(alarms) if alarms else None,
            "" if alarms else _("None of the checks found anything."),
        ),
        (
            _("Paired differences at ε = {largest}", largest=largest),
            robustness.paired(grid, last) if len(grid.rows) > 1 else None,
            _("McNemar's exact test on the texts on which two rows differ; paired bootstrap."),
        ),
        (
            _("Parts of the texts at ε = {largest}", largest=largest),
            robustness.slices(grid, slices_of(examples, known), last),
            "",
        ),
        *(
            [(_("Paired differences of the answers"), quoted.paired(grid, last), _(PAIRED))]
            if len(grid.rows) > 1 and quoted.names(grid)
            else []
        ),
        *((title, columns, note) for title, columns, note in more),
        (_("Limits"), {"": [_(limit) for limit in LIMITS]}, ""),
    ]
    tables = {"quoted.csv": to_csv(quoted.columns(grid))} if quoted.names(grid) else {}
    return tables | {
        "report.html": _page(grid, parts),
        "report.md": _markdown(parts),
        "accuracy.csv": to_csv(robustness.columns(grid)),
        "texts.csv": to_csv(robustness.outcomes(grid, examples)),
        "report.json": json.dumps(
            _json(grid, settings, alarms) | {title: columns for title, columns, __ in more},
            ensure_ascii=False,
            indent=1,
        ),
    }


def _quoted(grid: Grid) -> list[tuple[str, Columns | None, str]]:
    """The table of all figures of the answers."""
    names = quoted.names(grid)
    if not names:
        return []
    return [(_(ANSWERS), quoted.columns(grid), quoted.sentence(names))]


def _settings(grid: Grid, made: str, used: Mapping[str, str]) -> dict[str, str]:
    found = {
        _("data"): grid.data,
        _("texts"): str(len(grid.ids)),
        **used,
        _("data hash"): grid.data_hash,
        _("most frequent answer"): f"{100 * grid.majority:.1f} %",
        _("seed"): str(grid.seed),
        _("made"): made,
    }
    for row in grid.rows:
        name = robustness.name_of(grid, row)
        settings = ", ".join(f"{k} {v}" for k, v in row.attack.items() if k != "eps")
        found[name] = _(
            "weights {model_hash}; {settings}", model_hash=row.model_hash, settings=settings
        )
    return found | {_("version of {k}", k=k): v for k, v in versions().items()}


def _alarms(alarms: Sequence[Alarm]) -> Columns:
    return {
        "model": [a.model for a in alarms],
        "alarm": [retold(a.name) for a in alarms],
        "evidence": [retold(a.evidence) for a in alarms],
        "what to do": [retold(a.advice) for a in alarms],
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
                "quoted": [
                    {
                        "name": one.name,
                        "how": one.note,
                        "clean": plain(one.clean.estimate),
                        "robust": [plain(r.estimate) for r in one.robust],
                        "noise": [plain(r.estimate) for r in one.noisy],
                    }
                    for one in row.quoted
                ],
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

    lines = [f"# {_('Robustness')}", ""]
    for title, columns, note in parts:
        if columns is None and not note:
            continue
        lines += [f"## {title}", "", *([note, ""] if note else [])]
        if columns is not None:
            lines += [
                f"| {' | '.join(cell(_(name)) for name in columns)} |",
                "|---" * len(columns) + "|",
                *(
                    f"| {' | '.join(map(cell, row))} |"
                    for row in zip(*columns.values(), strict=True)
                ),
                "",
            ]
    return "\n".join(lines)


def _page(grid: Grid, parts: Sequence[tuple[str, Columns | None, str]]) -> str:
    sections = []
    for title, columns, note in parts:
        if columns is None and not note:
            continue
        chart = _accuracy(grid) if title == _(ACCURACY) else None
        table = _table(columns) if columns is not None else None
        sections.append(Section(title, note, chart=chart, table=table))
        if title == _(ANSWERS):
            drawn = [(name, _answers(grid, name)) for name in quoted.names(grid)]
            sections += [Section(name, "", chart=chart) for name, chart in drawn if chart]
    return frame(_("advlab: robustness"), _("Robustness: {data}", data=grid.data), sections)


def _table(columns: Columns) -> Table:
    return Table([_(name) for name in columns], list(zip(*columns.values(), strict=True)))


def _accuracy(grid: Grid) -> Chart:
    """Accuracy against ε."""
    rows = [([row.clean, *row.robust], row.noisy) for row in grid.rows]
    return _curves(_(ACCURACY), grid, rows, SHARES)


def _answers(grid: Grid, name: str) -> Chart | None:
    """One figure of the answers against ε; None where it grows beyond what a linear axis shows."""
    found = [quoted.of(row, name) for row in grid.rows]
    rows = [
        ([r.estimate for r in (one.clean, *one.robust)], [r.estimate for r in one.noisy])
        for one in found
    ]
    high = max(rate.value for rates, noise in rows for rate in (*rates, *noise))
    if found[0].clean.unit == "share":
        return _curves(name, grid, rows, SHARES)
    if not 0 < high <= 100:
        return None
    step = 10.0 ** np.floor(np.log10(high))
    ticks = [step * k / 2 for k in range(int(2 * high / step) + 2)]
    return _curves(name, grid, rows, [(y, f"{y:g}") for y in ticks[:: 1 + len(ticks) // 8]])


def _curves(
    name: str,
    grid: Grid,
    rows: Sequence[tuple[Sequence[Estimate], Sequence[Estimate]]],
    y_ticks: Sequence[tuple[float, str]],
) -> Chart:
    """A band and a line a row, noise dotted; the rows are rates from ε = 0 on, and noise."""
    shapes: list[Band | Line] = []
    for k, (row, (rates, noise)) in enumerate(zip(grid.rows, rows, strict=True)):
        colour, dash = RUNS[k % len(RUNS)], ("", "8 4", "2 4", "8 4 2 4")[k % 4]
        x = [0.0, *row.eps]
        if rates[0].low == rates[0].low:  # a number
            low, high = [rate.low for rate in rates], [rate.high for rate in rates]
            shapes.append(Band(x, low, high, colour, 0.18))
        shapes += [
            Line(
                x, [rate.value for rate in rates], colour, dash, name=robustness.name_of(grid, row)
            ),
            Line(x, [rate.value for rate in (rates[0], *noise)], colour, "1 4", width=1),
        ]
    ticks = sorted({0.0, *(eps for row in grid.rows for eps in row.eps)})
    return Chart(
        _("{name} against ε", name=name),
        shapes,
        x_ticks=[(eps, f"{eps:g}") for eps in ticks],
        y_ticks=y_ticks,
        x_title="ε",
        legend=_("; finely dotted: random noise as long"),
        width=720,
        height=300,
    )
