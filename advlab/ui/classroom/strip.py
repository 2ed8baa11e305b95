"""What stands above every page of a student: the teacher's question, and the challenge.

A fragment that asks again every few seconds, the more slowly the more students are here, since each
look costs the server some 50 ms.
"""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from advlab.classroom import challenges, polls
from advlab.classroom.challenges import Challenge
from advlab.classroom.polls import Poll
from advlab.classroom.room import Classroom, Student
from advlab.errors import AdvlabError, ClassError
from advlab.language import _, n_
from advlab.ui import plain_text
from advlab.ui.classroom import session
from advlab.ui.classroom.hand_in import hand_in
from advlab.ui.classroom.shown import bars, board, question
from advlab.ui.turns import NEWS

EVERY = 3.0  # seconds between looks, at least
EACH = 0.2  # seconds more for each student who is here
_DRAWN, _LOOKED = "class.drawn", "class.looked"  # what stands there, and since when that is known


def strip() -> None:
    """Draw it, where the page is a student's."""
    room, student = session.room(), session.student()
    if room is None or student is None:
        return
    st.session_state[NEWS] = lambda: _news(room, student)
    every = max(EVERY, EACH * len(room.here()))
    st.fragment(_strip, run_every=every, key="class.strip")(room, student)


def _news(room: Classroom, student: Student) -> bool:
    """Whether another question or challenge stands here than was drawn; asked by a page's long work."""
    now = time.monotonic()
    if now - st.session_state.get(_LOOKED, now) < EVERY:
        return False
    st.session_state[_LOOKED] = now
    room.saw(student.id)
    return _shown(polls.shown(room), challenges.open_one(room)) != st.session_state.get(_DRAWN)


def _shown(poll: Poll | None, challenge: Challenge | None) -> tuple[Any, ...]:
    return (poll and (poll.id, poll.state), challenge and challenge.id)


def _strip(room: Classroom, student: Student) -> None:
    room.saw(student.id)
    poll, challenge = polls.shown(room), challenges.open_one(room)
    st.session_state[_DRAWN], st.session_state[_LOOKED] = _shown(poll, challenge), time.monotonic()
    if poll is not None:
        with st.container(border=True, key="class.poll"):
            try:
                _poll(room, poll, student)
            except AdvlabError as error:
                st.error(plain_text(str(error)), icon=":material/error:")
    if challenge is not None:
        with st.container(border=True, key="class.challenge"):
            _challenge(room, challenge, student)


def _poll(room: Classroom, poll: Poll, student: Student) -> None:
    """To be answered, answered, or revealed."""
    question(poll)
    given = polls.answers(room, poll.id)
    own = given.get(student.id)
    if poll.state == "revealed":
        bars(polls.histogram(poll, list(given.values())), poll.measured)
        if own is not None:
            st.caption(_("Your prediction: {prediction}", prediction=plain_text(own)))
    elif own is not None:
        st.caption(
            _("Your prediction is kept: {prediction}", prediction=plain_text(own))
            + " · "
            + n_("{n} answer", "{n} answers", len(given))
        )
    else:
        _answer(room, poll, student)
    if told := st.session_state.get(f"{_key(poll)}.told"):
        st.warning(plain_text(told), icon=":material/info:")


def _key(poll: Poll) -> str:
    return f"class.poll.{poll.id}"


def _answer(room: Classroom, poll: Poll, student: Student) -> None:
    """The choice or the number, and the button that keeps it for good."""
    key = _key(poll)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if poll.choices:
            st.radio(
                _("Your prediction"),
                poll.choices,
                index=None,
                format_func=plain_text,
                horizontal=True,
                key=key,
                label_visibility="collapsed",
                width="content",
            )
        else:
            st.text_input(_("Your prediction, a number"), key=key, max_chars=20, width=260)
        st.button(
            _("Keep my prediction"),
            type="primary",
            key=f"{key}.keep",
            on_click=_keep,
            args=(room, poll, student),
        )


def _keep(room: Classroom, poll: Poll, student: Student) -> None:
    """Keep what stands in the widget; what speaks against it is told beside it."""
    value, told = st.session_state.get(_key(poll)), f"{_key(poll)}.told"
    st.session_state[told] = ""
    try:
        if not value:
            raise ClassError(_("Say what you expect first."))
        polls.answer(room, poll.id, student.id, value)
    except AdvlabError as error:
        st.session_state[told] = str(error)  # a callback of a fragment draws nothing itself


def _challenge(room: Classroom, challenge: Challenge, student: Student) -> None:
    """The rule, what can be handed in, and the board."""
    about = challenge.about
    st.markdown(f"**{_('Challenge')}: {plain_text(about.title)}**")
    if challenge.kind != "model":
        st.markdown(f"“{plain_text(challenge.text)}”")
    place = st.empty()
    with st.expander(_("Take part")):  # closed: on a phone it would hide the page
        st.caption(about.rule)
        hand_in(room, challenge, student)
    entries = challenges.board(room, challenge)  # with what was handed in now
    own = next((e for e in entries if e.student == student.id), None)
    if own is not None:
        place.caption(
            _(
                "You are on place {rank} of {n}: {what} {figure}",
                rank=own.rank,
                n=len(entries),
                figure=about.form.format(own.value),
                what=about.figure,
            )
        )
    with st.expander(_("The board")):
        board(challenge, entries)
