"""Where δ lies: among the vocabulary's vectors, and in the model's loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from advlab.language import N_, _
from advlab.pictures import landscape, next_look, sentences
from advlab.pictures import plane as planes
from advlab.pictures.text import legend
from advlab.records import AttackRecord, Distances, LocalPlane, Map
from advlab.ui.explore.results import Result, analysed
from advlab.ui.explore.views.loss import straight_lines, surfaces
from advlab.ui.parts import beside, chart, folded, pointed, said, section, table
from advlab.ui.token_strip import Token, token_strip

NO_TOKEN = N_("This model's δ leaves that token alone, or it splits the sentence otherwise.")


def geometry(results: Sequence[Result]) -> None:
    """Draw this view."""
    first = next(
        (result.record for result in results if (result.record.delta_norm > 0).any()), None
    )
    if first is None:
        said(_("There is no perturbed token to look at."))
        return
    with section(
        _("The loss around the sentence"),
        _(
            "Right is along δ, up a random direction as long and at right angles to "
            "it. Brighter is a higher loss; every point is run through the model."
        ),
        "surface",
        "boundary",
    ):
        surfaces(results)
    pointed(next_look.after_geometry([result.record for result in results]))
    with section(
        _("One token's neighbourhood"),
        _(
            "The arrow is δ, exact. Each shade is where another token would be "
            "nearest, measured in all dimensions."
        ),
        *("neighbourhood", "exit_radius", "certificate"),
    ):
        token = _token(first)
        _planes(results, first, token)
    with section(
        _("Until it becomes another word"),
        _(
            "The distance to the token's own vector grows with δ, those to its rivals "
            "shrink or grow. Where the lines cross it reads as another token. The "
            "dotted line is δ as it is."
        ),
        "exit_radius",
        "certificate",
    ):
        _distances(results, first, token)
    with section(
        _("Straight ahead, or round the corner?"),
        _(
            "The loss on the straight line from the sentence through δ to twice its "
            "length, at the attack's own steps by their length, and under random noise "
            "as long (bands). The cross is where the straight line first flips."
        ),
        *("loss", "steps", "local_optima"),
    ):
        straight_lines(results)
    with section(
        _("The map, for context only"),
        _(
            "Words in the two main axes of the vocabulary. Such a map is drawn "
            "everywhere, and δ hardly shows in it: read the numbers before the picture."
        ),
    ):
        if st.toggle(_("Draw the map"), key="map.on", persist_state="session"):
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
        _("Token"),
        choices,
        key="token",
        index=choices.index(longest),
        bind="query-params",
        format_func=lambda t: f"{t}: {first.tokens[t]}",
        help=_("The tokens that δ moves."),
    )
    with strip:
        token_strip(
            _strip(first, choices),
            label=_("Choose a token"),
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
    if there:
        st.html(legend(planes.marks([i for i, plane in enumerate(found) if plane is not None])))
    for i, result in beside(results):
        plane = found[i]
        if plane is None:
            said(_(NO_TOKEN))
            continue
        said(
            _(
                "{reach_sentence} The lens magnifies {magnification} ×.",
                reach_sentence=planes.reach_sentence(result.record, plane),
                magnification=sentences.number(planes.magnification(plane, whole, near)),
            ),
            hover=_(
                "‖δ‖ = {units}; exit radius {exit_radius} raw",
                units=sentences.units(plane.delta, result.record.scale),
                exit_radius=sentences.number(plane.exit_radius),
            ),
        )
        # beside each other where there is room for two, else one below the other
        two = st.columns(2) if len(results) == 1 else [st.container(), st.container()]
        for column, lens in zip(two, (True, False), strict=True):
            with column:
                chart(
                    planes.plane_figure(
                        result.record,
                        plane,
                        i,
                        lens=lens,
                        width=near if lens else whole,
                        whole=whole,
                    ),
                    f"plane{i}.{lens}",
                    _(
                        "{model}: δ of one token, length {delta} raw, and its nearest vocabulary "
                        "vectors",
                        model=_("Lens") if lens else _("True scale"),
                        delta=sentences.number(plane.delta),
                    ),
                )
        if fold := folded(f"plane{i}.numbers"):
            with fold:
                table(
                    planes.plane_columns(plane),
                    f"plane_table{i}",
                    _("Neighbours of the token, raw units"),
                )


def _distances(results: Sequence[Result], first: AttackRecord, token: int) -> None:
    own = [_same_token(first, result.record, token) for result in results]
    found: list[Distances | None] = [
        None if t is None else analysed(result, "distances", token=t)
        for result, t in zip(results, own, strict=True)
    ]
    each = [landscape.distance_reach(f) for f in found if f is not None]
    reach = (max(r for r, __ in each), max(t for __, t in each)) if each else None
    for i, result in beside(results):
        one, at = found[i], own[i]
        if one is None or at is None:
            said(_(NO_TOKEN))
            continue
        name = result.record.tokens[at]
        ends = (
            _(
                "‘{name}’ reads as ‘{becomes}’ from {exit} × δ on.",
                name=name,
                becomes=one.becomes,
                exit=sentences.number(one.exit),
            )
            if one.becomes
            else _("‘{name}’ never becomes another token in this direction.", name=name)
        )
        said(ends)
        chart(
            landscape.distances(one, name, i, reach),
            f"distances{i}",
            _(
                "Distance to the own vector and to rivals against the factor on δ. {ends}",
                ends=ends,
            ),
        )
        if fold := folded(f"distances{i}.numbers"):
            with fold:
                table(
                    landscape.distance_columns(one),
                    f"distances_table{i}",
                    _("Distances, raw units"),
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
                    _("Tokens on the map"),
                )


def _strip(record: AttackRecord, choices: list[int]) -> list[Token]:
    """The sentence to click on: under each token its ‖δ‖, × mean norm."""
    top = float(record.delta_norm.max()) or 1.0
    sizes = sentences.alike(record.delta_norm / record.scale.mean_norm)
    kinds = sentences.token_kinds(record)
    return [
        Token(
            text=t,
            value=f"{sizes[k]} ×" if kinds[k] == "word" else _(kinds[k]),
            weight=float(record.delta_norm[k]) / top,
            title=f"{t}: ‖δ‖ = {sentences.units(float(record.delta_norm[k]), record.scale)}",
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
