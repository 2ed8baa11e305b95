"""The teacher's challenges: start one, and the live board of what the class has reached."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from advlab.classroom import challenges
from advlab.classroom.challenges import TEXT, kinds
from advlab.classroom.room import Classroom
from advlab.data.corpora import CORPORA
from advlab.errors import AdvlabError
from advlab.language import _
from advlab.runs import jobs
from advlab.ui import plain_text
from advlab.ui.classroom.shown import board
from advlab.ui.explore.asked import FIRST
from advlab.ui.models import model_choices

EVERY = 2.0  # seconds between looks


def challenge_part(room: Classroom) -> None:
    """The challenge that is open with its board, then the form for another."""
    challenge = challenges.open_one(room)
    if challenge is not None:
        with st.container(border=True):
            st.subheader(plain_text(challenge.about.title), anchor=False)
            st.markdown(plain_text(challenge.text))
            st.caption(challenge.about.rule)
            st.fragment(_board, run_every=EVERY, key="class.board")(room)
            st.button(_("End it"), icon=":material/flag:", on_click=challenges.close, args=(room,))
    _start(room, challenge is None)
    over = [one for one in challenges.challenges(room) if one.state == "closed"]
    if over:
        with st.expander(_("Earlier challenges"), icon=":material/history:"):
            for one in over:
                st.markdown(f"**{plain_text(one.about.title)}** · {plain_text(one.text)}")
                board(one, challenges.board(room, one))


def _board(room: Classroom) -> None:
    challenge = challenges.open_one(room)
    if challenge is not None:
        board(challenge, challenges.board(room, challenge), most=40)


def _start(room: Classroom, first: bool) -> None:
    """What is competed in, on which sentence and model."""
    about = kinds()
    with st.expander(_("Start a challenge"), expanded=first, icon=":material/trophy:"):
        kind = st.selectbox(
            _("Challenge"), list(about), format_func=lambda k: about[k].title, key="class.kind"
        )
        st.caption(about[kind].rule)
        model = ""
        if kind == "model":
            corpora = [name for name, corpus in CORPORA.items() if corpus.task == "classification"]
            text = st.selectbox(
                _("Test texts of"),
                corpora,
                format_func=lambda name: CORPORA[name].title,
                key="class.corpus",
            )
        else:
            text = st.text_area(
                _("Sentence"), FIRST.text, key="class.text", max_chars=TEXT, height=68
            )
            titles = _models()
            if not titles:
                st.info(_("There is no model yet: advlab prepare-class trains some."))
                return
            model = st.selectbox(
                _("Model"), list(titles), format_func=titles.__getitem__, key="class.model"
            )
        if st.button(_("Start it"), type="primary", icon=":material/play_arrow:"):
            try:
                challenges.start(room, kind, text or "", model or "")
            except AdvlabError as error:
                st.error(plain_text(str(error)), icon=":material/error:")
            else:
                st.rerun()


def _models() -> dict[str, str]:
    """Models that can be attacked, id -> title: those that classify first, as the sentence asks."""
    titles = model_choices()
    return dict(sorted(titles.items(), key=lambda item: not _classifies(item[0])))


def _classifies(id_: str) -> bool:
    with suppress(AdvlabError):  # a folder, or settings of another version
        return jobs.run(id_).config.task == "classification"
    return False
