"""A capsule as one web page: readable without a network, without scripts, on paper and on a phone.

The page forbids itself everything but its own style sheet, and holds the capsule in an inert block,
so that the same file can be opened again.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from advlab.capsule import forecast, worth
from advlab.capsule.format import BLOCK, Capsule
from advlab.pictures.answers import common
from advlab.pictures.sentences import number, percent

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --line: #c8c8c8; --a: #0072b2;
  --b: #b34700; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #14181d; --line: #505860;
  --a: #56b4e9; --b: #f59322; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 1.6rem 0 .3rem; }
.big { font-size: 1.2rem; font-weight: 600; }
svg { width: 100%; height: auto; max-width: 44rem; display: block; }
svg text { fill: currentColor; font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border-bottom: 1px solid var(--line); padding: 3px 8px 3px 0; text-align: left;
  vertical-align: top; }
th, td { overflow-wrap: break-word; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; } .wide { min-width: 56rem; }
"""


def page(capsule: Capsule, source: str) -> str:
    """The page of a capsule; `source` is the JSON that it was read from."""
    numbers = capsule.numbers
    title = f"advlab: {capsule.headline}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src'
        " 'unsafe-inline'\">",
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>",
        "<h1>One sentence, attacked</h1>",
        f'<p class="big" dir="auto">“{_text(capsule.text)}”</p>',
        f"<p>{_text(capsule.headline)}</p>",
        *_forecast(capsule),
        "<h2>What the model says</h2>",
        _predictions(capsule),
        "<h2>Probability against ε</h2>",
        f"<p>Solid: the attack. Band: random noise as long. The vertical line is ε = "
        f"{number(capsule.eps)} raw.</p>",
        _curve(capsule),
        "<h2>Loss, step by step</h2>",
        f"<p>The attack kept step {capsule.best_step}.</p>",
        _line_chart(
            np.arange(len(numbers["losses"])),
            [("var(--a)", numbers["losses"])],
            None,
            "attack step",
            "loss, nats",
            mark=float(capsule.best_step),
        ),
        "<h2>Where δ sits</h2>",
        "<p>Length of δ on each token, how far that is on the way to another token, and the token"
        " nearest to the perturbed vector.</p>",
        _tokens(capsule),
        "<h2>As text again</h2>",
        f'<p dir="auto">“{_text(capsule.round_trip_text)}”</p>',
        *_passports(capsule),
        "<h2>To repeat it</h2>",
        _settings(capsule),
        f'<script type="application/json" id="{BLOCK}">{_inert(source)}</script>',
        "</body></html>",
    ]
    return "\n".join(parts)


def _text(value: object) -> str:
    return html.escape(str(value))


def _inert(source: str) -> str:
    """JSON that cannot end the block it stands in; it means the same."""
    return source.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int]) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if k in numeric else ''} dir=auto>{_text(cell)}</{tag}>"
            for k, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells("th", head)}</tr>{body}</table></div>'


def _predictions(capsule: Capsule) -> str:
    classes = list(capsule.classes)
    rows = []
    for name, key in (
        ("the sentence", "clean"),
        ("under attack", "attacked"),
        ("random noise, mean", "noise"),
        ("nearest tokens", "nearest tokens"),
        ("as text again", "as text again"),
    ):
        reading = capsule.readings[key]
        if not len(reading):
            continue
        values = [reading.parts[c] for c in classes] if classes else [reading.score]
        rows.append([name, common(reading)[0], *(percent(float(v.mean())) for v in values)])
    head = ["", "prediction", *(classes or [f"score of {capsule.reference}"])]
    return _table(head, rows, range(2, len(head)))


def _curve(capsule: Capsule) -> str:
    numbers = capsule.numbers
    return _line_chart(
        numbers["curve_eps"],
        [("var(--a)", capsule.readings["curve"].score)],
        (numbers["curve_low"], numbers["curve_high"]),
        "ε, raw",
        f"P({capsule.reference})",
        mark=capsule.eps,
        top=1.0,
    )


