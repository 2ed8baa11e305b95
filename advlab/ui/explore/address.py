"""The Explore page's address and this session's memory of it, so that another visit goes on there."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from advlab.ui.explore.request import joined, names

_MEMORY, _WRITTEN, _TURN = "explore.memory", "explore.written", "explore.turn"


def remembered() -> dict[str, str]:
    """What the Explore page was last asked, as its address says it."""
    return dict(st.session_state.get(_MEMORY, {}))


def arrived() -> dict[str, str]:
    """What the page is asked: by its address or, where that says nothing, as it was in this session."""
    known = set(names())
    given = {k: v for k, v in st.query_params.items() if k in known}
    if given and given != st.session_state.get(_WRITTEN):
        st.session_state[_MEMORY] = st.session_state[_WRITTEN] = joined(remembered(), given)
        # new keys for all widgets, since Streamlit keeps what was entered under the old ones
        st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    return remembered()


def prefix() -> str:
    """What the keys of the page's widgets begin with: another one after each link that came in."""
    return f"explore.{st.session_state.get(_TURN, 0)}"


def write(wanted: Mapping[str, str]) -> None:
    """Put what is asked now into the address, and remember it."""
    for name in names():
        if name not in wanted and name in st.query_params:
            del st.query_params[name]
    # all at once: each message about the address is an entry in the browser's history
    if changed := {k: v for k, v in wanted.items() if st.query_params.get(k) != v}:
        st.query_params.update(changed)
    st.session_state[_MEMORY] = st.session_state[_WRITTEN] = dict(wanted)
