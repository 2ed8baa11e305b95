"""Text as HTML: a sentence with coloured or dashed words, and legends. Every piece is escaped.

Colours lie under the words, no darker than `DARKEST`, so that the page's own text colour is read on
them in light and in dark. Dashed is what was shielded from the attack.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from advlab.language import _, listing
from advlab.pictures.style import DIVERGING, NEUTRAL, faded
from advlab.records import AttackRecord

DARKEST = 0.55  # opacity under the word with the largest value
AGAINST, FOR = DIVERGING[0][1], DIVERGING[-1][1]
_WORD = "border-radius:4px;padding:2px 0;"
_DASHED = "border:1px dashed currentColor;"
_TEXT = (
    "font-size:1.35rem;line-height:1.8;margin:0 0 .4rem;overflow-wrap:anywhere;white-space:pre-wrap"
)


@dataclass(frozen=True)
class Mark:
    """A sign of a picture for its legend: a line or an area, and what it stands for."""

    colour: str
    text: str
    line: str = ""  # solid or dotted; empty: an area
    edged: bool = False  # with black beside it, for what is nearly white
    round: bool = False


def pieces(record: AttackRecord, shown: Sequence[int]) -> list[tuple[str, int]]:
    """The text as it was typed, cut at its tokens: (piece, place among `shown` or −1)."""
    place = {t: k for k, t in enumerate(shown)}
    found: list[tuple[str, int]] = []
    end = 0
    for t, (start, stop) in enumerate(record.spans.tolist()):
        if stop <= max(start, end):  # a special token, or one that shares its letters with the last
            continue
        start = max(start, end)
        if start > end:
            found.append((record.text[end:start], -1))
        found.append((record.text[start:stop], place.get(t, -1)))
        end = stop
    return [*found, (record.text[end:], -1)] if end < len(record.text) else found


def words_of(record: AttackRecord) -> list[tuple[str, int]]:
    """The text as it was typed, cut at its words: (piece, word or −1 where it has none)."""
    found: list[tuple[str, int]] = []
    for piece, t in pieces(record, range(len(record.tokens))):
        word = int(record.word_of[t]) if t >= 0 else -1
        if word >= 0 and found and found[-1][1] == word:
            found[-1] = (found[-1][0] + piece, word)
        else:
            found.append((piece, word))
    return found


def shielded_words(record: AttackRecord) -> set[int]:
    """The words that the attack was told to leave alone."""
    return {
        int(word)
        for word, (start, end) in zip(record.word_of, record.spans, strict=True)
        if word >= 0 and any(start < high and end > low for low, high in record.shield)
    }


def coloured(
    record: AttackRecord,
    values: np.ndarray,
    top: float,
    hover: Callable[[int], str],
    *,
    signed: bool = True,
) -> str:
    """The sentence, each word as dark as its value is large: for and against, grey without a sign.

    values: (W,); `top`: the value that is darkest; `hover`: what the pointer is told of a word.
    """
    held = shielded_words(record)
    parts = []
    for piece, w in words_of(record):
        if w < 0:
            parts.append(html.escape(piece))
            continue
        value = float(values[w]) if np.isfinite(values[w]) else 0.0
        colour = NEUTRAL if not signed else FOR if value > 0 else AGAINST
        under = faded(colour, round(DARKEST * min(abs(value) / (top or 1.0), 1.0), 3))
        title = hover(w) + (f" ({_('shielded')})" if w in held else "")
        style = f"{_WORD}background:{under};{_DASHED if w in held else ''}"
        parts.append(
            f'<span style="{style}" title="{html.escape(title)}">{html.escape(piece)}</span>'
        )
    return f'<p dir="auto" style="{_TEXT}">{"".join(parts)}</p>'


def cut(text: str, shield: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    """A text at its shielded spans: (piece, whether it was shielded)."""
    found: list[tuple[str, bool]] = []
    end = 0
    for start, stop in sorted(shield):
        start = max(start, end)
        if stop > start:
            found += [(text[end:start], False), (text[start:stop], True)]
            end = stop
    return [(piece, held) for piece, held in [*found, (text[end:], False)] if piece]


def quoted(text: str, shield: Sequence[tuple[int, int]]) -> str:
    """A text in quotes with its shielded words dashed, and these named below."""
    parts = [
        f'<span style="{_WORD}{_DASHED}" title="{_("shielded")}">{html.escape(piece)}</span>'
        if held
        else html.escape(piece)
        for piece, held in cut(text, shield)
    ]
    said = shield_sentence(text, shield)
    below = f'<p dir="auto">{html.escape(said)}</p>' if said else ""
    return f'<p dir="auto" style="{_TEXT}">“{"".join(parts)}”</p>{below}'


def shield_sentence(text: str, shield: Sequence[tuple[int, int]]) -> str:
    """Which words the attack left alone; empty when there are none."""
    held = [f"‘{piece}’" for piece, shielded in cut(text, shield) if shielded]
    return _("Shielded from the attack (dashed): {held}.", held=listing(held)) if held else ""


def legend(marks: Sequence[Mark]) -> str:
    """What each sign of a picture stands for; it wraps and grows with the reader's letters."""
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:2px 1.1em;margin:0 0 .5rem;font-size:.9rem">'
        + "".join(_entry(mark) for mark in marks)
        + "</div>"
    )


def _entry(mark: Mark) -> str:
    shape = f"width:.9em;height:.9em;background:{mark.colour};"
    if mark.line:
        shape = f"width:1.8em;border-top:3px {mark.line} {mark.colour};"
        shape += "box-shadow:0 0 0 1px #000;" if mark.edged else ""
    elif mark.round:
        shape += "border-radius:50%;"
    else:
        shape += "outline:1px solid rgba(128,128,128,.5);"
    sign = f'<span style="display:inline-block;flex:none;{shape}"></span>'
    return (
        '<span style="display:inline-flex;align-items:center;gap:.4em">'
        f"{sign}<span>{html.escape(_(mark.text))}</span></span>"
    )
