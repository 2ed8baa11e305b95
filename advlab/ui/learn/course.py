"""The course: every lesson with its minutes, what one sees in it, and how far one is."""

from __future__ import annotations

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _, n_
from advlab.lessons import models, progress
from advlab.lessons.blocks import Lesson
from advlab.lessons.course import course
from advlab.runs import jobs
from advlab.ui import plain_text
from advlab.ui.learn.lesson import LESSON, resting

WIDTH = (
    640  # px of what a lesson shows; where that leaves no room beside it, the minutes stand below
)


def course_page() -> None:
    """Everything on the page."""
    lessons = course()
    st.title(_("Course"), anchor=False)
    minutes = sum(one.minutes for one in lessons)
    st.markdown(
        _(
            "{count} short labs, {minutes} minutes in all. In each you first say what you expect, then"
            " try it on real models, then see what was measured: now, on this computer.",
            count=len(lessons),
            minutes=minutes,
        )
    )
    ahead = next((one for one in lessons if not _done(one)), None)
    if ahead is not None and progress.lines():
        st.page_link(
            LESSON,
            label=_("Go on: {title}", title=plain_text(ahead.title)),
            icon=":material/play_arrow:",
            query_params={"lesson": ahead.name},
        )
    _prepare()
    for one in lessons:
        _line(one)


def _done(one: Lesson) -> bool:
    return resting(one) > len(one.steps)


def _line(one: Lesson) -> None:
    steps, finished = len(one.steps), len(progress.finished(one.name))
    row = st.container(
        border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    )
    with row:
        with st.container(width=WIDTH):
            st.page_link(
                LESSON,
                label=f"**{one.number} · {plain_text(one.title)}**",
                icon=":material/check_circle:"
                if _done(one)
                else ":material/radio_button_unchecked:",
                query_params={"lesson": one.name},
            )
            st.caption(one.shows)
        with st.container(width=110, gap="xsmall"):
            st.caption(n_("{n} minute", "{n} minutes", one.minutes))
            if finished:
                st.caption(_("{done} of {steps} steps", done=min(finished, steps), steps=steps))


def _prepare() -> None:
    """For who gives a class: all models before it begins."""
    lacks = models.needed()
    if not lacks:
        return
    with st.expander(_("Before a class: train every model that the lessons need")):
        st.markdown(
            n_(
                "{n} model is not trained yet. The first start of a lesson trains what it needs.",
                "{n} models are not trained yet. The first start of a lesson trains what it needs.",
                len(lacks),
            )
        )
        if st.button(_("Train them all now"), icon=":material/rocket_launch:"):
            try:
                for group, config in lacks:
                    jobs.submit(config, group=group)
            except AdvlabError as error:
                st.error(plain_text(str(error)), icon=":material/error:")
            else:
                st.rerun()
