"""How a run is drawn: status, progress, live curves, and what can be done with it.

Everything that polls is in a fragment without buttons; buttons stand outside, so that nothing a
person is about to press is redrawn under the pointer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError, RunError
from advlab.language import N_, _, retold
from advlab.lessons.glossary import term
from advlab.pictures import training
from advlab.records import Estimate, Event
from advlab.runs import jobs
from advlab.runs.config import RunConfig
from advlab.runs.jobs import RunInfo
from advlab.runs.standing import Standing, standing
from advlab.ui import plain_text
from advlab.ui.launch import warm_up
from advlab.ui.models import weights_of

EVERY = 2.0  # seconds between polls of a run that is queued or running
EXPLORE = "pages/explore/explore.py"
NEW = "pages/train/new.py"
RUNS = "pages/train/runs.py"
# status: icon, colour of the badge
BADGES: dict[str, tuple[str, Any]] = {
    N_("queued"): (":material/hourglass_empty:", "gray"),
    N_("running"): (":material/play_circle:", "blue"),
    N_("paused"): (":material/pause_circle:", "orange"),
    N_("interrupted"): (":material/power_off:", "orange"),
    N_("failed"): (":material/error:", "red"),
    N_("cancelled"): (":material/cancel:", "gray"),
    N_("done"): (":material/check_circle:", "green"),
}
CHART = {"displayModeBar": False}


# -- numbers in words --------------------------------------------------------------------------


def percent(rate: Estimate | None) -> str:
    """A share as people read it; a dash while unknown."""
    return "–" if rate is None else share(rate.value)


def share(value: float, digits: int = 1) -> str:
    """A share in per cent: 92.4 %."""
    return f"{value:.{digits}%}".replace("%", " %")


def duration(seconds: float | None) -> str:
    """Seconds in the two largest units that fit; a dash while unknown."""
    if seconds is None:
        return "–"
    whole = round(max(seconds, 0.0))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return _("{hours} h {minutes} min", hours=hours, minutes=minutes)
    return (
        _("{minutes} min {rest} s", minutes=minutes, rest=rest)
        if minutes
        else _("{rest} s", rest=rest)
    )


def times(cost: float | None) -> str:
    """The cost of a step, in plain steps."""
    return "–" if cost is None else f"{cost:.1f} ×"


def method_title(config: RunConfig) -> str:
    """The method with the one number that people quote with it."""
    warm_up()
    from advlab.training.methods import METHODS  # brings torch, which is there now

    name = str(config.method.get("name", "plain"))
    if name not in METHODS:
        return name.upper()
    method = METHODS[name]
    number = config.method.get(method.quoted) if method.quoted else None
    return f"{_(method.title)}-{number}" if number else _(method.title)


def summary(info: RunInfo) -> str:
    """Method, data and model in one line, or why the settings cannot be read."""
    try:
        config = info.config
    except AdvlabError:
        return _("settings of another version")
    data = Path(config.data.source).name
    return f"{method_title(config)} · {data} · {Path(config.model.source).name}"


def diary(info: RunInfo) -> tuple[Event, ...]:
    """All events of a run; each call reads only what is new to this session."""
    known: dict[str, tuple[tuple[Event, ...], int]] = st.session_state.setdefault("diaries", {})
    events, offset = known.get(info.id, ((), 0))
    tail = info.folder.read(offset)
    if tail.offset < offset:  # another file stands there now
        events = ()
    if tail.events:
        events = events + tail.events
    known[info.id] = (events, tail.offset)
    return events


def stand(info: RunInfo) -> Standing:
    """Where a run stands; worked out again only where its diary has grown, since lists ask often."""
    known: dict[str, tuple[tuple[Event, ...], Standing]] = st.session_state.setdefault("stands", {})
    events = diary(info)
    kept = known.get(info.id)
    if kept is None or kept[0] is not events:
        kept = known[info.id] = (events, standing(events))
    return kept[1]


# -- one run -----------------------------------------------------------------------------------


def badge(info: RunInfo) -> None:
    """The status with its icon; what was asked for and not yet obeyed counts."""
    icon, colour = BADGES[info.status]
    text = _(info.status)
    if info.status == "running" and info.request:
        text = {"pause": _("pausing…"), "cancel": _("cancelling…")}[info.request]
    elif info.position:
        text = _("queued, place {position}", position=info.position)
    st.badge(text, icon=icon, color=colour)


def progress(info: RunInfo, now: Standing) -> None:
    """A bar with what is being done."""
    share = info.progress or 0.0
    if info.status == "queued":
        text = (
            _("Next in the queue")
            if info.position == 1
            else _("Place {position} in the queue", position=info.position)
        )
    elif info.status == "running" and not now.step:
        text = _("Starting: loading data and model")
    else:
        text = _("Epoch {epoch:.1f}", epoch=min(now.epoch, now.epochs or now.epoch))
        text += (
            _(" of {epochs} · step {step}", epochs=now.epochs, step=now.step) if now.epochs else ""
        )
        text += _(" of {steps}", steps=now.steps) if now.steps else ""
        if info.status == "running":
            left = duration(now.eta)
            text += _(" · {left} left", left=left) if now.eta is not None else _(" · testing")
    st.progress(share, text=text)


def numbers(now: Standing) -> None:
    """The run in five numbers."""
    eps = (
        _("ε = {eval_eps:g} × mean norm", eval_eps=now.eval_eps)
        if now.eval_eps is not None
        else _("validation ε")
    )
    tested = now.test is not None
    with st.container(horizontal=True):
        st.metric(
            _("Clean accuracy"),
            percent(now.test or now.clean),
            help=(_("On the test texts") if tested else _("On the validation texts, kept epoch"))
            + (
                _(". Most frequent answer: {share}", share=share(now.majority))
                if now.majority is not None
                else ""
            )
            + f". {term('measure.clean_accuracy')}",
        )
        st.metric(
            _("Robust accuracy"),
            percent(now.test_robust or now.robust),
            help=_(
                "Still right under {attack} at {eps}. ",
                attack=_("PGD-10") if tested else _("PGD-5"),
                eps=eps,
            )
            + term("measure.robust_accuracy"),
        )
        st.metric(_("Cost of a step"), times(now.cost), help=term("measure.cost"))
        st.metric(
            _("Speed"),
            "–" if now.texts_per_second is None else _("{n:.0f} texts/s", n=now.texts_per_second),
        )
        if now.eta is not None:
            st.metric(_("Time left"), duration(now.eta))
        else:
            st.metric(_("Time trained"), duration(now.seconds))


def messages(info: RunInfo, now: Standing) -> None:
    """Alarms, and why a run ended other than well."""
    for alarm in now.alarms:
        st.warning(plain_text(retold(alarm)), title=_("Alarm"), icon=":material/warning:")
    if info.error:
        title = (
            _("This run failed")
            if info.status == "failed"
            else _("This run was {status}", status=_(info.status))
        )
        show = st.error if info.status == "failed" else st.warning
        show(plain_text(info.error, 1000), title=title)


def charts(events: Sequence[Event], key: str) -> None:
    """Four live figures."""
    one, two = st.columns(2)
    three, four = st.columns(2)  # a second row, so that phones show accuracy right after the loss
    drawn: tuple[tuple[Any, str, str, Callable[..., training.Figure]], ...] = (
        (one, _("Loss"), _("Training loss, clean and adversarial, by step"), training.losses),
        (
            two,
            _("Accuracy on validation texts"),
            _("Accuracy, clean and robust, by epoch"),
            training.accuracy,
        ),
        (
            three,
            _("How long δ and the word vectors are"),
            _("Length of the perturbation and of a word vector, by step"),
            training.lengths,
        ),
        (four, _("Throughput"), _("Texts per second, by step"), training.throughput),
    )
    for column, title, alt, figure in drawn:
        with column:
            st.markdown(f"**{title}**")
            chart(figure(events), f"{key}.{figure.__name__}", alt)


def chart(figure: training.Figure, key: str, alt: str) -> None:
    """A figure without the tool bar; while it holds nothing, its place is kept."""
    if not figure["data"]:
        with st.container(height=300, vertical_alignment="center", horizontal_alignment="center"):
            st.caption(_("Nothing measured yet"), width="content")
        return
    st.plotly_chart(figure, key=key, alt=alt, config=CHART)


def watch(info: RunInfo, draw: Callable[[RunInfo], None], key: str) -> None:
    """Draw a run, again every two seconds while it is queued or running.

    When its status changes the whole page is drawn once more, with the buttons that fit, and with
    that the timer ends.
    """
    seen = _state(info)

    def poll() -> None:
        try:
            current = jobs.run(info.id)
        except RunError:  # deleted in another window
            st.rerun()
        if _state(current) != seen:
            st.rerun()
        draw(current)

    st.fragment(poll, run_every=EVERY if info.active else None, key=key)()


def _state(info: RunInfo) -> tuple[Any, ...]:
    return (info.status, info.request, info.position, info.attempt)


def panel(info: RunInfo) -> None:
    """The live part of one run's page."""
    events, now = diary(info), stand(info)
    if info.active or info.status in ("paused", "interrupted"):
        progress(info, now)
    messages(info, now)
    if events:
        numbers(now)
        charts(events, f"panel.{info.id}")
    elif info.status == "queued":
        st.caption(_("Runs start in the order in which they were submitted."))
    for note in now.notes:
        st.caption(f":material/info: {plain_text(retold(note))}")


def details(info: RunInfo) -> None:
    """The settings as JSON and the end of the worker's log, folded."""
    with st.expander(_("Settings and log"), icon=":material/description:"):
        weights = _weights(info)
        st.caption(
            _(
                "Run {id} · {when} · {path}",
                id=info.id,
                when=when(info.created),
                path=plain_text(str(info.folder.path)),
            )
            + (_(" · weights {weights}", weights=weights) if weights else "")
        )
        st.code(info.config_json, language="json", height=280)
        if info.folder.log.is_file():
            st.caption(_("Last lines that the worker printed"))
            st.code(_end_of(info.folder.log) or _("nothing"), language=None, height=200)


def _weights(info: RunInfo) -> str:
    """The hash by which links, capsules and reports name the kept weights; empty without any."""
    if not info.folder.has_model or info.active:
        return ""
    try:
        return weights_of(info.id)
    except AdvlabError:  # Explore names what is wrong with a model
        return ""


def _end_of(file: Path, size: int = 8000) -> str:
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - size))
        return log.read().decode("utf-8", "replace")


def when(moment: float) -> str:
    """A moment as local date and time."""
    return time.strftime(_("%d %b %Y, %H:%M"), time.localtime(moment))
