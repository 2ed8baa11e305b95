"""What the player shows: series of δ, frame by frame, as plain numbers and text for the browser.

A reel is either the attack at each ε or the attack step by step. All of it is computed before;
moving through it asks nothing of the server. Models share the frames and every scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from advlab.language import _
from advlab.pictures.chips import FULL, chips
from advlab.pictures.sentences import at_eps, attack_sentence, number, of_text, percent, token_kinds
from advlab.pictures.spans import END, START, Spans, spans
from advlab.pictures.stages import Ball, Stages
from advlab.pictures.style import DASHES, SIDES, UNITS, side
from advlab.pictures.text import pieces
from advlab.pictures.wording import chance_of, listed, reference_of, said
from advlab.records import AttackRecord, Frames, Noise, Reading, Written

ROWS = 60  # tokens shown; of longer texts those with the longest δ
# F × places of a written answer: before, now, nats, joined to the last, the first to change
Chips = list[list[tuple[str | None, str | None, float | None, bool, bool]]]


@dataclass(frozen=True)
class Series:
    """One line of a chart; `low` and `high` are a band under it, `marks` crosses on it."""

    name: str
    colour: str
    dash: str
    y: list[float | None]
    low: list[float] | None = None
    high: list[float] | None = None
    marks: tuple[tuple[int, str, str], ...] = ()  # (frame, "flips" or "kept", in words)


@dataclass(frozen=True)
class Chart:
    """Lines over the frames. `span`: the axis from, to."""

    title: str
    span: tuple[float, float]
    share: bool  # values are shares, written in per cent
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Mode:
    """One way of measuring the bars. `full` is what a whole bar stands for."""

    key: str
    title: str
    full: float
    share: bool
    unit: str


@dataclass(frozen=True)
class Panel:
    """One model's tokens."""

    name: str
    colour: str
    tokens: list[str]
    fixed: list[str]  # why a token has no bar: special or shielded; empty when it has
    bars: Mapping[str, list[list[float]]]  # mode -> F × T
    nearest: list[list[str]] | None  # F × T; the token itself where it has not moved: empty
    said: list[str]  # F
    left_out: int
    event: str = ""  # what the attack did, in a sentence
    before: str = ""  # the clean answer, where `said` changes it
    flipped: list[bool] | None = None  # F
    # the text in pieces, each with its place among `tokens`, −1 where it has none
    text: list[tuple[str, int]] | None = None
    # mode -> T pairs (lowest, highest) of random noise as long as δ at the record's own ε
    noise: Mapping[str, list[list[float]]] | None = None
    grown: list[float] | None = None  # F, how long each frame's δ is, in lengths of that one
    beside: str = ""  # what is read with the text
    spans: Spans | None = None  # where the answer begins and ends, if it is a span of the text
    chips: Chips | None = None  # of a written answer
    stages: Stages | None = None  # what happens, in a row, with the one of each frame lit
    ball: Ball | None = None  # δ against the ball that holds it


