"""What stands beside a lesson's steps: the pages themselves, drawn by their own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _
from advlab.lessons.blocks import Lesson, See
from advlab.lessons.models import Pair
from advlab.lessons.planted import NAMES
from advlab.ui import plain_text
from advlab.ui.explore.results import Problem, Result, attacked
from advlab.ui.learn.own import own_run
from advlab.ui.models import LOCAL
from advlab.ui.pages import PAGES
from advlab.ui.train.run import panel, watch


@dataclass(frozen=True)
class Beside:
    """A view with what it is about."""

    lesson: Lesson
    see: See
    pair: Pair
    results: list[Result] = field(default_factory=list)  # of Explore, as drawn

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the models that are looked at."""
        if self.see.page == "planted":
            return tuple(f"{LOCAL}{name}" for name in NAMES.values())
        plain, robust = (run.id for run in self.pair)
        return {"plain": (plain,), "robust": (robust,), "both": (plain, robust)}[self.see.models]


def draw(beside: Beside) -> None:
    """The view; what keeps it from being drawn is said in its place."""
    try:
        LOOKS[beside.see.page](beside)
    except AdvlabError as error:
        st.error(plain_text(str(error)), icon=":material/error:")


def _explore(beside: Beside) -> None:
    from advlab.attacks import PGD
    from advlab.ui.explore.request import Request
    from advlab.ui.explore.shield import shielded
    from advlab.ui.explore.view import VIEWS

    lesson = beside.lesson
    request = Request(
        lesson.text,
        None,
        beside.models,
        PGD(lesson.eps),
        0,
        shield=shielded(lesson.text),
        beside=lesson.beside,
    )
    with st.spinner(_("Attacking …")):
        found = [attacked(model, request) for model in beside.models]
    for one in found:
        if isinstance(one, Problem):
            st.error(plain_text(one.message), icon=":material/error:")
    beside.results[:] = [one for one in found if isinstance(one, Result)]
    if beside.results:
        VIEWS[beside.see.view](beside.results)


def _code(beside: Beside) -> None:
    from advlab.lessons.beginner import code, refused
    from advlab.ui.models import borrow

    whole = st.container(key="lesson.code")
    for cast in (False, True):
        name = f"lesson.code.{cast}"
        with whole, st.container(key=name, border=True):
            st.code(code(cast), language="python", wrap_lines=True)
            label = _("Run it with floats") if cast else _("Run it")
            if st.button(label, key=f"{name}.run", icon=":material/play_arrow:"):
                with borrow(beside.models[0]) as victim:
                    said = refused(victim, beside.lesson.text, cast=cast)
                st.session_state[f"{name}.said"] = said or _("It ran without an error.")
            if said := st.session_state.get(f"{name}.said"):
                st.error(plain_text(said), icon=":material/error:")


def _run(beside: Beside) -> None:
    robust = beside.pair[1]
    st.subheader(plain_text(robust.name), anchor=False)
    watch(robust, panel, f"lesson.watch.{robust.id}")


def _train(beside: Beside) -> None:
    own_run(beside.lesson)


def _microscope(beside: Beside) -> None:
    lines = [one for group in PAGES.values() for one in group if one.address == "microscope"]
    for line in lines:
        st.page_link(line.script, label=line.title, icon=f":material/{line.icon}:")
        st.caption(line.about)
    _run(beside)


def _cost(beside: Beside) -> None:
    from advlab.ui.compare.questions import cost

    cost()


def _carry(beside: Beside) -> None:
    from advlab.ui.compare.questions import carry

    carry()


def _robustness(beside: Beside) -> None:
    from advlab.ui.compare.robustness import robustness_page

    robustness_page()


def _planted(beside: Beside) -> None:
    from advlab.lessons.planted import plant
    from advlab.ui.models import borrow

    with borrow(beside.pair[0].id) as one, borrow(beside.pair[1].id) as other:
        plant(one, other)
    _robustness(beside)


# what `See.page` names -> how it is drawn
LOOKS: dict[str, Callable[[Beside], None]] = {
    "explore": _explore,
    "code": _code,
    "run": _run,
    "train": _train,
    "microscope": _microscope,
    "cost": _cost,
    "carry": _carry,
    "robustness": _robustness,
    "planted": _planted,
}
