"""Whose session it is: the cookie of the door names a student, and all below `home()` is theirs.

A session belongs to one visitor from its first run on. Its cookie is read at each whole run of a page,
and what was read is kept: fragments run without a new look, and the cookie is gone from Streamlit's
sight while a socket is down. A run of a page that belongs to nobody gets no data folder at all.
"""

from __future__ import annotations

from collections import OrderedDict

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from advlab.classroom.room import TEACHER, Classroom, Student
from advlab.errors import ClassError
from advlab.language import _
from advlab.runs import spaces
from advlab.runs.spaces import Space
from advlab.ui import plain_text
from advlab.ui.classroom import login
from advlab.ui.classroom.door import COOKIE

MOST = 5000  # sessions that are remembered

_rooms: list[Classroom] = []  # the one that this server serves
_owners: OrderedDict[str, str] = OrderedDict()  # session -> student, or teacher


def open_room(room: Classroom | None) -> None:
    """From now on this process serves a class; None: it does no longer."""
    _rooms[:] = [room] if room is not None else []
    _owners.clear()
    spaces.resolve_by(space_here if room is not None else None)


def room() -> Classroom | None:
    """The class that is served here."""
    return _rooms[0] if _rooms else None


def owner() -> str | None:
    """The student, or `TEACHER`, whose page this thread draws."""
    context = get_script_run_ctx(suppress_warning=True)
    return None if context is None else _owners.get(context.session_id)


def is_teacher() -> bool:
    """Whether the page is the teacher's of a class."""
    return owner() == TEACHER


def student() -> Student | None:
    """The student whose page it is; None for the teacher, and where there is no class."""
    who, here = owner(), room()
    return here.student(who) if here is not None and who not in (None, TEACHER) and who else None


def space_here() -> Space | None:
    """The space of the page that this thread draws; None for the teacher and the server's own work.

    ClassError for a page that belongs to nobody.
    """
    here, context = room(), get_script_run_ctx(suppress_warning=True)
    if here is None or context is None:
        return None
    who = _owners.get(context.session_id)
    if who is None:
        raise ClassError(_("Join the class first: open its address, and type the code."))
    return None if who == TEACHER else here.space_of(who)


def enter() -> None:
    """Bind the session to its visitor, before anything of it is drawn; nobody else comes past here."""
    here, context = room(), get_script_run_ctx(suppress_warning=True)
    if here is None or context is None:
        return
    known, who, refused = _owners.get(context.session_id), None, ""
    try:
        who = _named(here)
    except ClassError as error:
        refused = str(error)
    if who is None and known is None:
        _knock(refused)
    if who is not None and who != known:
        if known is not None:  # another came in by the same browser: nothing is left for them
            for key in list(st.session_state):
                del st.session_state[key]
        _owners[context.session_id] = who
    _owners.move_to_end(context.session_id)
    while len(_owners) > MOST:
        _owners.popitem(last=False)
    if who not in (None, TEACHER) and who:
        here.saw(who)


def _named(here: Classroom) -> str | None:
    """Who the browser says it is: by the class's cookie, else by Streamlit's login.

    ClassError for a login that the class has no place for.
    """
    who = here.who(st.context.cookies.get(COOKIE))
    if who is not None:
        return who
    found = login.visitor()
    return None if found is None else here.logged_in(*found).id


def _knock(refused: str) -> None:
    """Ask who has not come in to do so, or tell why not; and end the run."""
    if not login.uses_login():
        st.error(_("Join the class first: open its address, and type the code."))
    elif not (refused or st.user.is_logged_in):
        login.way_in()
    else:
        st.error(plain_text(refused or _("The login does not say who you are; tell your teacher.")))
        login.way_out()
    st.stop()
