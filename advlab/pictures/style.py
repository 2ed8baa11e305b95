"""What all pictures share without Plotly: colours, shapes, dashes, and how things are called.

A colour means one thing on all pages: models and runs are Okabe and Ito's, answers have colours of
their own, and so have for and against. Every colour has a second sign: shape, dash or number.
"""

from __future__ import annotations

import html

from advlab.language import N_

SIDES = (  # models A, B and C
    ("#0072B2", "circle", "solid"),
    ("#D55E00", "diamond", "dash"),
    ("#009E73", "square", "dot"),
)
RUNS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # as sides, then more
# answers: none of them the colour of a model, so that blue is always model A
CLASSES = ("#5C6B7A", "#B58900", "#C2569B", "#8C5A3C", "#4B9BB0", "#A3A380", "#E08E79", "#999999")
SHAPES = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "hexagon")
DASHES = {  # Plotly's name -> strokes and gaps of an SVG line
    "solid": "",
    "dash": "7 4",
    "dot": "2 4",
    "dashdot": "7 4 2 4",
    "longdash": "12 4",
    "longdashdot": "12 4 2 4",
}
CLEAN, PERTURBED = "#6C63C7", "#808000"  # texts in training curves: as they are, and under δ
AHEAD = "#D81B60"  # δ's arrow, and what lies along it: no model's colour
NEUTRAL = "#808080"  # visible on white and on near-black
DIVERGING = ((0.0, "#5f9414"), (0.5, "#e8eaeb"), (1.0, "#7b3294"))  # against, for
FLIPS = "#B3261E"  # of marks that tell flips from the rest
CLEAR = "rgba(0,0,0,0)"
LONGEST = 48  # characters of an answer within a sentence
# systems' own fonts of simplified characters, for what the font before them does not have
CJK_FONTS = (
    *("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC"),
    *("Microsoft YaHei", "WenQuanYi Micro Hei"),
)
FONTS = ", ".join(("system-ui", *(f"'{name}'" for name in CJK_FONTS), "sans-serif"))
UNITS = {"norm": N_("× mean norm"), "half-nn": N_("× half-NN distance"), "raw": N_("raw")}  # of ε


def label(text: str, limit: int = 24) -> str:
    """Text fit for a Plotly label, which reads some HTML: escaped, on one line, `short`."""
    return html.escape(short(text, limit) or "␣", quote=False)


def short(text: str, limit: int = LONGEST) -> str:
    """A text on one line, its middle left out where it is long: both ends tell names apart.

    It is cut between words, where one ends within the last half of what there is room for.
    """
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    room = (limit - 1) * 2 // 3
    head, tail = text[:room], text[len(text) - (limit - 1 - room) :]
    if text[room] != " " and " " in head[len(head) // 2 :]:
        head = head[: head.rindex(" ")]
    if text[len(text) - len(tail) - 1] != " " and " " in tail[: len(tail) // 2]:
        tail = tail[tail.index(" ") :]
    return f"{head.rstrip()}…{tail.lstrip()}"


def side(i: int, name: str = "") -> str:
    """‘A: plain’: how a model is called where two are shown; its letter alone without a name."""
    return f"{'ABCDEF'[i]}: {name}" if name else "ABCDEF"[i]


def faded(colour: str, alpha: float) -> str:
    """A hex colour with an opacity."""
    r, g, b = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"
