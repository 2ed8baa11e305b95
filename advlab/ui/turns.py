"""Turns: few attacks run at once, every visitor gets one in turn, and none may hold it for ever.

More attacks beside each other only make each other slow. Who waits is served before those who were
served later than they were, so a page with a hundred sentences does not stand before one with one.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from advlab.errors import SettingError
from advlab.language import _
from advlab.runs.limits import check_most, check_text, limits

if TYPE_CHECKING:
    from streamlit.runtime.scriptrunner import ScriptRunContext

    from advlab.attacks import Attack

AT_ONCE = 2  # turns
LONGEST = 120.0  # seconds that one attack may take
LOOK = 0.2  # seconds between looks at the clock and at what the visitor did meanwhile
NEWS = "turns.news"  # session's key: whether a part of the page has something new, for long runs to ask
_ASIDE, _UNDER_WAY = "turns.aside", "turns.under_way"
MOST_WORK = 1_000_000  # steps × restarts × tokens × models of one request


class Turn:
    """A turn that is held: asked often, it ends work that is too long or no longer wanted."""

    def __init__(self, give_way: Callable[[], None], limit: float | None) -> None:
        self.give_way = give_way  # let those who wait go first, then go on
        self.over = False
        self._end = None if limit is None else time.monotonic() + limit
        self._limit = limit
        self._next = 0.0

    def look(self) -> None:
        """SettingError after the limit; a click on the page ends the page's run here."""
        now = time.monotonic()
        if self.over or now < self._next:
            return
        self._next = now + LOOK
        if self._end is not None and now > self._end:
            raise SettingError(
                _(
                    "the attack was stopped after {limit:g} s, so that others can have their "
                    "turn; take fewer steps or restarts, a shorter text or a smaller model",
                    limit=self._limit,
                )
            )
        notice_clicks()


class Turns:
    """`at_once` turns, given to the visitor who was served the longest ago."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self.at_once = at_once
        self._changed = threading.Condition()
        self._held: list[str] = []
        self._waiting: list[tuple[int, str]] = []  # number of arrival, visitor
        self._served: dict[str, int] = {}
        self._count = 0
        self._mine = threading.local()

    @property
    def given(self) -> int:
        """A number that grows with each turn that is asked for."""
        return self._count

    @property
    def busy(self) -> bool:
        """Whether a turn is held."""
        return bool(self._held)

    @contextmanager
    def turn(self, who: str | None = None, limit: float | None = LONGEST) -> Iterator[Turn]:
        """Wait for a turn and hold it; inside another one of the same thread, that one is used."""
        held: Turn | None = getattr(self._mine, "turn", None)
        if held is not None:
            yield held
            return
        name = visitor() if who is None else who
        self._take(name)

        def give_way() -> None:
            with self._changed:
                if not self._waiting:
                    return
            self._give(name)
            self._take(name)

        turn = self._mine.turn = Turn(give_way, limit)
        try:
            yield turn
        finally:
            turn.over, self._mine.turn = True, None
            self._give(name)

    def _take(self, name: str) -> None:
        with self._changed:
            self._count += 1
            ticket = (self._count, name)
            self._waiting.append(ticket)
        taken = False
        try:
            while not taken:
                with self._changed:
                    if len(self._held) < self.at_once and self._first() == ticket:
                        self._held.append(name)
                        self._served[name] = self._count = self._count + 1
                        taken = True
                    else:
                        self._changed.wait(LOOK)
                if not taken:
                    notice_clicks()  # who left the page leaves the row
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _first(self) -> tuple[int, str]:
        return min(
            self._waiting, key=lambda t: (self._held.count(t[1]), self._served.get(t[1], 0), t[0])
        )

    def _give(self, name: str) -> None:
        with self._changed:
            self._held.remove(name)
            here = {*self._held, *(n for __, n in self._waiting), name}
            if len(self._served) > 1000:  # visitors come and go
                self._served = {n: t for n, t in self._served.items() if n in here}
            self._changed.notify_all()


TURNS = Turns()  # the server's


def visitor() -> str:
    """Whose page this thread draws."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else f"thread {threading.get_ident()}"


def notice_clicks() -> None:
    """End the page's run here where a click asks for another: reading the session's state does.

    A click in a part that is drawn by itself, such as the class's question, would wait for the run's
    end, and so would news of that part: the page is drawn anew for it, and takes its work up again.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return
    st.session_state.get("turn")
    news: Callable[[], bool] | None = st.session_state.get(NEWS)
    if _waits(context) or (news is not None and news()):
        st.session_state[_ASIDE] = st.session_state.get(_UNDER_WAY, {}).get("work")
        st.rerun()


@contextmanager
def under_way(work: str) -> Iterator[None]:
    """Work that `goes_on` names after the page was drawn anew for another part of it."""
    held = {"work": work}
    st.session_state[_UNDER_WAY] = held
    try:
        yield
    finally:
        held.clear()  # not the session's key: to reach for that may end the run once more


def goes_on(work: str) -> bool:
    """Whether this work was put aside for another part of the page. Told once."""
    if st.session_state.get(_ASIDE) != work:
        return False
    del st.session_state[_ASIDE]
    return True


def _waits(context: ScriptRunContext) -> bool:
    """Whether a click in a part of the page waits until this run is over.

    Streamlit has no public way to ask: where another version keeps it elsewhere, clicks wait as they
    do in any app of its. What a timer asks for may wait.
    """
    requests = context.script_requests
    asked = getattr(requests, "_rerun_data", None)
    if asked is None or getattr(getattr(requests, "_state", None), "name", "") != "RERUN":
        return False
    pressed = asked.widget_states is not None and any(
        state.trigger_value for state in asked.widget_states.widgets
    )
    return bool(asked.fragment_id_queue) and (pressed or not asked.is_auto_rerun)


def work_of(attack: Attack, text: str, models: int) -> int:
    """Steps × restarts × tokens × models, about: a token counts four characters."""
    passes = math.prod(int(getattr(attack, name)) for name in type(attack).efforts)
    return max(passes, 1) * max(len(text) // 4, 1) * max(models, 1)


def check_work(attack: Attack, text: str, models: int) -> None:
    """SettingError where one request asks for too much."""
    work = work_of(attack, text, models)
    check_text(text)
    bounds = limits()
    if bounds is not None:
        check_most(_("steps × restarts × tokens × models"), work, bounds.work)
    if work > MOST_WORK:
        raise SettingError(
            _(
                "expected at most {most:,} steps × restarts × tokens × models, got {work:,}; take fewer"
                " steps or restarts, a shorter text or fewer models",
                most=MOST_WORK,
                work=work,
            )
        )
