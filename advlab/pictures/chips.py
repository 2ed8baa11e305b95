"""A written answer beside the clean one: tokens aligned by edit distance, each with its nats."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from advlab.language import _
from advlab.pictures.style import FLIPS, NEUTRAL, faded
from advlab.pictures.text import DARKEST

# scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, kana, Han
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
FULL = 3.0  # nats from which a chip is darkest


@dataclass(frozen=True)
class Chip:
    """One place of an alignment: what stood there, and what stands there now."""

    before: str | None  # None: there was nothing
    now: str | None  # None: it is gone; "" is the end of the answer
    nats: float | None  # of `now`
    joined: bool = False  # goes on a word: no blank before it
    first: bool = False  # the first that changed

    @property
    def changed(self) -> bool:
        """Whether another token stands here."""
        return self.before != self.now


def cut(*texts: str) -> list[list[str]]:
    """Texts in words; in signs where one of them is of a script without blanks."""
    if any(_UNSPACED.search(text) for text in texts):
        return [[sign for sign in text if not sign.isspace()] for text in texts]
    return [text.split() for text in texts]


def aligned(before: Sequence[str], now: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Places of two rows that stand beside each other, by the fewest edits (Levenshtein 1966).

    None where one row has nothing there. Of ways equally short, tokens are replaced rather than moved.
    """
    n, m = len(before), len(now)
    cost = [[i + j if not i * j else 0 for j in range(m + 1)] for i in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            other = before[i - 1] != now[j - 1]
            cost[i][j] = min(cost[i - 1][j - 1] + other, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    found: list[tuple[int | None, int | None]] = []
    i, j = n, m
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (before[i - 1] != now[j - 1]):
            i, j = i - 1, j - 1
            found.append((i, j))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            found.append((i, None))
        else:
            j -= 1
            found.append((None, j))
    return found[::-1]


def chips(before: Sequence[str], now: Sequence[str], nats: Sequence[float]) -> list[Chip]:
    """Pieces of the clean answer against those of another; blanks between pieces do not count."""
    old, new = [p.strip() for p in before], [p.strip() for p in now]
    found: list[Chip] = []
    flagged = False
    for i, j in aligned(old, new):
        was, stands = None if i is None else old[i], None if j is None else new[j]
        first = was != stands and not flagged
        flagged |= first
        piece = now[j] if j is not None else before[i or 0]
        value = float(nats[j]) if j is not None else math.nan
        found.append(
            Chip(
                was,
                stands,
                None if math.isnan(value) else value,
                bool(found) and not piece[:1].isspace() and bool(piece),
                first,
            )
        )
    return found


def row_html(row: Sequence[Chip]) -> str:
    """Chips in a row that wraps: above what stood there, below the nats."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:2px 0">{"".join(map(_html, row))}</div>'


def _html(chip: Chip) -> str:
    edge = f"2px solid {FLIPS}" if chip.changed else "1px solid rgba(128,128,128,.45)"
    under = faded(NEUTRAL, round(DARKEST * min((chip.nats or 0.0) / FULL, 1.0), 3))
    above = "text-decoration:line-through" if chip.changed and chip.before else ""
    flag = f'<span style="color:{FLIPS};font-weight:700">▼ </span>' if chip.first else ""
    value = "" if chip.nats is None else f"{chip.nats:.2f}"
    return (
        f'<span style="display:inline-flex;flex-direction:column;align-items:center;'
        f'margin-left:{0 if chip.joined else 5}px">'
        f'<small style="opacity:.75;{above};min-height:1.2em">{flag}{_shown(chip.before)}</small>'
        f'<span style="border:{edge};border-radius:5px;padding:0 5px;background:{under}">'
        f"{_shown(chip.now)}</span>"
        f'<small style="opacity:.75;font-size:.7rem">{value}</small></span>'
    )


def _shown(piece: str | None) -> str:
    if piece is None:
        return "&nbsp;"
    return html.escape(piece) if piece else f"<em>{_('end')}</em>"
