"""Token locks: words that the attack may not touch, kept with the sentence that they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from advlab.language import _
from advlab.pictures.sentences import alike, token_kinds, units
from advlab.records import AttackRecord
from advlab.ui.explore.request import Spans, merged
from advlab.ui.token_strip import Token, token_strip

_KEY = "explore.shield"  # (text, spans) of this session
_CHANGED = "explore.shield.changed"


def shielded(text: str) -> Spans:
    """The spans of this text that are shielded; a text that was changed has none."""
    kept, spans = st.session_state.get(_KEY, ("", ()))
    return spans if kept == text else ()


def shield(text: str, spans: Spans) -> None:
    """Shield these spans of this text."""
    st.session_state[_KEY] = (text, merged(spans))


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
    sizes = alike(record.delta_norm / record.scale.mean_norm)
    kinds = token_kinds(record)

    def value(k: int) -> str:
        """How long δ is; where there is none, why."""
        if k in locked or (kinds[k] != "word" and not record.delta_norm[k]):
            return _("shielded") if k in locked else _(kinds[k])
        return f"{sizes[k]} ×"

    token_strip(
        [
            Token(
                text=t,
                value=value(k),
                weight=0.0 if k in locked else float(record.delta_norm[k]) / top,
                title=f"{t}: ‖δ‖ = {units(float(record.delta_norm[k]), record.scale)}"
                + (
                    ""
                    if k not in words
                    else _("; click to free")
                    if k in locked
                    else _("; click to shield")
                ),
                off=k not in words,
                marked=k in locked,
            )
            for k, t in enumerate(record.tokens)
        ],
        label=_("Shield a token; ‖δ‖ in × mean norm"),
        key="locks",
        on_select=toggle,
    )
    st.caption(_("Under each token its ‖δ‖ in the first model, × mean norm."))
    if st.session_state.pop(_CHANGED, False):  # the click reran this part of the page only
        st.rerun()
    row = st.container(horizontal=True)  # beside a lesson's card they do not fit into one
    free = [t for t in words if t not in locked]
    if row.button(_("Attack only the shielded words"), disabled=not locked or not free):
        keep(free)
        st.rerun()
    most = [t for t in np.argsort(-record.delta_norm)[:3].tolist() if t in words]
    if row.button(_("Shield the three with the longest δ"), disabled=len(free) < 4 or bool(locked)):
        keep(most)
        st.rerun()
    if row.button(_("Free all"), disabled=not locked):
        keep([])
        st.rerun()