def _line_chart(
    x: np.ndarray,
    lines: Sequence[tuple[str, np.ndarray]],
    band: tuple[np.ndarray, np.ndarray] | None,
    x_title: str,
    y_title: str,
    *,
    mark: float | None = None,
    top: float | None = None,
) -> str:
    width, height, left, foot = 640, 240, 56, 44
    high = top or max(max(float(y.max()) for _, y in lines), 1e-9) * 1.05
    low = min(0.0, *(float(y.min()) for _, y in lines))
    span = float(x[-1] - x[0]) or 1.0

    def px(v: float) -> float:
        return left + (width - left - 12) * (v - float(x[0])) / span

    def py(v: float) -> float:
        return 10 + (height - foot - 10) * (high - v) / (high - low)

    def points(xs: np.ndarray, ys: np.ndarray) -> str:
        return " ".join(
            f"{px(float(a)):.1f},{py(float(b)):.1f}" for a, b in zip(xs, ys, strict=True)
        )

    marks = []
    for k in range(5):
        v = low + (high - low) * k / 4
        marks.append(
            f'<line x1="{left}" x2="{width - 12}" y1="{py(v):.1f}" y2="{py(v):.1f}"'
            ' stroke="currentColor" stroke-opacity=".15"/>'
            f'<text x="{left - 6}" y="{py(v) + 4:.1f}" text-anchor="end">{number(v)}</text>'
        )
        u = float(x[0]) + span * k / 4
        marks.append(
            f'<text x="{px(u):.1f}" y="{height - foot + 18}" text-anchor="middle">{number(u)}</text>'
        )
    if band is not None:
        there, back = points(x, band[1]), points(x[::-1], band[0][::-1])
        marks.append(f'<polygon points="{there} {back}" fill="#808080" fill-opacity=".35"/>')
    for colour, y in lines:
        marks.append(
            f'<polyline points="{points(x, y)}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        )
    if mark is not None and x[0] <= mark <= x[-1]:
        marks.append(
            f'<line x1="{px(mark):.1f}" x2="{px(mark):.1f}" y1="10" y2="{height - foot}"'
            ' stroke="var(--b)" stroke-dasharray="4 3" stroke-width="2"/>'
        )
    label = _text(f"{y_title} against {x_title}")
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{"".join(marks)}'
        f'<text x="{(left + width) / 2}" y="{height - 6}" text-anchor="middle">{_text(x_title)}</text>'
        f'<text x="{left}" y="9" text-anchor="start">{_text(y_title)}</text></svg>'
    )


def _tokens(capsule: Capsule) -> str:
    numbers = capsule.numbers
    norms, exits = numbers["delta_norm"] / capsule.mean_norm, numbers["exit_radius"]
    longest = float(norms.max()) or 1.0
    rows = []
    for t, token in enumerate(capsule.tokens):
        reach = np.isfinite(exits[t]) and exits[t] > 0
        share = percent(float(numbers["delta_norm"][t] / exits[t])) if reach else "–"
        bar = (
            f'<svg viewBox="0 0 100 10" style="width:8rem" aria-hidden="true"><rect height="10"'
            f' width="{100 * norms[t] / longest:.1f}" fill="var(--a)"/></svg>'
        )
        moved = capsule.nearest[t] if capsule.nearest[t] != token else "itself"
        rows.append(
            f"<tr><td dir=auto>{_text(token)}</td><td>{bar}</td>"
            f"<td class=n>{number(float(norms[t]))}</td><td class=n>{share}</td>"
            f"<td dir=auto>{_text(moved)}</td></tr>"
        )
    head = (
        "<tr><th>token</th><th></th><th class=n>‖δ‖ × mean norm</th><th class=n>of the way out</th>"
        "<th>nearest</th></tr>"
    )
    return f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>'


def _forecast(capsule: Capsule) -> list[str]:
    if capsule.forecast is None:
        return []
    text = forecast.compared(capsule.forecast, capsule.flips_at, capsule.eps / capsule.mean_norm)
    return ["<h2>What was foretold</h2>", f"<p>{_text(text)}</p>"]


def _passports(capsule: Capsule) -> list[str]:
    """How far the attributions can be believed, where the capsule says."""
    if not capsule.explanations:
        return []
    table = worth.columns(capsule.explanations)
    rows = [list(row) for row in zip(*table.values(), strict=True)]
    return [
        "<h2>What the explanations are worth</h2>",
        f"<p>{_text(worth.MEANING)}</p>",
        # wide enough for a line or two a cell: on a phone it is moved sideways
        _table(list(table), rows, range(3, len(table) - 1)).replace(
            "<table", "<table class=wide", 1
        ),
    ]


def _settings(capsule: Capsule) -> str:
    rows = [
        ["saved", capsule.made],
        ["model", capsule.model],
        ["weights", capsule.model_hash],
        ["tokenizer", capsule.tokenizer_hash],
        ["answer attacked", "the model's own" if capsule.label is None else capsule.label],
        ["seed", str(capsule.seed)],
        ["ε, raw", number(capsule.eps)],
        *([f"attack: {k}", str(v)] for k, v in capsule.attack.items()),
        *([k, v] for k, v in capsule.versions.items()),
    ]
    if capsule.shield:
        words = ", ".join(capsule.text[start:end] for start, end in capsule.shield)
        rows.append(["shielded", words])
    return _table(["setting", "value"], rows, ())