@dataclass(frozen=True)
class Reel:
    """Everything that one player shows."""

    control: str  # what the slider sets
    labels: list[str]  # F
    x: list[float]  # F
    x_title: str
    start: int
    charts: tuple[Chart, ...]
    modes: tuple[Mode, ...]
    panels: tuple[Panel, ...]
    bars: tuple[str, str] = (END, START)  # colours of the chances above and below a token
    darkest: float = FULL  # nats of the darkest chip
    notes: tuple[str, ...] = ()  # beside the legend: what the bands are, how many draws
    pace: int = 220  # milliseconds a frame while it plays
    speeds: tuple[float, ...] = ()  # × pace, to choose from; none: there is no choice
    words: Mapping[str, str] = field(default_factory=dict)  # what its further controls are called

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def sweep(
    records: Sequence[AttackRecord],
    frames: Sequence[Frames] | None = None,
    noise: Sequence[Noise] | None = None,
    written: Sequence[Written | None] | None = None,
) -> Reel:
    """The attack at each ε of the records' curves, in the unit that was asked for.

    `frames` (the analysis "sweep", one a record) adds exit shares and nearest tokens, `noise` (the
    analysis "noise") a band of random noise behind each bar, `written` (the analysis of that name) the
    tokens of written answers.
    """
    first = records[0]
    N = len(first.curve.eps)
    unit = str(first.attack.get("unit", "norm"))
    own = float(first.attack["eps"])
    x = np.linspace(0.0, 2 * own, N)
    sizes = [r.curve.delta_norm for r in records]
    panels = [
        _panel(
            i,
            r,
            sizes[i],
            r.curve.attacked,
            None if frames is None else frames[i],
            noise=None if noise is None else noise[i],
            lengths=None if r.curve.deltas is None else length_of(r, r.curve.deltas),
            event=attack_sentence(r),
            written=None if written is None else written[i],
        )
        for i, r in enumerate(records)
    ]
    lines = [_probability(i, r) for i, r in enumerate(records)]
    return Reel(
        control="ε",
        labels=[f"ε = {number(float(v))} {_(UNITS[unit])}" for v in x],
        x=_short(x),
        x_title=f"ε ({_(UNITS[unit])})",
        start=int(np.abs(x - own).argmin()),
        charts=(Chart(chance_of(records), (0.0, 1.0), True, tuple(lines)),),
        modes=_modes(records, sizes, frames, panels),
        panels=tuple(panels),
        notes=_bands([r.curve.draws for r in records], noise),
    )


def film(
    records: Sequence[AttackRecord],
    frames: Sequence[Frames],
    noise: Sequence[Noise] | None = None,
    written: Sequence[Written | None] | None = None,
) -> Reel:
    """The attack step by step: loss, margin, probability, ‖δ‖ per token and nearest tokens.

    `written` (the analysis of that name, along the steps) adds the tokens of written answers.
    """
    steps = np.unique(np.concatenate([r.path_steps for r in records]))
    # where a model has no such step (it kept others, or stopped), its last before stands
    places = [np.searchsorted(r.path_steps, steps, side="right") - 1 for r in records]
    losses, margins, chances = [], [], []
    for i, (r, f, place) in enumerate(zip(records, frames, places, strict=True)):
        kept = r.path_steps[place]
        steps_read = r.steps.take(kept)
        flip = (
            [(int(np.searchsorted(steps, r.flip_step)), "flips", _("flips"))] if r.flip_step else []
        )
        best = (int(np.searchsorted(steps, r.best_step)), "kept", _("kept"))
        marks = (*flip, best)
        losses.append(_line(i, r, r.losses[kept], marks=marks))
        margins.append(_line(i, r, steps_read.margin))
        band = None if f.random is None else f.random.score.reshape(-1, f.draws)[place]
        chances.append(_line(i, r, steps_read.score, band))
    sizes = [f.delta_norm[place] for f, place in zip(frames, places, strict=True)]
    panels = [
        _panel(
            i,
            r,
            sizes[i],
            r.steps.take(r.path_steps[places[i]]),
            frames[i],
            places[i],
            noise=None if noise is None else noise[i],
            lengths=length_of(r, r.path)[places[i]],
            written=None if written is None else written[i],
        )
        for i, r in enumerate(records)
    ]
    most = max(max(v for v in line.y if v is not None) for line in losses)
    both = [v for line in margins for v in line.y if v is not None]
    low, high = min(*both, 0.0), max(*both, 0.0)
    pad = 0.05 * (high - low) or 1.0
    return Reel(
        control=_("step"),
        labels=[_("step {s} of {steps}", s=s, steps=int(steps[-1])) for s in steps.tolist()],
        x=_short(steps.astype(float)),
        x_title=_("attack step"),
        start=int(np.searchsorted(steps, records[0].best_step)),
        charts=(
            Chart(_("Loss, nats"), (0.0, 1.05 * most or 1.0), False, tuple(losses)),
            Chart(_margin_title(records), (low - pad, high + pad), False, tuple(margins)),
            Chart(chance_of(records), (0.0, 1.0), True, tuple(chances)),
        ),
        modes=_modes(records, sizes, frames, panels),
        panels=tuple(panels),
        notes=_bands([f.draws for f in frames], noise),
    )


