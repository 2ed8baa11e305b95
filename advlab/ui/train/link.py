"""Choices in the address by their own names, whatever the page calls them and in which language.

A control that Streamlit binds to the address writes what the page calls a choice, and begins with a
value that nothing else may set. What has names of its own, or depends on another choice, is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from advlab.language import _, listing
from advlab.ui import plain_text


def opened(name: str, first: Any, read: Callable[[str], Any]) -> None:
    """Before the control of this key is drawn: what a new address says of it, else `first`.

    `read` makes a value of the address's text, None where it says nothing that fits.
    """
    given = st.query_params.get(name)
    if given is not None and given != st.session_state.get(_written(name)):
        value = read(given)
        if value is not None:
            st.session_state[name] = value
    if name not in st.session_state:
        st.session_state[name] = first


def to_link(name: str, value: Any) -> None:
    """After it is drawn: its value into the address."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    st.query_params[name] = text
    st.session_state[_written(name)] = text


def one_of(name: str, options: Sequence[str]) -> None:
    """As `opened`, for a choice of one; what is no option any more gives way to the first."""
    opened(name, options[0], lambda text: next(iter(_known([text], options)), None))
    if st.session_state[name] not in options:
        st.session_state[name] = options[0]


def some_of(name: str, options: Sequence[str], first: Sequence[str]) -> None:
    """As `opened`, for a choice of several."""
    opened(name, list(first), lambda text: _known(text.split(","), options) or None)


def _known(wanted: Sequence[str], options: Sequence[str]) -> list[str]:
    """Those that are options; of others it is said that they are not here."""
    gone = [one for one in wanted if one and one not in options]
    if gone:
        told = _("What this link names is not here: {names}.", names=listing(gone))
        st.warning(plain_text(told, 200))
    return [one for one in options if one in wanted]


def _written(name: str) -> str:
    return f"{name}.in_link"
