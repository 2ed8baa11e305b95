"""The teacher's page: who is where, steps held or open, questions, challenges, what the class did.

The code and the address may be projected; the secret link stands on no page.
"""

from __future__ import annotations

import html
from datetime import date
from urllib.parse import urlsplit

import streamlit as st

from advlab.classroom import progress
from advlab.classroom.export import zipped
from advlab.classroom.room import Classroom
from advlab.language import N_, _, n_
from advlab.lessons.course import lesson, names
from advlab.runs.queue import Store
from advlab.ui import plain_text
from advlab.ui.classroom import session
from advlab.ui.classroom.challenge import challenge_part
from advlab.ui.classroom.login import uses_login
from advlab.ui.classroom.question import question_part
from advlab.ui.classroom.shown import table
from advlab.ui.language import heard

EVERY = 3.0  # seconds between looks at the room


def teacher_page() -> None:
    """Everything on the page; for a student who comes here by a link, a sentence."""
    room = session.room()
    if room is None or not session.is_teacher():
        st.info(_("This page is the teacher's."))
        return
    st.title(_("The class"), anchor=False)
    parts = {
        "room": N_("Room"),
        "question": N_("Question"),
        "challenge": N_("Challenge"),
        "export": N_("What the class did"),
    }
    heard("part", parts)
    part = st.segmented_control(
        _("Part"),
        list(parts),
        default="room",
        required=True,
        format_func=lambda name: _(parts[name]),
        key="part",
        bind="query-params",
        label_visibility="collapsed",
    )
    if part == "question":
        question_part(room)
    elif part == "challenge":
        challenge_part(room)
    elif part == "export":
        _export(room)
    else:
        _door(room)
        st.fragment(_room, run_every=EVERY, key="class.room")(room)
        _steps(room)


def _door(room: Classroom) -> None:
    """The address and the code, to be read from the last row."""
    address = for_students(st.context.url or "", room.address)
    st.html(
        f'<p style="margin:0;font-size:1.1rem;overflow-wrap:anywhere">{html.escape(address)}</p>'
    )
    if uses_login():
        st.caption(_("The address at which students log in."))
        return
    st.html(
        '<p style="margin:0;font-size:2.6rem;font-weight:700;letter-spacing:.15em">'
        f"{html.escape(room.code)}</p>"
    )
    st.caption(_("The address and the code with which students come in."))


def for_students(teachers: str, printed: str) -> str:
    """The address that others can open: the teacher's own, unless it means their own machine."""
    asked = urlsplit(teachers)
    here = asked.hostname in ("localhost", "127.0.0.1", "::1", "0.0.0.0")
    if printed and here:
        return printed
    place = asked.path.rstrip("/").removesuffix("/class")  # a host or a base path may say it too
    return f"{asked.scheme}://{asked.netloc}{place}"


def _room(room: Classroom) -> None:
    """Each student: here or not, at which step, what trains."""
    students, here = room.students(), room.here()
    st.markdown(
        f"**{n_('{n} student', '{n} students', len(students))}**, "
        + _("{n} here now", n=len(here & {s.id for s in students}))
    )
    if not students:
        st.caption(_("Nobody has joined yet."))
        return
    said = {"predict": _("predicted"), "done": _("done"), "check": _("answered")}
    columns: dict[str, list[str]] = {}
    for student in students:
        root = room.space_of(student.id).root
        mark = progress.last(root)
        line = Store(root).line() if (root / "runs.db").exists() else None
        row = {
            _("student"): student.name,
            _("here"): "●" if student.id in here else "–",
            _("lesson"): _called(mark.lesson) if mark else "–",
            _("step"): str(mark.step) if mark else "–",
            _("last act"): said.get(mark.kind, mark.kind) if mark else "–",
            _("runs training"): str(line.running) if line else "0",
            _("runs waiting"): str(len(line.waiting)) if line else "0",
        }
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    table(columns, _("Who is at which step"))


def _steps(room: Classroom) -> None:
    """Hold a lesson at a step, or open it."""
    st.subheader(_("Steps"), anchor=False)
    st.caption(_("Who comes to a step that is held waits there until you open it."))
    known = lessons(room)
    with (
        st.form("class.hold", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        chosen = st.selectbox(
            _("Lesson"), known, accept_new_options=True, format_func=_called, width=320
        )
        step = st.number_input(_("Hold from step"), min_value=1, value=2, step=1, width=160)
        pressed = st.form_submit_button(_("Hold"), icon=":material/pan_tool:")
    if pressed and chosen:
        room.hold(str(chosen)[:80], int(step))
    for name, first in room.holds().items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                _("{lesson} is held from step {step}", lesson=plain_text(_called(name)), step=first)
            )
            st.button(
                _("Open"),
                key=f"class.open.{name}",
                icon=":material/lock_open:",
                on_click=room.open,
                args=(name,),
            )


def _called(name: str) -> str:
    """A lesson's number and title; the name of one that is not of this course."""
    if name not in names():
        return name
    one = lesson(name)
    return f"{one.number} · {one.title}"


def lessons(room: Classroom) -> list[str]:
    """The names of the lessons that there are, and of those that somebody was in."""
    known = list(names())
    seen = {mark.lesson for home in room.spaces() for mark in progress.read(home)}
    return [*known, *sorted(seen - set(known))]


def _export(room: Classroom) -> None:
    """All of it as one ZIP."""
    st.markdown(
        _(
            "One ZIP: tables (CSV) of students, progress, answers, challenges and runs, and the "
            "capsules that students handed in."
        )
    )
    st.download_button(
        _("Download what the class did"),
        data=lambda: zipped(room),
        file_name=f"class-{date.today().isoformat()}.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="class.export",
    )
