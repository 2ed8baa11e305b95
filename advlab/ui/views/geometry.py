"""Where δ lies: among the vocabulary's vectors, and in the model's loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from advlab import landscapes, planes, story
from advlab.records import AttackRecord, Distances, Line, Map, Surface
from advlab.ui.looks import Look, analysed
from advlab.ui.round_trip import said
from advlab.ui.tokens import Token, token_strip
from advlab.ui.views.parts import beside, chart, section, table

GRID = 21  # points a side of the loss surface


def geometry(looks: Sequence[Look]) -> None:
    """Draw this view."""
    records = [look.record for look in looks]
    first = records[0]
    choices = [int(t) for t in np.flatnonzero(first.delta_norm > 0)]
    if not choices:
        said("There is no perturbed token to look at.")
        return
    longest = max(choices, key=lambda t: float(first.delta_norm[t]))
    if st.session_state.get("token") not in choices:
        st.session_state["token"] = longest

    def choose(index: int) -> None:
        if index in choices:
            st.session_state["token"] = index

    with section(
        "One token's neighbourhood",
        "The arrow is δ, exact. Each shade is where another token would be nearest, measured in all"
        " dimensions; grey is the token's own cell, the dotted mark its exit radius. Faint"
        " points lie far out of this plane.",
    ):
        token_strip(
            _strip(first, choices), label="Choose a token", key="strip",
            selected=st.session_state["token"], on_select=choose,
        )  # fmt: skip
        token = st.selectbox(
            "Token", choices, key="token",
            format_func=lambda t: f"{t}: {first.tokens[t]}",
            help="The tokens with the largest δ.",
        )  # fmt: skip
        lens = st.segmented_control(
            "Scale", [False, True], default=False, required=True, key="lens",
            format_func={False: "True scale", True: "Lens on δ"}.__getitem__,
        ) or False  # fmt: skip
        for i, look in beside(looks):
            record = look.record
            own = _same_token(first, record, token)
            if own is None:
                said("This model splits the sentence into other tokens: there is no such token.")
                continue
            plane = analysed(look, "plane", token=own)
            said(
                f"‖δ‖ = {story.number(plane.delta)} raw, exit radius"
                f" {story.number(plane.exit_radius)} raw. The lens magnifies"
                f" {story.number(planes.magnification(plane))} ×."
            )
            chart(
                planes.plane_figure(record, plane, lens=lens), f"plane{i}",
                f"{'Lens' if lens else 'True scale'}: δ of one token, length"
                f" {story.number(plane.delta)}, and its nearest vocabulary vectors",
            )  # fmt: skip
    with section(
        "Until it becomes another word",
        "The distance to the token's own vector grows with δ, those to its rivals shrink or grow."
        " Where the lines cross it reads as another token. The dotted line is δ as it is.",
    ):
        _distances(looks, token)
    with section(
        "The loss around the sentence",
        "Right is along δ, up a random direction as long and at right angles to it. Brighter is a"
        " higher loss, the white line is the decision boundary, the dotted one the edge of the ε"
        " ball, the arrow δ. Every point is run through the model.",
    ):
        _surfaces(looks)
    with section(
        "Straight ahead, or round the corner?",
        "The loss on the straight line from the sentence through δ to twice its length, and at the"
        " attack's own steps by their length. The cross is where the straight line first flips.",
    ):
        _lines(looks)
    with section(
        "The map, for context only",
        "Words in the two main axes of the vocabulary. Such a map is drawn everywhere, and δ hardly"
        " shows in it: read the numbers before the picture.",
    ):
        if st.toggle("Draw the map", key="map.on"):
            _map(looks)


def _distances(looks: Sequence[Look], token: int) -> None:
    first = looks[0].record
    for i, look in beside(looks):
        own = _same_token(first, look.record, token)
        if own is None:
            said("This model splits the sentence into other tokens: there is no such token.")
            continue
        found: Distances = analysed(look, "distances", token=own)
        name = look.record.tokens[own]
        ends = (
            f"‘{name}’ reads as ‘{found.becomes}’ from {story.number(found.exit)} × δ on."
            if found.becomes
            else f"‘{name}’ never becomes another token in this direction."
        )
        said(ends)
        chart(
            landscapes.distances(found, name, i), f"distances{i}",
            f"Distance to the own vector and to rivals against the factor on δ. {ends}",
        )  # fmt: skip
        with st.expander("Numbers"):
            table(landscapes.distance_columns(found), f"distances_table{i}", "Distances, raw units")


def _surfaces(looks: Sequence[Look]) -> None:
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    seed = left.segmented_control(
        "Random direction", [0, 1, 2], default=0, required=True, key="surface.seed",
        format_func=lambda k: str(k + 1),
        help="One direction proves nothing: look at all three.",
    ) or 0  # fmt: skip
    solid = middle.segmented_control(
        "Picture", [False, True], default=False, required=True, key="surface.solid",
        format_func={False: "flat", True: "3-D"}.__getitem__,
    ) or False  # fmt: skip
    linked = len(looks) > 1 and right.toggle(
        "Same colours for all models", value=True, key="surface.linked"
    )
    if not st.toggle(
        "Draw the surface", value=True, key="surface.on",
        help=f"{GRID} × {GRID} points, each run through the model. Switch off to stop.",
    ):  # fmt: skip
        return
    draw = landscapes.relief if solid else landscapes.surface
    places = []
    for _, look in beside(looks):
        places.append((st.empty(), st.empty()))
        if not (look.record.delta_norm > 0).any():
            said("δ is zero: there is no direction to look along.")
    ready = [i for i, look in enumerate(looks) if (look.record.delta_norm > 0).any()]
    parts: dict[int, list[Surface]] = {i: [] for i in ready}
    # coarse to fine: every row that is there is drawn, the gaps between fill up
    for done, part in enumerate((0, 2, 1, 3), start=1):
        for i in ready:
            parts[i].append(analysed(looks[i], "surface", seed=seed, grid=GRID, part=part, parts=4))
        found = {i: landscapes.joined(parts[i]) for i in ready}
        top = max((float(f.loss.max()) for f in found.values()), default=1.0)
        for i in ready:
            figure, words = places[i]
            record = looks[i].record
            with figure:
                chart(
                    draw(record, found[i], i, top if linked else None),
                    f"surface{i}.{seed}.{solid}.{done}",
                    f"Loss around the sentence. {landscapes.surface_sentence(record, found[i])}",
                )  # fmt: skip
            with words:
                said(
                    landscapes.surface_sentence(record, found[i])
                    + ("" if done == 4 else f" ({done} of 4 parts drawn …)")
                )
    with st.expander("Numbers"):
        for i, _ in beside(looks):
            if i in ready:
                table(
                    landscapes.surface_columns(landscapes.joined(parts[i])), f"surface_table{i}",
                    "Loss and margin around the sentence",
                )  # fmt: skip


def _lines(looks: Sequence[Look]) -> None:
    ready = [look for look in looks if (look.record.delta_norm > 0).any()]
    if not ready:
        said("δ is zero: there is no line to walk.")
        return
    found: list[Line] = [analysed(look, "line") for look in ready]
    records = [look.record for look in ready]
    words = " ".join(
        f"{'ABC'[i]}: {landscapes.line_sentence(r, one)}"
        for i, (r, one) in enumerate(zip(records, found, strict=True))
    )
    said(words)
    chart(landscapes.lines(records, found), "lines", f"Loss against the length of δ. {words}")
    with st.expander("Numbers"):
        for i, _ in beside(ready):
            table(landscapes.line_columns(found[i]), f"lines_table{i}", "Loss on the straight line")


def _map(looks: Sequence[Look]) -> None:
    for i, look in beside(looks):
        found: Map = analysed(look, "map")
        words = landscapes.context_sentence(look.record, found)
        said(words)
        chart(landscapes.context(look.record, found, i), f"map{i}", words)
        with st.expander("Numbers"):
            table(
                landscapes.context_columns(look.record, found), f"map_table{i}", "Tokens on the map"
            )


def _strip(record: AttackRecord, choices: list[int]) -> list[Token]:
    top = float(record.delta_norm.max()) or 1.0
    return [
        Token(
            text=t,
            value=story.number(float(record.delta_norm[k])) if record.perturbable[k] else "special",
            weight=float(record.delta_norm[k]) / top,
            title=f"{t}: ‖δ‖ = {story.number(float(record.delta_norm[k]))} raw",
            off=k not in choices,
        )
        for k, t in enumerate(record.tokens)
    ]


def _same_token(first: AttackRecord, record: AttackRecord, token: int) -> int | None:
    """The same token; where tokenizers differ, the first perturbed token of the same word."""
    if record.tokens != first.tokens:
        word = int(first.word_of[token])
        rows = np.flatnonzero(record.word_of == word) if record.words == first.words else []
        token = int(rows[0]) if len(rows) else -1
    return token if token >= 0 and record.delta_norm[token] > 0 else None
