"""What the frame of the app shows in a class: who one is, and letters for a projector."""

from __future__ import annotations

import streamlit as st

from advlab.language import _
from advlab.ui import plain_text
from advlab.ui.classroom import login, session

LARGE = "large"  # in the address: large=true
# letters, boxes and gaps of a page are measured in the root's letters
LARGER = """<style>
html { font-size: 150% !important }
[data-testid="stMainBlockContainer"] { max-width: none }
</style>"""


def type_size() -> None:
    """Letters as large as a projector wants them, where the address or the switch says so."""
    if session.room() is None:
        return
    if LARGE not in st.session_state:
        asked = str(st.query_params.get(LARGE, "")).lower()
        st.session_state[LARGE] = asked in ("1", "true")
    if st.session_state[LARGE]:
        st.html(LARGER)


def beside() -> None:
    """Who one is, below the menu; after a login the way out; for the teacher large letters too."""
    if session.room() is None:
        return
    with st.sidebar:
        student = session.student()
        if student is not None:
            st.caption(_("You are {name}.", name=plain_text(student.name)))
        if session.is_teacher():
            st.caption(_("You are the teacher."))
            st.toggle(
                _("Large type"),
                key=LARGE,
                persist_state="session",
                help=_("For a projector; also large=1 in the address"),
            )
        if login.uses_login():
            login.way_out()
