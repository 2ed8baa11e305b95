"""An answer that is a span of its text: where it begins and ends, token by token, and where it went.

`parts` of a reading hold p(start) and p(end) (N,T), and span(answer) and span(reference) (N,2), first
and last token; both are a special token where there is no answer.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import numpy as np

from advlab.language import _
from advlab.pictures.style import CLASSES
from advlab.pictures.text import Mark, legend, pieces
from advlab.pictures.wording import said
from advlab.records import AttackRecord, Reading
from advlab.records.examples import NO_ANSWER

START, END = CLASSES[1], CLASSES[2]
HEIGHT = 13  # px of a bar that stands for certainty
_SENTENCE = re.compile(r"[.!?。！？]+(?=\s|$)")


@dataclass(frozen=True)
class Spans:
    """F versions of one text for the player; tokens are counted among those that stand in the text."""

    at: list[int]  # for each piece of the text its token, −1 where it has none
    start: list[list[float]]  # F × K, p(start)
    end: list[list[float]]  # F × K, p(end)
    answer: list[tuple[int, int]]  # F: first and last token, −1 where no answer is given
    clean: tuple[int, int]  # without δ
    known: tuple[int, int]  # of the reference


def spans(record: AttackRecord, reading: Reading) -> Spans:
    """What the model reads in F versions of a record's text."""
    cut = pieces(record, range(len(record.tokens)))
    there = [t for __, t in cut if t >= 0]
    place = {t: k for k, t in enumerate(there)}
    values = [
        [[float(f"{v:.3g}") for v in row[there]] for row in reading.parts[name]]
        for name in ("p(start)", "p(end)")
    ]
    known = record.clean.parts["span(reference)"][0]
    return Spans(
        at=[place.get(t, -1) for __, t in cut],
        start=values[0],
        end=values[1],
        answer=[_within(ends, place) for ends in reading.parts["span(answer)"]],
        clean=_within(record.clean.parts["span(answer)"][0], place),
        known=_within(known, place),
    )


def _within(ends: np.ndarray, place: dict[int, int]) -> tuple[int, int]:
    first, last = (place.get(int(t), -1) for t in ends)
    return (first, last) if first >= 0 and last >= 0 else (-1, -1)


def mean(reading: Reading) -> Reading:
    """Several draws as one: mean chances, and of the answers one that is usual."""
    answers = list(reading.answers)
    usual = max(answers, key=answers.count)
    one = reading.take([answers.index(usual)])
    parts = {n: reading.parts[n].mean(0, keepdims=True) for n in ("p(start)", "p(end)")}
    return Reading(
        one.answers,
        reading.score.mean(keepdims=True),
        one.sure,
        one.margin,
        one.loss,
        one.hold,
        one.broken,
        {**one.parts, **parts},
    )


def rows_html(record: AttackRecord) -> str:
    """The text three times, clean, under noise and attacked, each token with its two chances."""
    versions: list[tuple[str, Reading]] = [(_("clean"), record.clean)]
    if len(record.noise):
        versions.append(
            (
                _("random noise, mean of {n_noise} draws", n_noise=len(record.noise)),
                mean(record.noise),
            )
        )
    versions.append((_("attacked"), record.attacked))
    return marks_html() + "".join(
        f'<div style="font-weight:600;margin-top:.5rem">{title}: '
        f"{html.escape(said(record, reading.answers[0]))}</div>{text_html(record, reading)}"
        for title, reading in versions
    )


def marks_html() -> str:
    """What the bars, the line and the frame stand for."""
    marks = [Mark(END, _("above: p(end)")), Mark(START, _("below: p(start)"))]
    note = _("framed: the answer · dashed: the clean one · underlined: the reference")
    return legend(marks).replace("</div>", f"<span>{note}</span></div>")


def text_html(record: AttackRecord, reading: Reading) -> str:
    """One version (N = 1) of the text."""
    found = spans(record, reading)
    parts = []
    for (piece, __), k in zip(pieces(record, range(len(record.tokens))), found.at, strict=True):
        parts.append(html.escape(piece) if k < 0 else _token(piece, k, found))
    style = "font-size:1.05rem;line-height:1.5;margin:.2rem 0;white-space:pre-wrap"
    return f'<p dir="auto" style="{style};overflow-wrap:anywhere">{"".join(parts)}</p>'


def _token(piece: str, k: int, found: Spans) -> str:
    """One token of the only version, between its two bars."""
    start, end = found.start[0][k], found.end[0][k]
    line = "underline 3px" if _inside(k, found.known) else "none"
    ring = ""
    if _inside(k, found.answer[0]):
        ring = "box-shadow:0 0 0 2px currentColor;"
    elif _inside(k, found.clean):
        ring = "outline:2px dashed currentColor;"
    title = f"p(start) {start:.1%}, p(end) {end:.1%}"
    bars = [
        f'<span style="display:flex;align-items:{side};height:{HEIGHT}px">'
        f'<span style="width:100%;height:{HEIGHT * value:.1f}px;background:{colour}"></span></span>'
        for value, colour, side in ((end, END, "flex-end"), (start, START, "flex-start"))
    ]
    return (
        '<span style="display:inline-flex;flex-direction:column;vertical-align:middle" '
        f'title="{title}">{bars[0]}<span style="text-decoration:{line};border-radius:2px;{ring}">'
        f"{html.escape(piece)}</span>{bars[1]}</span>"
    )


def _inside(k: int, ends: tuple[int, int]) -> bool:
    return 0 <= ends[0] <= k <= ends[1]


def jump(record: AttackRecord) -> str:
    """Where the attack moved the answer, in a sentence; empty where it says what it said."""
    before, after = record.clean.answers[0], record.attacked.answers[0]
    if before == after:
        return ""
    told = [
        said(record, answer) + _where(record, reading)
        for answer, reading in ((before, record.clean), (after, record.attacked))
    ]
    if after == NO_ANSWER:
        return _("Under attack {told} is gone: the model finds no answer.", told=told[0])
    if before == NO_ANSWER:
        return _(
            "Under attack the model finds an answer, {told}, where it found none.", told=told[1]
        )
    first, second = (_sentence(record, r) for r in (record.clean, record.attacked))
    where = _("within its sentence") if first == second else _("to another sentence")
    return _(
        "The answer jumps {where}: from {before} to {after}.",
        where=where,
        before=told[0],
        after=told[1],
    )


def _where(record: AttackRecord, reading: Reading) -> str:
    number = _sentence(record, reading)
    return _(" in sentence {number}", number=number) if number else ""


def _sentence(record: AttackRecord, reading: Reading) -> int:
    """The number of the sentence in which the answer stands, from 1; 0 where there is none."""
    first = int(reading.parts["span(answer)"][0][0])
    start, end = record.spans[first].tolist()
    if end <= start:
        return 0
    return 1 + sum(m.end() <= start for m in _SENTENCE.finditer(record.text))
