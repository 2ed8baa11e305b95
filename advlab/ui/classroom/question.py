"""The teacher's questions to the room: ask, watch the answers come in, reveal them."""

from __future__ import annotations

import streamlit as st

from advlab.classroom import polls
from advlab.classroom.polls import Poll
from advlab.classroom.room import Classroom
from advlab.errors import AdvlabError
from advlab.language import _, n_
from advlab.ui import plain_text
from advlab.ui.classroom.shown import bars, question

EVERY = 2.0  # seconds between looks


def question_part(room: Classroom) -> None:
    """The question that stands, then the form for another."""
    poll = polls.shown(room)
    if poll is not None:
        with st.container(border=True):
            question(poll)
            st.fragment(_answers, run_every=EVERY, key="class.answers")(room, poll.id)
            _reveal(room, poll)
    _ask(room)
    _earlier(room)


def _answers(room: Classroom, id_: int) -> None:
    """How many have answered; what they said only after the reveal, so that nobody copies it."""
    poll, given = polls.poll(room, id_), polls.answers(room, id_)
    if poll.state == "revealed":
        bars(polls.histogram(poll, list(given.values())), poll.measured)
    else:
        st.markdown(n_("{n} answer", "{n} answers", len(given)))


def _reveal(room: Classroom, poll: Poll) -> None:
    """What was measured, and the button that shows it to everybody."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if poll.state == "open":
            if poll.choices:
                measured = st.selectbox(
                    _("Measured"),
                    poll.choices,
                    index=None,
                    placeholder=_("none"),
                    key=f"class.measured.{poll.id}",
                    width=320,
                )
            else:
                key = f"class.measured.{poll.id}"
                measured = st.text_input(_("Measured, a number"), key=key, width=220)
            if st.button(_("Reveal"), type="primary", icon=":material/visibility:"):
                try:
                    polls.reveal(room, poll.id, measured or "")
                except AdvlabError as error:
                    st.error(plain_text(str(error)), icon=":material/error:")
                else:
                    st.rerun()
        st.button(
            _("Put away"), icon=":material/close:", on_click=polls.close, args=(room, poll.id)
        )


def _ask(room: Classroom) -> None:
    """The form for a new question."""
    with st.expander(
        _("Ask a question"), expanded=polls.shown(room) is None, icon=":material/help:"
    ):
        with st.form("class.ask", border=False, clear_on_submit=True):
            text = st.text_input(_("Question"), max_chars=polls.QUESTION)
            choices = st.text_area(
                _("Choices, one a line"),
                height=110,
                help=_("Without choices, students answer with a number."),
            )
            pressed = st.form_submit_button(_("Put it to the room"), type="primary")
        if pressed:
            try:
                polls.ask(room, text or "", (choices or "").split("\n"))
            except AdvlabError as error:
                st.error(plain_text(str(error)), icon=":material/error:")
            else:
                st.rerun()


def _earlier(room: Classroom) -> None:
    """Questions that were put away."""
    old = [poll for poll in polls.polls(room) if poll.state == "closed"]
    if not old:
        return
    with st.expander(_("Earlier questions"), icon=":material/history:"):
        for poll in old:
            question(poll)
            bars(polls.histogram(poll, list(polls.answers(room, poll.id).values())), poll.measured)