def length_of(record: AttackRecord, deltas: np.ndarray) -> np.ndarray:
    """(F,T,D) -> (F,): how long each δ is in the norm of the attack, over its whole ball."""
    p = record.attack.get("p", "l2")
    axes = (1, 2) if record.attack.get("ball", "example") == "example" else (2,)
    size = np.abs(deltas.astype(float))
    if p == "l2":
        found = np.sqrt((size**2).sum(axes))
    else:
        found = size.sum(axes) if p == "l1" else size.max(axes)
    return found.reshape(len(deltas), -1).max(1)


def _bands(draws: Sequence[int], noise: Sequence[Noise] | None) -> tuple[str, ...]:
    known = sorted({n for n in draws if n})
    found = [
        _("bands: range of {count} random draws as long", count=listed([str(n) for n in known]))
        if known
        else _("bands: range of random draws as long")
    ]
    if noise is not None:
        found.append(
            _("grey behind the bars: δ of {n} random draws as long", n=len(noise[0].delta_norm))
        )
    return tuple(found)


def _probability(i: int, record: AttackRecord) -> Series:
    curve = record.curve
    marks: tuple[tuple[int, str, str], ...] = ()
    if curve.flip_eps is not None:
        at = int(np.searchsorted(curve.eps, curve.flip_eps))
        marks = (
            (
                min(at, len(curve.eps) - 1),
                "flips",
                _("flips at {at_eps}", at_eps=at_eps(curve.flip_eps, record)),
            ),
        )
    line = _line(i, record, curve.attacked.score, marks=marks)
    return Series(
        line.name, line.colour, line.dash, line.y, _short(curve.low), _short(curve.high), marks
    )


def _line(
    i: int,
    record: AttackRecord,
    y: np.ndarray,
    band: np.ndarray | None = None,
    marks: tuple[tuple[int, str, str], ...] = (),
) -> Series:
    colour, __, dash = SIDES[i]
    low, high = (None, None) if band is None else (_short(band.min(1)), _short(band.max(1)))
    return Series(side(i, record.model), colour, DASHES[dash], list(_short(y)), low, high, marks)


def _panel(
    i: int,
    record: AttackRecord,
    sizes: np.ndarray,
    reading: Reading,
    frames: Frames | None,
    place: np.ndarray | None = None,
    *,
    noise: Noise | None = None,
    lengths: np.ndarray | None = None,
    event: str = "",
    written: Written | None = None,
) -> Panel:
    """Bars of one model; `place` are the rows of `frames` and of `written` that the player shows.

    Noise is drawn once, as long as the record's δ; `lengths` (F,) tell how it grows with the frames.
    """
    kinds, own_text = token_kinds(record), of_text(record)
    longest = (-sizes.max(0)[own_text]).argsort(kind="stable")[:ROWS]
    shown = np.sort(own_text[longest])
    fixed = ["" if kinds[t] == "word" else _(kinds[t]) for t in shown]
    squares = sizes.astype(float) ** 2
    total = squares.sum(1, keepdims=True)
    bars = {
        "raw": sizes / record.scale.mean_norm,
        "share": squares / np.where(total > 0, total, 1.0),
    }
    nearest = None
    if frames is not None:
        rows = np.arange(len(sizes)) if place is None else place
        bars["exit"] = frames.exit_share[rows]
        nearest = [
            [frames.tokens[f][t] if frames.own_rank[f, t] > 1 else "" for t in shown] for f in rows
        ]
    behind, grown = None, None
    own = float(length_of(record, record.delta[None])[0])
    if noise is not None and lengths is not None and own > 0:
        draws = _draws(record, noise)
        behind = {key: [_short(v) for v in draws[key][shown]] for key in bars}
        grown = _short(lengths / own)
    before = f"{said(record, record.clean.answers[0])} {percent(float(record.clean.sure[0]))}"
    return Panel(
        name=side(i, record.model),
        colour=SIDES[i][0],
        tokens=[record.tokens[t] for t in shown],
        fixed=fixed,
        bars={key: [_short(row[shown]) for row in values] for key, values in bars.items()},
        nearest=nearest,
        said=[
            f"{said(record, answer)} {percent(float(sure))}"
            for answer, sure in zip(reading.answers, reading.sure, strict=True)
        ],
        left_out=len(own_text) - len(shown),
        event=event,
        before=before,
        flipped=reading.broken.tolist(),
        text=pieces(record, shown.tolist()),
        noise=behind,
        grown=grown,
        beside=record.beside,
        spans=spans(record, reading) if "span(answer)" in reading.parts else None,
        chips=None if written is None else chips_of(written, place),
    )


