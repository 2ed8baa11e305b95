"""The visitor's language: the link's or the switch's, else the browser's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from advlab.language import LANGUAGES, _, asked, fitting, speak

KEY = "lang"  # of the switch, and the link's parameter


def visitors() -> str | None:
    """What the visitor chose, by link or switch, else the browser's language; None outside a page."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    chosen = st.session_state.get(KEY) or st.query_params.get(KEY)
    return chosen if chosen in LANGUAGES else fitting(st.context.locale)


def heard(key: str, names: Mapping[Any, str], *, many: bool = False) -> None:
    """Make the choice of a link that was copied from a page in another language; value -> its name.

    Streamlit writes a choice into the link in the words in which it was shown, and reads no others.
    """
    said = st.query_params.get_all(key)
    if not said or key in st.session_state:
        return
    own, others = {_(name) for name in names.values()}, {}
    for language_name in LANGUAGES:
        with speak(language_name):
            others |= {_(name): value for value, name in names.items()}
    if own >= set(said) or not set(said) <= set(others):
        return
    chosen = [others[one] for one in said]
    st.session_state[key] = chosen if many else chosen[0]


def switch() -> None:
    """The switch in the menu; drawn before any sentence is made."""
    asked(visitors)
    with st.sidebar:
        st.segmented_control(
            "Language · 语言",
            list(LANGUAGES),
            format_func=LANGUAGES.__getitem__,
            # the browser's: Streamlit leaves out of the link what is the default
            default=fitting(st.context.locale) or "en",
            required=True,
            key=KEY,
            bind="query-params",
            label_visibility="collapsed",
            width="stretch",
        )
