"""The round trip as a strip of four stages, in HTML: every piece of text is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from advlab.language import _
from advlab.pictures.sentences import alike, percent
from advlab.pictures.style import FLIPS, NEUTRAL
from advlab.pictures.wording import said
from advlab.records import AttackRecord

_CHIP = (
    "display:inline-block;margin:2px;padding:2px 6px;border-radius:6px;max-width:100%;"
    "overflow-wrap:anywhere;border:1px solid rgba(128,128,128,.5);"
)
_LIMIT = 60  # chips a stage; longer sentences say how many are left out


def shielded_tokens(record: AttackRecord) -> np.ndarray:
    """(T,) bool: words that the attack was told to leave alone. Special tokens stand nowhere."""
    inside = [
        any(s < end and e > start for start, end in record.shield) for s, e in record.spans.tolist()
    ]
    return np.array(inside, dtype=bool) & ~record.perturbable


def round_trip_html(record: AttackRecord) -> str:
    """Sentence → vectors → nearest tokens → text, with the prediction at each stage."""
    held, shielded = shielded_tokens(record), _("shielded")
    rows = np.flatnonzero(record.perturbable | held)
    sizes = dict(zip(rows, alike(record.delta_norm[rows] / record.scale.mean_norm), strict=True))
    stages = (
        (
            _("1 · the sentence"),
            _chips([record.tokens[t] + (f" ({shielded})" if held[t] else "") for t in rows]),
            record.clean,
        ),
        (
            _("2 · vectors (no text); ‖δ‖, × mean norm"),
            _chips([shielded if held[t] else f"+{sizes[t]} ×" for t in rows], dashed=True),
            record.attacked,
        ),
        (
            _("3 · nearest tokens"),
            _chips(
                [
                    f"{record.tokens[t]} ({shielded})"
                    if held[t]
                    else record.neighbours.tokens[t][0]
                    for t in rows
                ],
                [bool(record.moved[t]) for t in rows],
            ),
            record.projected,
        ),
        (
            _("4 · as text, tokenised again"),
            f'<q style="overflow-wrap:anywhere">{html.escape(record.round_trip_text)}</q>',
            record.round_trip,
        ),
    )
    parts, flipped = [], f" ({_('flipped')})"
    for title, body, reading in stages:
        changed = bool(reading.broken[0])
        verdict = (
            f"{'✗' if changed else '✓'} {html.escape(said(record, reading.answers[0]))}"
            f" {percent(float(reading.sure[0]))}{flipped if changed else ''}"
        )
        parts.append(
            '<div style="border-left:4px '
            f"{f'double {FLIPS}' if changed else f'solid {NEUTRAL}'};padding:2px 0 6px 10px;"
            'margin-bottom:8px">'
            '<div style="display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 12px">'
            f"<span>{title}</span><strong>{verdict}</strong></div>"
            f'<div dir="auto">{body}</div></div>'
        )
    return "".join(parts)


def _chips(
    texts: Sequence[str], marked: Sequence[bool] | None = None, *, dashed: bool = False
) -> str:
    chips = []
    for k, text in enumerate(texts[:_LIMIT]):
        style = _CHIP + ("border-style:dashed;opacity:.85;" if dashed else "")
        if marked is not None and marked[k]:
            style += f"border:2px solid {FLIPS};font-weight:700;text-decoration:underline;"
        chips.append(f'<span style="{style}">{html.escape(text)}</span>')
    if len(texts) > _LIMIT:
        chips.append(f"<span>{_('… and {n} more', n=len(texts) - _LIMIT)}</span>")
    return "".join(chips) or f"<em>{_('nothing')}</em>"