def chips_of(written: Written, place: Sequence[int] | np.ndarray | None = None) -> Chips:
    """Each answer, or those at the places, against the clean one."""
    rows = range(len(written.answers)) if place is None else place
    return [
        [
            (
                c.before,
                c.now,
                None if c.nats is None else _short(np.array([c.nats]))[0],
                c.joined,
                c.first,
            )
            for c in chips(written.clean, written.pieces[n], written.nats[n].tolist())
        ]
        for n in rows
    ]


def _draws(record: AttackRecord, noise: Noise) -> dict[str, np.ndarray]:
    """(T,2) for each way of measuring the bars: the least and the most of the draws of noise."""
    parts = noise.delta_norm.astype(float) ** 2
    draws = {
        "raw": noise.delta_norm / record.scale.mean_norm,
        "share": parts / np.maximum(parts.sum(1, keepdims=True), 1e-300),
        "exit": noise.delta_norm / np.where(noise.exit_radius > 0, noise.exit_radius, np.inf),
    }
    return {key: np.stack([values.min(0), values.max(0)], 1) for key, values in draws.items()}


def _modes(
    records: Sequence[AttackRecord],
    sizes: Sequence[np.ndarray],
    frames: Sequence[Frames] | None,
    panels: Sequence[Panel] = (),
) -> tuple[Mode, ...]:
    def noisiest(key: str) -> float:
        """The right end of the longest band of noise."""
        ends = [
            max((high for __, high in p.noise[key]), default=0.0)
            * (1.0 if key == "share" else max(p.grown))
            for p in panels
            if p.noise and p.grown
        ]
        return max(ends, default=0.0)

    raw = max(float(s.max()) / r.scale.mean_norm for s, r in zip(sizes, records, strict=True))
    squares = [s.astype(float) ** 2 for s in sizes]
    share = max(float((q / np.maximum(q.sum(1, keepdims=True), 1e-300)).max()) for q in squares)
    raw, share = max(raw, noisiest("raw")), max(share, noisiest("share"))
    found = [
        Mode("raw", "‖δ‖", raw or 1.0, False, _("× mean norm")),
        Mode("share", _("share of ‖δ‖²"), share or 1.0, True, _("of ‖δ‖²")),
    ]
    if frames is not None:
        most = max(*(float(f.exit_share.max()) for f in frames), noisiest("exit"))
        found.append(
            Mode("exit", _("share of exit radius"), most or 1.0, True, _("of the way out"))
        )
    return tuple(found)


def _margin_title(records: Sequence[AttackRecord]) -> str:
    """What the margin says, which holds for targeted attacks and for misread sentences too."""
    name = " / ".join(dict.fromkeys(reference_of(r) for r in records))
    if records[0].attack.get("targeted"):
        return _(
            "Margin of {name}, logits: above 0 it is the prediction; the attack pushes up",
            name=name,
        )
    return _(
        "Margin of {name}, logits: above 0 it is the prediction; the attack pushes down", name=name
    )


def _short(values: np.ndarray) -> list[float]:
    """Four significant digits: less to send, more than a pixel can show. What is below 1 stays so."""
    found = [(v, float(f"{v:.4g}")) for v in np.asarray(values, dtype=float)]
    return [0.9999 if v < 1.0 <= rounded else rounded for v, rounded in found]
