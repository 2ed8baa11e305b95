"""One batch in slow motion under several methods: a reel for the player, tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from advlab.language import _, in_a_row
from advlab.pictures.reel import ROWS, Chart, Mode, Panel, Reel, Series
from advlab.pictures.sentences import number, percent
from advlab.pictures.stages import (
    INSIDE,
    Moment,
    ball,
    label,
    moments_of,
    names,
    reached,
    stages,
    where,
)
from advlab.pictures.style import DASHES, RUNS, side
from advlab.pictures.tables import Columns
from advlab.records import Instant, Pinned, SlowMotion

PACE = 1250  # milliseconds a frame: time to look at what has changed
SPEEDS = (0.5, 1.0, 2.0, 4.0)
LEAST = 0.02  # nats that a chart's axis spans at least


def reel(records: Sequence[SlowMotion], text: int) -> Reel:
    """The batch under each method, frame by frame; tokens, ball and sentences of one of its texts."""
    moments = moments_of(records)
    steps = max(r.steps for r in records)
    panels = [_panel(n, r, moments, text) for n, r in enumerate(records)]
    reach = max((p.ball.reach for p in panels if p.ball), default=1.0)
    panels = [replace(p, ball=replace(p.ball, reach=reach)) if p.ball else p for p in panels]
    mean, own = (
        tuple(_series(n, r, moments, of) for n, r in enumerate(records)) for of in (None, text)
    )
    return Reel(
        control=_("moment"),
        labels=[label(m, steps) for m in moments],
        x=[float(n) for n in range(len(moments))],
        x_title=_("moment"),
        start=0,
        charts=(
            Chart(_("Mean loss of the batch at its δ, nats"), _span(mean), False, mean),
            Chart(_("Loss of the chosen text at its δ, nats"), _span(own), False, own),
        ),
        modes=_modes(records, text),
        panels=tuple(panels),
        pace=PACE,
        speeds=SPEEDS,
        words={
            "reset": _("Back to the start"),
            "speed": _("Speed"),
            "ball": _("Ball of radius ε"),
            "none": _("not in this method"),
        },
    )


def _panel(n: int, record: SlowMotion, moments: Sequence[Moment], text: int) -> Panel:
    places = reached(record, moments)
    shown = _tokens(record, text) if record.eps else np.zeros(0, dtype=int)
    still = np.zeros(record.real.shape[1])
    sizes = np.stack([record.instants[k].norms[text] if k >= 0 else still for k in places])[
        :, shown
    ]
    squares = sizes**2
    total = squares.sum(1, keepdims=True)
    allowed = record.perturbable[text, shown]
    return Panel(
        name=side(n, _(record.title)),
        colour=RUNS[n],
        tokens=[record.tokens[text][t] for t in shown],
        fixed=["" if free else _("not moved") for free in allowed],
        bars={
            "raw": [_short(row) for row in sizes / (record.mean_norm or 1.0)],
            "share": [_short(row) for row in squares / np.where(total > 0, total, 1.0)],
        },
        nearest=None,
        said=[sentence(record, m, text) for m in moments],
        left_out=int(record.real[text].sum()) - len(shown) if record.eps else 0,
        stages=stages(record, moments),
        ball=ball(record, moments, text),
    )


def _tokens(record: SlowMotion, text: int) -> np.ndarray:
    """Places of the tokens that are shown: of a long text those with the longest δ."""
    own = np.flatnonzero(record.real[text])
    longest = np.stack([i.norms[text] for i in record.instants]).max(0)[own]
    return np.sort(own[(-longest).argsort(kind="stable")[:ROWS]])


def _series(n: int, record: SlowMotion, moments: Sequence[Moment], text: int | None) -> Series:
    """The loss at the δ that was evaluated last, of one text or on the mean."""
    known: list[float | None] = []
    for instant in record.instants:
        if instant.loss is None:
            known.append(known[-1] if known else None)
        else:
            known.append(float(instant.loss.mean() if text is None else instant.loss[text]))
    y = [None if k < 0 or known[k] is None else known[k] for k in reached(record, moments)]
    dash = list(DASHES.values())[n % len(DASHES)]
    short = [None if v is None else float(f"{v:.4g}") for v in y]
    return Series(side(n, _(record.title)), RUNS[n], dash, short)


def _span(lines: Sequence[Series]) -> tuple[float, float]:
    """As wide as what there is to see, but never so narrow that next to nothing looks like much."""
    known = [v for line in lines for v in line.y if v is not None] or [0.0]
    low, high = min(known), max(known)
    pad = max(0.15 * (high - low), 0.5 * (LEAST - (high - low)), 0.0)
    return max(0.0, low - pad), high + pad


def _modes(records: Sequence[SlowMotion], text: int) -> tuple[Mode, ...]:
    raw, share = 0.0, 0.0
    for r in records:
        for i in r.instants:
            sizes = i.norms[text]
            raw = max(raw, float(sizes.max(initial=0.0)) / (r.mean_norm or 1.0))
            total = float((sizes**2).sum())
            share = max(share, float((sizes**2).max(initial=0.0)) / total if total else 0.0)
    return (
        Mode("raw", "‖δ‖", raw or 1.0, False, _("× mean length of the vectors that δ is added to")),
        Mode("share", _("share of ‖δ‖²"), share or 1.0, True, _("of ‖δ‖²")),
    )


# ---- in words -------------------------------------------------------------------------------


def sentence(record: SlowMotion, moment: Moment, text: int) -> str:
    """What the method does with the chosen text at this frame."""
    phase, step = moment
    now = next((i for i in record.instants if (i.phase, i.step) == moment), None)
    if now is None:
        return _absent(record, phase)
    if phase == "clean":
        assert now.loss is not None
        return _("The text as it is: loss {loss}.", loss=number(float(now.loss[text])))
    if phase == "update":
        return update_sentence(record)
    if phase == "outer":
        return outer_sentence(record)
    told = where(now, record, text)
    if phase == "step":
        return _("Along the gradient of the {raised}: {told}.", raised=_raised(record), told=told)
    if phase == "projection":
        before = record.at("step", step)
        kept = before is None or float(before.length[text]) <= INSIDE * record.eps
        if kept:
            told = _("It is in the ball, nothing to bring back: {told}", told=told)
    return in_a_row(_("{told}.", told=told), _loss(now, text))


def _raised(record: SlowMotion) -> str:
    return _("loss") if record.raised == "loss" else _("divergence")


def _loss(now: Instant, text: int) -> str:
    if now.loss is None:
        return ""
    return _("The loss here is {loss}.", loss=number(float(now.loss[text])))


def _absent(record: SlowMotion, phase: str) -> str:
    if phase == "clean":
        return _("No clean pass: it learns from perturbed texts alone.")
    if not record.steps and phase in ("step", "projection"):
        return _("No ascent: it waits.")
    if phase == "start":
        return _("No δ: it waits.")
    return _("It waits for the others.")


def outer_sentence(record: SlowMotion) -> str:
    """What the weights descend on, and how long their gradient is."""
    loss = number(float(record.minimised.mean()))
    told = _(
        "The weights descend on {loss} nats on the mean; their gradient is {size} long",
        loss=loss,
        size=number(record.grad_norm),
    )
    if record.clip and record.grad_norm > record.clip:
        return told + _(", shortened to {clip}.", clip=number(record.clip))
    return _("{told}.", told=told)


def update_sentence(record: SlowMotion) -> str:
    """How far the weights moved, and what that did to the pinned sentence."""
    return _(
        "The weights move by {size} (L2). Pinned sentence: margin {before} → {after}, flips at"
        " ε {low} → {high}.",
        size=number(record.update_norm),
        before=number(record.before.margin),
        after=number(record.after.margin),
        low=_flip(record.before, record),
        high=_flip(record.after, record),
    )


def _flip(pinned: Pinned, record: SlowMotion) -> str:
    """The smallest ε that was found to flip the sentence, × mean norm."""
    if pinned.flip_eps is None:
        return "–"
    return number(pinned.flip_eps / record.word_norm)


# ---- tables ---------------------------------------------------------------------------------


def columns(record: SlowMotion, text: int) -> Columns:
    """One row for each moment of a method."""
    rows = record.instants
    called = names()
    return {
        _("moment"): [f"{called[i.phase]} {i.step or ''}".strip() for i in rows],
        _("mean loss"): [None if i.loss is None else float(i.loss.mean()) for i in rows],
        _("loss of the text"): [None if i.loss is None else float(i.loss[text]) for i in rows],
        _("divergence of the text"): [
            None if i.gain is None or record.raised == "loss" else float(i.gain[text]) for i in rows
        ],
        _("‖δ‖ ÷ ε"): [float(i.length[text]) / record.eps if record.eps else 0.0 for i in rows],
        _("longest δ on"): [_longest(record, i, text) for i in rows],
        _("weights learn here"): [i.trains for i in rows],
    }


def _longest(record: SlowMotion, instant: Instant, text: int) -> str:
    sizes = instant.norms[text]
    return record.tokens[text][int(sizes.argmax())] if sizes.any() else ""


def changed_columns(records: Sequence[SlowMotion]) -> Columns:
    """One row for each method: what its step did to weights and pinned sentence."""

    def pairs(of: str) -> tuple[list[float], list[float]]:
        return tuple([float(getattr(p, of)) for p in column] for column in both)  # type: ignore[return-value]

    both = [r.before for r in records], [r.after for r in records]
    sure, margin = pairs("score"), pairs("margin")
    flips = [[_eps(p, r) for p, r in zip(column, records, strict=True)] for column in both]
    return {
        _("method"): [side(n, _(r.title)) for n, r in enumerate(records)],
        _("outer loss"): [float(r.minimised.mean()) for r in records],
        _("gradient norm"): [r.grad_norm for r in records],
        _("weights moved"): [r.update_norm for r in records],
        _("probability, before"): sure[0],
        _("probability, after"): sure[1],
        _("margin, before"): margin[0],
        _("margin, after"): margin[1],
        _("flip ε, before"): flips[0],
        _("flip ε, after"): flips[1],
    }


def _eps(pinned: Pinned, record: SlowMotion) -> float | None:
    return None if pinned.flip_eps is None else pinned.flip_eps / record.word_norm


def pinned_sentence(record: SlowMotion) -> str:
    """What the model says of the pinned sentence before any of the steps."""
    return _(
        "Before the step the model says {answer} ({sure}); the smallest ε found that flips"
        " {reference} is {eps} × mean norm.",
        answer=record.before.answer,
        sure=percent(record.before.sure),
        reference=record.reference,
        eps=_flip(record.before, record),
    )


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{v:.4g}") for v in values]
