"""Where δ lies: among the vocabulary's vectors, and in the model's loss."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from advlab.pictures import landscape, sentences, surface
from advlab.pictures import plane as planes
from advlab.pictures.style import side
from advlab.records import AttackRecord, Distances, Line, LocalPlane, Map, Surface
from advlab.ui.explore.results import Result, analysed
from advlab.ui.parts import beside, chart, folded, one_of, said, section, table
from advlab.ui.token_strip import Token, token_strip

GRID, SMALL = 21, 11  # points a side of the loss surface, and of those that stand beside it
SEEDS = (0, 1, 2)  # of the random directions
PATIENCE = 0.4  # seconds after which what is there is drawn
NO_TOKEN = "This model's δ leaves that token alone, or it splits the sentence otherwise."


def geometry(results: Sequence[Result]) -> None:
    """Draw this view."""
    first = next(
        (result.record for result in results if (result.record.delta_norm > 0).any()), None
    )
    if first is None:
        said("There is no perturbed token to look at.")
        return
    with section(
        "One token's neighbourhood",
        "The arrow is δ, exact; the dotted square is what the lens magnifies. Each shade is where"
        " another token would be nearest, measured in all dimensions; grey is the token's own cell,"
        " the dotted mark its exit radius. Faint points lie far out of this plane.",
    ):
        token = _token(first)
        _planes(results, first, token)
    with section(
        "Until it becomes another word",
        "The distance to the token's own vector grows with δ, those to its rivals shrink or grow."
        " Where the lines cross it reads as another token. The dotted line is δ as it is.",
    ):
        _distances(results, first, token)
    with section(
        "The loss around the sentence",
        "Right is along δ, up a random direction as long and at right angles to it. Brighter is a"
        " higher loss, the white line (black in 3-D) is the decision boundary, the pink one the edge"
        " of the ε ball, orange is δ. Every point is run through the model.",
    ):
        _surfaces(results)
    with section(
        "Straight ahead, or round the corner?",
        "The loss on the straight line from the sentence through δ to twice its length, at the"
        " attack's own steps by their length, and under random noise as long (bands). The cross is"
        " where the straight line first flips.",
    ):
        _lines(results)
    with section(
        "The map, for context only",
        "Words in the two main axes of the vocabulary. Such a map is drawn everywhere, and δ hardly"
        " shows in it: read the numbers before the picture.",
    ):
        if st.toggle("Draw the map", key="map.on", persist_state="session"):
            _map(results)


def _token(first: AttackRecord) -> int:
    """The token to look at, of those that δ moves; at first the one with the longest δ."""
    choices = [int(t) for t in np.flatnonzero(first.delta_norm > 0)]
    longest = max(choices, key=lambda t: float(first.delta_norm[t]))
    if st.session_state.get("token", longest) not in choices:
        st.session_state["token"] = longest

    def choose(index: int) -> None:
        if index in choices:
            st.session_state["token"] = index

    strip = st.container()  # above the box, but drawn once it is known what was chosen
    token = st.selectbox(
        "Token",
        choices,
        key="token",
        index=choices.index(longest),
        bind="query-params",
        format_func=lambda t: f"{t}: {first.tokens[t]}",
        help="The tokens that δ moves.",
    )
    with strip:
        token_strip(
            _strip(first, choices),
            label="Choose a token",
            key="strip",
            selected=token,
            on_select=choose,
        )
    return token


def _planes(results: Sequence[Result], first: AttackRecord, token: int) -> None:
    """Lens and true scale beside each other, in one range for all models."""
    own = [_same_token(first, result.record, token) for result in results]
    found: list[LocalPlane | None] = [
        None if t is None else analysed(result, "plane", token=t)
        for result, t in zip(results, own, strict=True)
    ]
    there = [plane for plane in found if plane is not None]
    whole = max((planes.width_of(p) for p in there), default=None)
    near = max((planes.width_of(p, lens=True) for p in there), default=None)
    for i, result in beside(results):
        plane = found[i]
        if plane is None:
            said(NO_TOKEN)
            continue
        said(
            f"‖δ‖ = {sentences.number(plane.delta)} raw, exit radius"
            f" {sentences.number(plane.exit_radius)} raw. The lens magnifies"
            f" {sentences.number(planes.magnification(plane, whole, near))} ×."
        )
        # beside each other where there is room for two, else one below the other
        two = st.columns(2) if len(results) == 1 else [st.container(), st.container()]
        for column, lens in zip(two, (True, False), strict=True):
            with column:
                chart(
                    planes.plane_figure(
                        result.record, plane, lens=lens, width=near if lens else whole, whole=whole
                    ),
                    f"plane{i}.{lens}",
                    f"{'Lens' if lens else 'True scale'}: δ of one token, length"
                    f" {sentences.number(plane.delta)} raw, and its nearest vocabulary vectors",
                )
        if fold := folded(f"plane{i}.numbers"):
            with fold:
                table(
                    planes.plane_columns(plane),
                    f"plane_table{i}",
                    "Neighbours of the token, raw units",
                )


def _distances(results: Sequence[Result], first: AttackRecord, token: int) -> None:
    own = [_same_token(first, result.record, token) for result in results]
    found: list[Distances | None] = [
        None if t is None else analysed(result, "distances", token=t)
        for result, t in zip(results, own, strict=True)
    ]
    each = [landscape.distance_reach(f) for f in found if f is not None]
    reach = (max(r for r, _ in each), max(t for _, t in each)) if each else None
    for i, result in beside(results):
        one, at = found[i], own[i]
        if one is None or at is None:
            said(NO_TOKEN)
            continue
        name = result.record.tokens[at]
        ends = (
            f"‘{name}’ reads as ‘{one.becomes}’ from {sentences.number(one.exit)} × δ on."
            if one.becomes
            else f"‘{name}’ never becomes another token in this direction."
        )
        said(ends)
        chart(
            landscape.distances(one, name, i, reach),
            f"distances{i}",
            f"Distance to the own vector and to rivals against the factor on δ. {ends}",
        )
        if fold := folded(f"distances{i}.numbers"):
            with fold:
                table(
                    landscape.distance_columns(one), f"distances_table{i}", "Distances, raw units"
                )


def _surfaces(results: Sequence[Result]) -> None:
    asked = _surface_controls(len(results) > 1)
    if asked is None:
        return
    seed, solid, linked = asked
    ready = [i for i, result in enumerate(results) if (result.record.delta_norm > 0).any()]
    places: list[Any] = []
    for i, _ in beside(results):
        if i not in ready:
            said("δ is zero: there is no direction to look along.")
        places.append([st.empty(), st.empty(), st.empty(), st.empty()])
    if not ready:
        return
    found = _grown(results, ready, places, seed, solid, linked)
    small = {
        i: [
            found[i] if k == seed else analysed(results[i], "surface", seed=k, grid=SMALL)
            for k in SEEDS
        ]
        for i in ready
    }
    top = _top([f for fs in small.values() for f in fs]) if linked else None
    for i in ready:
        words = surface.seeds_sentence(small[i])
        with places[i][2]:
            chart(surface.seeds(small[i], top), f"seeds{i}", words)
        with places[i][3]:
            said(words)
    if fold := folded("seeds.numbers"):
        with fold:
            for i, _ in beside(results):
                if i in ready:
                    table(
                        surface.seed_columns(small[i]),
                        f"seeds_table{i}",
                        "Three random directions compared",
                    )
                    table(
                        surface.surface_columns(found[i]),
                        f"surface_table{i}",
                        "Loss and margin around the sentence",
                    )


def _surface_controls(several: bool) -> tuple[int, bool, bool] | None:
    """Seed of the direction, whether in 3-D, whether in common colours; None: not to be drawn."""
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    seed = one_of(
        left,
        "Random direction",
        {k: str(k + 1) for k in SEEDS},
        "surface.seed",
        hint="One direction proves nothing: all three stand below.",
    )
    solid = one_of(middle, "Picture", {False: "flat", True: "3-D"}, "surface.solid")
    linked = several and right.toggle(
        "Same colours for all models", value=True, key="surface.linked", persist_state="session"
    )
    if not st.toggle(
        "Draw the surface",
        value=True,
        key="surface.on",
        persist_state="session",
        help=f"{GRID} × {GRID} points, each run through the model. Switch off to stop.",
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
                chart(
                    draw(found[i], top), f"surface{i}.{done}", f"Loss around the sentence. {words}"
                )
            with places[i][1]:
                said(words + ("" if done == 4 else f" ({done} of 4 parts drawn …)"))
    return found


def _top(found: Sequence[Surface]) -> float:
    return max((float(f.loss.max()) for f in found), default=1.0) or 1.0


def _lines(results: Sequence[Result]) -> None:
    ready = [i for i, result in enumerate(results) if (result.record.delta_norm > 0).any()]
    if not ready:
        said("δ is zero: there is no line to walk.")
        return
    found: list[Line] = [analysed(results[i], "line") for i in ready]
    records = [results[i].record for i in ready]
    words = " ".join(
        side(i, landscape.line_sentence(r, one))
        for i, r, one in zip(ready, records, found, strict=True)
    )
    said(words)
    chart(landscape.lines(records, found, ready), "lines", f"Loss against the length of δ. {words}")
    if fold := folded("lines.numbers"):
        with fold:
            for i, _ in beside(results):
                if i in ready:
                    table(
                        landscape.line_columns(found[ready.index(i)]),
                        f"lines_table{i}",
                        "Loss on the straight line",
                    )


def _map(results: Sequence[Result]) -> None:
    for i, result in beside(results):
        found: Map = analysed(result, "map")
        words = landscape.context_sentence(result.record, found)
        said(words)
        chart(landscape.context(result.record, found, i), f"map{i}", words)
        if fold := folded(f"map{i}.numbers"):
            with fold:
                table(
                    landscape.context_columns(result.record, found),
                    f"map_table{i}",
                    "Tokens on the map",
                )


def _strip(record: AttackRecord, choices: list[int]) -> list[Token]:
    top = float(record.delta_norm.max()) or 1.0
    return [
        Token(
            text=t,
            value=sentences.number(float(record.delta_norm[k])) if kind == "word" else kind,
            weight=float(record.delta_norm[k]) / top,
            title=f"{t}: ‖δ‖ = {sentences.number(float(record.delta_norm[k]))} raw",
            off=k not in choices,
        )
        for k, (t, kind) in enumerate(
            zip(record.tokens, sentences.token_kinds(record), strict=True)
        )
    ]


def _same_token(first: AttackRecord, record: AttackRecord, token: int) -> int | None:
    """The same token; where tokenizers differ, the first perturbed token of the same word."""
    if record.tokens != first.tokens:
        word = int(first.word_of[token])
        rows = np.flatnonzero(record.word_of == word) if record.words == first.words else []
        token = int(rows[0]) if len(rows) else -1
    return token if token >= 0 and record.delta_norm[token] > 0 else None
