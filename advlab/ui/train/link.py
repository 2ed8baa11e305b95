"""Choices in the address by their own names, whatever the page calls them and in which language.

A control that Streamlit binds to the address writes what the page calls a choice. What has names of its
own (runs, corpora, methods) is written here instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from advlab.language import _
from advlab.ui import plain_text


def opened(name: str, options: Sequence[Any], *, many: bool = False) -> None:
    """Before a control of this key is drawn: let it stand at what a new address says of it.

    What the address names and is not among the options is said, and the control stays as it was.
    """
    given = st.query_params.get(name)
    if given is not None and given != st.session_state.get(_written(name)):
        wanted = given.split(",") if many and given else [given]
        found = [one for one in options if str(one) in wanted]
        gone = sorted(set(wanted) - {str(one) for one in options})
        if found:
            st.session_state[name] = found if many else found[0]
        if gone and given:
            st.warning(
                plain_text(
                    _("What this link names is not here: {names}.", names=", ".join(gone)), 200
                )
            )
    if name in st.session_state and not many and st.session_state[name] not in options:
        del st.session_state[name]  # of another model


def to_link(name: str, value: Any) -> None:
    """After it is drawn: its value into the address."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    st.query_params[name] = text
    st.session_state[_written(name)] = text


def _written(name: str) -> str:
    return f"{name}.in_link"
