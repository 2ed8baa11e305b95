"""The visitor's language: the link's or the switch's, else the browser's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import streamlit as st
from starlette.responses import RedirectResponse
from streamlit.runtime.scriptrunner import get_script_run_ctx

from advlab.language import LANGUAGES, _, asked, fitting, language, speak
from advlab.ui.hosts import Application, Message, Receive, Send

KEY = "lang"  # of the switch, and the link's parameter


def visitors() -> str | None:
    """What the visitor chose, by link or switch, else the browser's language; None outside a page."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    chosen = st.session_state.get(KEY) or st.query_params.get(KEY)
    return chosen if chosen in LANGUAGES else fitting(st.context.locale)


class SpokenLinks:
    """ASGI middleware: leads a link that says lang=zh to one that says it in the switch's own words.

    Streamlit reads no others, and drops from a link what it does not read: reloaded, the page would be
    in the browser's language again.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer where it is to go."""
        place = told(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        await (self.app if place is None else RedirectResponse(place, 307))(scope, receive, send)  # type: ignore[arg-type]


def told(scope: Message) -> str | None:
    """The link of a request in the switch's words; None where it names no language otherwise."""
    said = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    words = [(k, LANGUAGES.get(v, v) if k == KEY else v) for k, v in said]
    # below this server: two slashes would begin the name of another
    path = "/" + str(scope["path"]).lstrip("/")
    return f"{quote(path)}?{urlencode(words)}" if words != said else None


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
            default=language(),
            required=True,
            key=KEY,
            bind="query-params",
            label_visibility="collapsed",
            width="stretch",
        )
