"""Where δ lies among the vocabulary's vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from advlab import planes, story
from advlab.records import AttackRecord
from advlab.ui.looks import Look, analysed
from advlab.ui.round_trip import said
from advlab.ui.tokens import Token, token_strip
from advlab.ui.views.parts import beside, chart, section


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
