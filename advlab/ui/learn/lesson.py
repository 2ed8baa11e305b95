"""A lesson's page: the card of one step, and beside it the view that it talks about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _, n_
from advlab.lessons import models, progress
from advlab.lessons.blocks import Do, Lesson, Predict, See, Step
from advlab.lessons.course import filled, lesson, names
from advlab.lessons.models import Pair
from advlab.runs import jobs
from advlab.ui import plain_text
from advlab.ui.guide import Guide, guided
from advlab.ui.learn.acts import happened, mark
from advlab.ui.learn.card import Card, agrees, body, measured, spoken
from advlab.ui.learn.looks import Beside, draw
from advlab.ui.learn.observed import facts_of
from advlab.ui.learn.pointer import outline
from advlab.ui.learn.room import held, may_read_notes
from advlab.ui.train.run import EVERY, stand
from advlab.ui.train.run import progress as bar

COURSE, LESSON = "pages/learn/course.py", "pages/learn/lesson.py"
# the card stays in sight while the view beside it is scrolled; on a phone it stands above the view
STYLE = """<style>
@media (min-width: 900px) {
  [data-testid="stColumn"]:has(> div > .st-key-card), [data-testid="stColumn"]:has(.st-key-card) {
    position: sticky; top: 4rem; align-self: flex-start; max-height: calc(100vh - 5rem);
    overflow-y: auto; padding: 4px;
  }
}
.st-key-card h2 { font-size: 1.35rem; padding: 0.2rem 0 }
.st-key-card h3 { font-size: 1.1rem; padding: 0.2rem 0 0.4rem }
/* a link to another step or lesson leads to this same page: it is none that one is at already */
.st-key-card [data-testid="stPageLink-NavLink"]:not(:hover) { background: none }
.st-key-card [data-testid="stPageLink-NavLink"] * { font-weight: inherit }
</style>"""


def lesson_page() -> None:
    """The lesson of the address at its step, or where it was left."""
    name = st.query_params.get("lesson") or _last()
    one = lesson(name)
    number = _step(one)
    pair = models.pair(one.task)
    st.html(STYLE)
    if st.query_params.get("reset"):
        _reset(one)
    if number == 0:
        _cover(one)
        return
    if number > len(one.steps):
        _end(one, pair)
        return
    step, see = one.steps[number - 1], one.see_at(number)
    left, right = st.columns([5, 8], gap="medium") if see else (st.container(width=760), None)
    with left, st.container(key="card", border=True):
        _card(one, step, pair)
    if see is not None and right is not None:
        with right:
            _view(one, step, see, pair)


def _last() -> str:
    """The lesson that was worked on last; the first where there is none."""
    known = [m.lesson for m in progress.lines() if m.lesson in names()]
    return known[-1] if known else names()[0]


def _step(one: Lesson) -> int:
    """The step of the address; without one, the first that is not finished. 0 is the cover."""
    given = st.query_params.get("step", "")
    if given.isascii() and given.isdigit() and len(given) < 4:
        return min(int(given), len(one.steps) + 1)
    return resting(one)


def resting(one: Lesson) -> int:
    """Where a lesson was left: its first step that is not finished, 0 before any is."""
    done = progress.finished(one.name)
    left = next((s.number for s in one.steps if s.number not in done), len(one.steps) + 1)
    return left if done else 0


def _go(one: Lesson, number: int) -> None:
    st.query_params["lesson"] = one.name
    st.query_params["step"] = str(number)


def _reset(one: Lesson) -> None:
    """Leave nothing of what was set in the views; what was said and done stays."""
    from advlab.ui.explore.shield import shield

    shield(one.text, ())
    kept = ("lesson.own",)
    for key in [str(k) for k in st.session_state]:
        ours = key.startswith((f"lesson.{one.name}", "lesson.code", "lesson.told", "factor"))
        if ours and key not in kept:
            del st.session_state[key]
    del st.query_params["reset"]


# ---- the card --------------------------------------------------------------------------------------


def _card(one: Lesson, step: Step, pair: Pair | None) -> None:
    steps = len(one.steps)
    st.caption(
        _(
            "Lesson {number} · step {step} of {steps}",
            number=one.number,
            step=step.number,
            steps=steps,
        )
    )
    st.header(one.title, anchor=False)
    st.progress(step.number / steps)
    st.subheader(step.title, anchor=False)
    if held(one.name, step.number):
        st.info(_("The teacher opens this step in a moment."), icon=":material/pan_tool:")
        st.button(_("Look again"), icon=":material/refresh:")
        _around(one, step, closed=True)
        return
    facts: Callable[[], Any] | None = None if pair is None else lambda: facts_of(one, pair)
    try:
        body(Card(one, step, facts, lambda number: _go(one, number)))
    except AdvlabError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
    done = step.number in progress.finished(one.name)
    _around(one, step, closed=step.asks is not None and not done)


def _around(one: Lesson, step: Step, *, closed: bool) -> None:
    """The way back and on, and the links of the step."""

    def on() -> None:
        if step.asks is None:  # reading is all that it asks
            progress.note(one.name, step.number, "done")
        _go(one, step.number + 1)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _("Back"),
            key="lesson.back",
            icon=":material/arrow_back:",
            on_click=_go,
            args=(one, step.number - 1),
        )
        st.button(
            _("Go on"),
            key="lesson.on",
            icon=":material/arrow_forward:",
            type="secondary" if closed else "primary",
            disabled=closed,
            on_click=on,
        )
        if closed and isinstance(step.asks, Do) and not held(one.name, step.number):
            st.button(
                _("Skip"),
                key="lesson.skip",
                type="tertiary",
                on_click=_go,
                args=(one, step.number + 1),
            )
    with st.container(horizontal=True):
        st.page_link(COURSE, label=_("All lessons"), icon=":material/school:")
        st.page_link(
            LESSON,
            label=_("Reset to this step"),
            icon=":material/restart_alt:",
            query_params={"lesson": one.name, "step": str(step.number), "reset": "1"},
            help=_(
                "The view as it was at first. What you said and did stays. A link for the class."
            ),
        )
    if one.notes and may_read_notes():
        with st.expander(_("For teachers"), icon=":material/co_present:"):
            st.markdown(one.notes)


def _cover(one: Lesson) -> None:
    with st.container(key="card", border=True, width=760):
        minutes = n_("{n} minute", "{n} minutes", one.minutes)
        st.caption(_("Lesson {number} · {minutes}", number=one.number, minutes=minutes))
        st.header(one.title, anchor=False)
        st.markdown(filled(one.about, None))
        lacks = models.missing(one.task)
        if lacks:
            st.caption(
                _(
                    "It looks at two models, which are trained on this computer meanwhile: it takes a"
                    " few minutes, and you can begin at once."
                )
            )

        def begin() -> None:
            models.prepare(one.task)
            _go(one, 1)

        st.button(_("Begin"), type="primary", icon=":material/play_arrow:", on_click=begin)
        st.page_link(COURSE, label=_("All lessons"), icon=":material/school:")


def _end(one: Lesson, pair: Pair | None) -> None:
    with st.container(key="card", border=True, width=760):
        st.header(one.title, anchor=False)
        st.subheader(_("What you expected, and what was measured"), anchor=False)
        asked = [(s.number, p) for s in one.steps if isinstance(p := s.first(Predict), Predict)]
        facts = None
        try:
            facts = facts_of(one, pair) if pair is not None else None
        except AdvlabError as error:
            st.error(plain_text(str(error)), icon=":material/error:")
        for number, predict in asked:
            said = progress.predicted(one.name, number)
            st.markdown(f"*{predict.ask}*")
            if said is None or facts is None:
                st.caption(_("Not said yet.") if said is None else _("Not measured yet."))
                continue
            found = measured(predict, facts)
            mark_ = {True: "✓", False: "✗", None: ""}[agrees(predict, said, found)]
            st.markdown(
                _(
                    "You said **{said}**; measured **{found}** {mark}",
                    said=plain_text(spoken(predict, said)),
                    found=plain_text(spoken(predict, found)),
                    mark=mark_,
                )
            )
        following = [n for n in names() if n > one.name]
        with st.container(horizontal=True):
            if following:
                after = lesson(following[0])
                st.page_link(
                    LESSON,
                    label=_("Next: {title}", title=plain_text(after.title)),
                    icon=":material/arrow_forward:",
                    query_params={"lesson": after.name},
                )
            st.page_link(COURSE, label=_("All lessons"), icon=":material/school:")


# ---- the view --------------------------------------------------------------------------------------


def _view(one: Lesson, step: Step, see: See, pair: Pair | None) -> None:
    if pair is None:
        waiting(one.task)
        return
    if held(one.name, step.number):
        return
    do = step.asks if isinstance(step.asks, Do) else None
    here = step.first(See)
    point = (do.point if do else "") or (here.point if isinstance(here, See) else "")
    if point:
        outline(point)
    beside = Beside(one, see, pair)
    open_ = do is not None and step.number not in progress.finished(one.name)
    player = do.key if do is not None and open_ and do.act == "drag" else ""

    def reached() -> None:
        mark(one.name, step.number)

    with guided(Guide(beside.models, see.texts, one.eps, player, reached)):
        draw(beside)
    if do is not None and open_ and happened(do, beside, step.number):
        progress.note(one.name, step.number, "done")
        st.rerun()


def waiting(task: str) -> None:
    """The two models on their way, or the button that trains them."""
    halves = [run for run in models.halves(task) if run is not None]
    if models.missing(task) or not any(run.active for run in halves):
        st.info(_("This lesson looks at two models that are not trained yet."))
        if st.button(_("Train them now"), type="primary", icon=":material/rocket_launch:"):
            for run in halves:
                if run.resumable:
                    jobs.resume(run.id)
            models.prepare(task)
            st.rerun()
        return
    st.caption(_("The models of this lesson are being trained. It goes on by itself."))
    for run in halves:
        _follow(run)


def _follow(run: jobs.RunInfo) -> None:
    seen = run.status

    def poll() -> None:
        now = jobs.run(run.id)
        if now.status != seen:
            st.rerun()
        st.markdown(f"**{plain_text(now.name)}**")
        bar(now, stand(now))

    st.fragment(poll, run_every=EVERY if run.active else None, key=f"lesson.follow.{run.id}")()
