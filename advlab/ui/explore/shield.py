"""Token locks: words that the attack may not touch, kept with the sentence that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st

from advlab.pictures.sentences import number
from advlab.records import AttackRecord
from advlab.ui.token_strip import Token, token_strip

Spans = tuple[tuple[int, int], ...]
_KEY = "explore.shield"  # (text, spans) of this session
_CHANGED = "explore.shield.changed"
MOST = 1024  # spans in a link: more than a text of `explore_form.LIMIT` characters can need


def shielded(text: str) -> Spans:
    """The spans of this text that are shielded; a text that was changed has none."""
    kept, spans = st.session_state.get(_KEY, ("", ()))
    return spans if kept == text else ()


def shield(text: str, spans: Spans) -> None:
    """Shield these spans of this text."""
    st.session_state[_KEY] = (text, merged(spans))


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same characters in as few spans as can be, in order."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def to_link(spans: Spans) -> str:
    """‘4-9.12-15’."""
    return ".".join(f"{start}-{end}" for start, end in merged(spans))


def from_link(value: str, length: int) -> Spans:
    """Spans of a text of this length; what is no span is left out."""
    found = []
    for part in value.split(".")[:MOST]:
        start, _, end = part.partition("-")
        if start.isdecimal() and end.isdecimal() and len(start) < 6 and len(end) < 6:
            span = (int(start), int(end))
            if span[0] < span[1] <= length:
                found.append(span)
    return merged(found)


def runs(tokens: Sequence[int], places: Sequence[tuple[int, int]]) -> Spans:
    """Where these tokens stand, neighbours as one span: nothing but blanks lies between them."""
    spans: list[tuple[int, int]] = []
    for before, token in zip([-2, *sorted(tokens)], sorted(tokens), strict=False):
        start, end = places[token]
        joined = before == token - 1
        spans.append((spans.pop()[0] if joined else start, end))
    return merged(spans)


def locks(record: AttackRecord) -> None:
    """The strip of tokens and its buttons. A change attacks again."""
    text, now = record.text, shielded(record.text)
    places = [(int(s), int(e)) for s, e in record.spans]
    words = [t for t, (s, e) in enumerate(places) if e > s]
    locked = {t for t in words if any(s < places[t][1] and e > places[t][0] for s, e in now)}

    def keep(tokens: Sequence[int]) -> None:
        shield(text, runs(tokens, places))

    def toggle(index: int) -> None:
        if index in words and locked ^ {index} < set(words):
            keep(sorted(locked ^ {index}))
            st.session_state[_CHANGED] = True

    top = float(record.delta_norm.max()) or 1.0
    token_strip(
        [
            Token(
                text=t,
                value="shielded"
                if k in locked
                else f"{number(float(record.delta_norm[k]) / record.scale.mean_norm)} ×",
                weight=0.0 if k in locked else float(record.delta_norm[k]) / top,
                title=f"{t}: ‖δ‖ {number(float(record.delta_norm[k]) / record.scale.mean_norm)} ×"
                f" mean norm; click to {'free' if k in locked else 'shield'}",
                off=k not in words,
                marked=k in locked,
            )
            for k, t in enumerate(record.tokens)
        ],
        label="Shield a token; ‖δ‖ in × mean norm",
        key="locks",
        on_select=toggle,
    )
    st.caption("Under each token its ‖δ‖ in the first model, × mean norm.")
    if st.session_state.pop(_CHANGED, False):  # the click reran this part of the page only
        st.rerun()
    left, middle, right = st.columns(3)
    free = [t for t in words if t not in locked]
    if left.button(
        "Attack only the shielded words", disabled=not locked or not free, width="stretch"
    ):
        keep(free)
        st.rerun()
    most = [t for t in np.argsort(-record.delta_norm)[:3].tolist() if t in words]
    if middle.button(
        "Shield the three with the longest δ",
        disabled=len(free) < 4 or bool(locked),
        width="stretch",
    ):
        keep(most)
        st.rerun()
    if right.button("Free all", disabled=not locked, width="stretch"):
        keep([])
        st.rerun()
