"""What a method goes through with a batch, for the player: its stages, and δ against its ball.

    ranks: clean pass, start of δ, (step, projection) of each ascent step, outer gradient, update

Methods that are shown side by side share the frames, one for each rank that any of them has. Where a
method has nothing at a frame, what it did last stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advlab.language import _
from advlab.pictures.sentences import number
from advlab.records import Instant, SlowMotion

Moment = tuple[str, int]  # a phase and the step of the ascent, 0 outside it
ORDER = ("clean", "start", "step", "projection", "outer", "update")
INSIDE, EDGE = 1 + 1e-6, 1 - 1e-4  # × ε: rounding takes no δ out of its ball, nor off its edge


@dataclass(frozen=True)
class Stages:
    """The stages of a method in a row, and the one that is lit at each of F frames."""

    names: list[str]
    has: list[bool]  # whether this method goes through it at all
    lit: list[int]  # F: place among the names, −1 while it waits for the others
    count: list[str]  # F: ‘2 of 3’ during the ascent, else empty


@dataclass(frozen=True)
class Ball:
    """δ of one text, seen from the centre of its ball: how long it is, and how it turns.

    The radius is true (in lengths of ε, in the norm of the ball), and so is the angle between a point
    and the one before; which way it turns is not, since there are more than two dimensions.
    """

    points: list[tuple[float, float, str]]  # radius in ε, angle, phase
    upto: list[int]  # F: so many of the points have happened
    said: list[str]  # one for each point
    nothing: str  # what is said before the first of them
    reach: float = 1.5  # half the width of the picture, in ε


def moments_of(records: Sequence[SlowMotion]) -> list[Moment]:
    """The frames that the methods share."""
    steps = max(r.steps for r in records)
    ascent = [(phase, k) for k in range(1, steps + 1) for phase in ("step", "projection")]
    begun = [("start", 0)] if any(r.at("start") for r in records) else []
    return [("clean", 0), *begun, *ascent, ("outer", 0), ("update", 0)]


def label(moment: Moment, steps: int) -> str:
    """A frame in words."""
    phase, k = moment
    if phase == "step":
        return _("Ascent step {k} of {steps}", k=k, steps=steps)
    if phase == "projection":
        return _("Step {k} is brought back onto the ball", k=k)
    return names()[phase]


def names() -> dict[str, str]:
    """Each phase as it is called on its stage."""
    return {
        "clean": _("Clean pass"),
        "start": _("δ begins"),
        "step": _("Ascent step"),
        "projection": _("Projection"),
        "outer": _("Outer gradient"),
        "update": _("Optimiser step"),
    }


def stages(record: SlowMotion, moments: Sequence[Moment]) -> Stages:
    """The stages of one method over the frames."""
    own = {(i.phase, i.step) for i in record.instants}
    has = [any(phase == p for p, _step in own) for phase in ORDER]
    lit = [ORDER.index(m[0]) if m in own else -1 for m in moments]
    count = [
        _("{k} of {steps}", k=m[1], steps=record.steps) if m in own and m[1] else ""
        for m in moments
    ]
    return Stages(list(names().values()), has, lit, count)


def reached(record: SlowMotion, moments: Sequence[Moment]) -> list[int]:
    """F: the place of the instant that stands at each frame, −1 before the first."""
    places = {(i.phase, i.step): n for n, i in enumerate(record.instants)}
    found, last = [], -1
    for moment in moments:
        last = places.get(moment, last)
        found.append(last)
    return found


def ball(record: SlowMotion, moments: Sequence[Moment], text: int) -> Ball | None:
    """The way of δ for one text of the batch; None for a method that has no ball."""
    if not record.eps:
        return None
    kept = [
        (n, i) for n, i in enumerate(record.instants) if i.phase in ("start", "step", "projection")
    ]
    angle, points, said = 0.0, [], []
    for _n, i in kept:
        turn = float(i.turn[text])
        angle += turn if np.isfinite(turn) else 0.0
        radius = float(i.length[text]) / record.eps
        points.append((float(f"{radius:.4g}"), float(f"{angle:.4g}"), i.phase))
        said.append(where(i, record, text))
    places = [n for n, _i in kept]
    upto = [sum(n <= place for n in places) for place in reached(record, moments)]
    reach = max(1.0, *(radius for radius, _angle, _phase in points))
    return Ball(points, upto, said, _("no δ yet"), 1.15 * reach)


def where(instant: Instant, record: SlowMotion, text: int) -> str:
    """How long δ of a text is, and whether that is in its ball."""
    share = float(instant.length[text]) / record.eps if record.eps else 0.0
    if not share:
        return _("δ is 0, the centre of the ball")
    if share > INSIDE:
        return _("δ is {share} ε long, outside the ball", share=number(share))
    if share > EDGE:
        return _("δ is {share} ε long, on the edge of the ball", share=number(share))
    return _("δ is {share} ε long, inside the ball", share=number(share))
