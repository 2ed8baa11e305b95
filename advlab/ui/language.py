"""The visitor's language: the link's or the switch's, else the browser's."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from advlab.language import LANGUAGES, asked, fitting, language

KEY = "lang"  # of the switch, and the link's parameter


def visitors() -> str | None:
    """What the visitor chose, by link or switch, else the browser's language; None outside a page."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    chosen = st.session_state.get(KEY) or st.query_params.get(KEY)
    return chosen if chosen in LANGUAGES else fitting(st.context.locale)


def switch() -> None:
    """The switch in the menu; drawn before any sentence is made."""
    asked(visitors)
    with st.sidebar:
        st.segmented_control(
            "Language · 语言",
            list(LANGUAGES),
            format_func=LANGUAGES.__getitem__,
            default=language(),
            required=True,
            key=KEY,
            bind="query-params",
            label_visibility="collapsed",
            width="stretch",
        )
