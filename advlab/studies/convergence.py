"""Does training converge? Both players' losses, what the attack adds, gradient norms: from a diary.

The stretch at full ε is cut in four; the last quarter is compared with the one before. Events in,
numbers out, without torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advlab.language import N_, _, retold
from advlab.records import Event
from advlab.runs.folder import timeline
from advlab.runs.standing import inner_gain, judged, series

FLAT = 0.05  # a change below this share of the level is no trend, however sure
# what is said of the loss that the weights descend on, by its verdict
OUTER = {
    "level": N_("The {loss} has settled at {after:.3f} nats."),
    "falls": N_(
        "The {loss} still falls (from {before:.3f} to {after:.3f} nats over the last quarter): more "
        "epochs may help."
    ),
    "unclear": N_(
        "The {loss} went from {before:.3f} to {after:.3f} nats over the last quarter, give or take "
        "{error:.3f}: single batches vary too much to say whether it has settled; more epochs would "
        "tell."
    ),
    "rises": N_(
        "The {loss} rises (from {before:.3f} to {after:.3f} nats over the last quarter): the attack "
        "wins; lower the learning rate or ε."
    ),
}
# and of what the attack adds
INNER = {
    "level": N_(" The attack adds {after:.3f} nats to the clean loss, and that stands still."),
    "unclear": N_(" The attack adds {after:.3f} nats to the clean loss, and that may still move."),
    "falls": N_(
        " The attack adds {after:.3f} nats to the clean loss, and that shrinks: the model is learning "
        "to resist it."
    ),
    "rises": N_(
        " The attack adds {after:.3f} nats to the clean loss, and that grows: the model fits clean "
        "texts faster than perturbed ones."
    ),
}
NOISY = 0.2  # two standard errors above this share of the level hide one


@dataclass(frozen=True)
class Trend:
    """One figure in the third and in the last quarter of the stretch at full ε."""

    name: str
    before: float
    after: float
    error: float  # standard error of the difference

    @property
    def verdict(self) -> str:
        """“falls” or “rises” beyond two errors and 5 % of the level; else “level”, or “unclear”.

        Unclear: two errors are more than a fifth of the level, so a real change could hide in them.
        """
        change = self.after - self.before
        level = max(abs(self.before), abs(self.after), 1e-9)
        if abs(change) > max(2 * self.error, FLAT * level):
            return N_("falls") if change < 0 else N_("rises")
        return N_("unclear") if 2 * self.error > NOISY * level else N_("level")


@dataclass(frozen=True)
class Convergence:
    """Where both players of a run stood at its end."""

    trends: tuple[Trend, ...]
    validation: tuple[tuple[int, float, float], ...]  # epoch, clean and robust accuracy
    best_epoch: int | None
    sentence: str


def convergence(events: Sequence[Event]) -> Convergence:
    """Judge a run by its diary. Without enough steps at full ε the sentence says so."""
    rows = judged(events)
    full = [e for e in rows if e.values.get("strength", 1.0) >= 1.0] or rows
    quarter = len(full) // 4
    figures = {
        N_("clean loss"): series(full, "clean_loss"),
        N_("perturbed loss"): series(full, "adv_loss"),
        N_("inner gain"): inner_gain(full),
        N_("gradient norm"): series(full, "grad_norm"),
    }
    trends = tuple(
        _trend(name, values[-2 * quarter : -quarter], values[-quarter:])
        for name, values in figures.items()
        if quarter >= 3 and len(values) == len(full)
    )
    epochs = [e for e in timeline(events) if e.kind == "epoch"]
    validation = tuple(
        (
            int(e.values["epoch"]),
            float(e.values["clean_accuracy"]["value"]),
            float(e.values["robust_accuracy"]["value"]),
        )
        for e in epochs
    )
    best = [int(e.values["epoch"]) for e in epochs if e.values.get("best")]
    kept = best[-1] if best else None
    sentence = _collapsed(events, trends) or _sentence(trends, validation, kept)
    return Convergence(trends, validation, kept, sentence)


def _trend(name: str, before: Sequence[float], after: Sequence[float]) -> Trend:
    a, b = np.asarray(before), np.asarray(after)
    error = math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return Trend(name, float(a.mean()), float(b.mean()), error)


def _collapsed(events: Sequence[Event], trends: Sequence[Trend]) -> str:
    """The alarm of a training that collapsed and did not recover; “” for any other."""
    clean = next((t for t in trends if t.name == "clean loss"), None)
    told = [
        str(e.values.get("message", ""))
        for e in timeline(events)
        if e.kind == "alarm" and e.values.get("name") == "collapse"
    ]
    return retold(told[-1]) if told and clean is not None and clean.verdict != "falls" else ""


def _sentence(
    trends: Sequence[Trend], validation: Sequence[tuple[int, float, float]], kept: int | None
) -> str:
    if not trends:
        return _(
            "Too few steps at full ε were noted to judge: train for more epochs, or on more texts."
        )
    found = {t.name: t for t in trends}
    clean, perturbed = found["clean loss"], found.get("perturbed loss")
    outer = perturbed or clean
    told = _(
        OUTER[outer.verdict],
        loss=_(outer.name),
        before=outer.before,
        after=outer.after,
        error=2 * outer.error,
    )
    if gain := found.get("inner gain"):
        told += _(INNER[gain.verdict], after=gain.after)
    if validation and kept is not None and kept < validation[-1][0]:
        told += _(
            " Validation was best after epoch {kept} of {validation}, whose weights "
            "were kept: more epochs are not what it lacks.",
            kept=kept,
            validation=validation[-1][0],
        )
    return told
