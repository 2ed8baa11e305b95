"""The loss around the sentence, drawn coarse to fine, and along straight lines from it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import streamlit as st

from advlab.language import N_, _, in_a_row
from advlab.pictures import landscape, openings, sentences, surface
from advlab.pictures.style import side
from advlab.pictures.text import legend
from advlab.records import AttackRecord, Line, Surface
from advlab.ui.explore.results import Result, analysed
from advlab.ui.parts import beside, chart, folded, one_of, said, table

GRID, SMALL = 21, 11  # points a side of the loss surface, and of those that stand beside it
SEEDS = (0, 1, 2)  # of the random directions
PATIENCE = 0.4  # seconds after which what is there is drawn


def surfaces(results: Sequence[Result]) -> None:
    """The surface of each model over its answer, the controls below; then other random directions."""
    top, below = st.container(), st.container()
    asked = _surface_controls(len(results) > 1)
    if asked is None:
        return
    seed, solid, linked = asked
    ready = [i for i, result in enumerate(results) if (result.record.delta_norm > 0).any()]
    places: list[Any] = []
    with top:
        for i, __ in beside(results):
            if i not in ready:
                said(_("δ is zero: there is no direction to look along."))
            places.append([st.empty(), st.empty(), st.empty()])
    if not ready:
        return
    with below:
        st.html(legend(surface.SOLID_MARKS if solid else surface.MARKS))
    found = _grown(results, ready, places, seed, solid, linked)
    small = {
        i: [
            found[i] if k == seed else analysed(results[i], "surface", seed=k, grid=SMALL)
            for k in SEEDS
        ]
        for i in ready
    }
    limit = _top([f for fs in small.values() for f in fs]) if linked else None
    for i, __ in beside(results):
        if i in ready:
            words = surface.seeds_sentence(small[i])
            chart(surface.seeds(small[i], limit), f"seeds{i}", words)
            said(words)
    if fold := folded("seeds.numbers"):
        with fold:
            for i, __ in beside(results):
                if i in ready:
                    table(
                        surface.seed_columns(small[i]),
                        f"seeds_table{i}",
                        _("Three random directions compared"),
                    )
                    table(
                        surface.surface_columns(found[i]),
                        f"surface_table{i}",
                        _("Loss and margin around the sentence"),
                    )


def _surface_controls(several: bool) -> tuple[int, bool, bool] | None:
    """Seed of the direction, whether in 3-D, whether in common colours; None: not to be drawn."""
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    seed = one_of(
        left,
        _("Random direction"),
        {k: str(k + 1) for k in SEEDS},
        "surface.seed",
        hint=_("One direction proves nothing: all three stand below."),
    )
    solid = one_of(middle, _("Picture"), {False: N_("flat"), True: "3-D"}, "surface.solid")
    linked = several and right.toggle(
        _("Same colours for all models"), value=True, key="surface.linked", persist_state="session"
    )
    if not st.toggle(
        _("Draw the surface"),
        value=True,
        key="surface.on",
        persist_state="session",
        help=_(
            "{grid} × {grid} points, each run through the model. Switch off to stop.", grid=GRID
        ),
    ):
        return None
    return seed, solid, linked


def _grown(
    results: Sequence[Result],
    ready: list[int],
    places: list[Any],
    seed: int,
    solid: bool,
    linked: bool,
) -> dict[int, Surface]:
    """The surfaces, drawn coarse to fine: every row that is there, the gaps between fill up.

    A chart is made anew whenever its numbers change, so it is drawn on the way only where one would
    otherwise wait, and what is known already is drawn once.
    """
    draw = surface.relief if solid else surface.surface
    parts: dict[int, list[Surface]] = {i: [] for i in ready}
    found: dict[int, Surface] = {}
    drawn = time.perf_counter()
    for done, part in enumerate((0, 2, 1, 3), start=1):
        for i in ready:
            parts[i].append(
                analysed(results[i], "surface", seed=seed, grid=GRID, part=part, parts=4)
            )
        if done < 4 and time.perf_counter() - drawn < PATIENCE:
            continue
        drawn = time.perf_counter()
        found = {i: surface.joined(parts[i]) for i in ready}
        top = _top(list(found.values())) if linked else None
        for i in ready:
            record = results[i].record
            words = surface.surface_sentence(record, found[i])
            with places[i][0]:
                said(openings.geometry(record, found[i]), large=True, hover=_length(record))
            with places[i][1]:
                chart(
                    draw(found[i], top),
                    f"surface{i}.{done}",
                    _("Loss around the sentence. {words}", words=words),
                )
            with places[i][2]:
                said(words + ("" if done == 4 else _(" ({done} of 4 parts drawn …)", done=done)))
    return found


def _top(found: Sequence[Surface]) -> float:
    return max((float(f.loss.max()) for f in found), default=1.0) or 1.0


def straight_lines(results: Sequence[Result]) -> None:
    """All models in one picture, and what it says."""
    ready = [i for i, result in enumerate(results) if (result.record.delta_norm > 0).any()]
    if not ready:
        said(_("δ is zero: there is no line to walk."))
        return
    found: list[Line] = [analysed(results[i], "line") for i in ready]
    records = [results[i].record for i in ready]
    words = in_a_row(
        *(
            side(i, landscape.line_sentence(r, one))
            for i, r, one in zip(ready, records, found, strict=True)
        )
    )
    said(words)
    chart(
        landscape.lines(records, found, ready),
        "lines",
        _("Loss against the length of δ. {words}", words=words),
    )
    if fold := folded("lines.numbers"):
        with fold:
            for i, __ in beside(results):
                if i in ready:
                    table(
                        landscape.line_columns(found[ready.index(i)]),
                        f"lines_table{i}",
                        _("Loss on the straight line"),
                    )


def _length(record: AttackRecord) -> str:
    """How long the attack may make δ, in all three units, for the pointer."""
    return f"ε = {sentences.units(record.eps, record.scale)}"
