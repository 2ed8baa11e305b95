"""The Explore page: asks, attacks, and draws what was found, one tab a view, models side by side.

Only the open tab is drawn, in a fragment, so that changing tabs or tokens does not attack again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import N_, _, listing
from advlab.pictures.style import side
from advlab.pictures.wording import named
from advlab.tasks.names import own_name
from advlab.ui import plain_text
from advlab.ui.explore.form import STOPPED, ask
from advlab.ui.explore.keys import listen
from advlab.ui.explore.pin import pin_bar
from advlab.ui.explore.results import Problem, Result, attacked
from advlab.ui.explore.views.data import data
from advlab.ui.explore.views.geometry import geometry
from advlab.ui.explore.views.overview import overview
from advlab.ui.explore.views.perturbation import perturbation
from advlab.ui.explore.views.projection import projection
from advlab.ui.explore.views.saliency import saliency
from advlab.ui.explore.views.training import through_training
from advlab.ui.language import heard
from advlab.ui.parts import VIEW
from advlab.ui.turns import work_of

LONG_WORK = 10_000  # steps × restarts × tokens × models above which an attack can be stopped
VIEWS: dict[str, Callable[[Sequence[Result]], None]] = {
    N_("Overview"): overview,
    N_("Perturbation"): perturbation,
    N_("Geometry"): geometry,
    N_("Saliency"): saliency,
    N_("Projection"): projection,
    N_("Training"): through_training,
    N_("Data"): data,
}
# counted in letters, so that columns go below each other where the reader's are large; on a phone
# Streamlit puts them there itself
WRAP = """<style>@media (min-width: 641px) {
.st-key-views [data-testid="stColumn"] { min-width: min(100%, 10rem) }
}</style>"""


def explore_page() -> None:
    """Everything on the page."""
    _asked_and_found()
    listen()  # last: its place in the page is empty


def _asked_and_found() -> None:
    """The controls, and below them what was found."""
    request = ask()
    if request is None:
        return
    if request.cut:
        st.caption(
            _("The text is long: the last {cut:,} characters are left out.", cut=request.cut)
        )
    place = st.empty()  # always there, so that the picture below keeps its place meanwhile
    asked = json.dumps(request.query())
    if st.session_state.get(STOPPED) == asked:
        place.info(_("Stopped. Press Attack to try again, with fewer steps or a shorter text."))
        return
    with place.container(horizontal=True):
        if work_of(request.attack, request.text, len(request.models)) > LONG_WORK:
            st.button(
                _("Stop"),
                key="explore.stop",
                icon=":material/stop:",
                on_click=lambda: st.session_state.update({STOPPED: asked}),
            )
        with st.spinner(_("Attacking …"), show_time=True):
            found = [attacked(model, request) for model in request.models]
    place.empty()
    for letter, one in zip("ABC", found, strict=False):
        if isinstance(one, Problem):
            st.error(
                _("Model {letter}: {reason}", letter=letter, reason=plain_text(one.message)),
                icon=":material/error:",
            )
            if one.detail:
                with st.expander(_("Detail to copy into a report")):
                    st.code(one.detail, language=None)
    results = [one for one in found if isinstance(one, Result)]
    if 0 < len(results) < len(found):
        now = listing(
            _("{side} is {model}", side=side(i), model=result.record.model)
            for i, result in enumerate(results)
        )
        st.caption(plain_text(_("Below, the letters are given anew: {now}.", now=now)))
    for i, result in enumerate(results):
        known = list(result.record.clean.parts)
        if request.label and named(result.record) and own_name(known, request.label) is None:
            st.caption(
                plain_text(
                    _(
                        "{model} ({side}) has no class {label}: what it says itself is attacked.",
                        model=result.record.model,
                        side=side(i),
                        label=request.label,
                    )
                )
            )
    if results:
        pin_bar(request, results)
        explore_view(results)


@st.fragment
def explore_view(results: Sequence[Result]) -> None:
    """Everything that was found about one sentence under up to three models."""
    st.html(WRAP)
    with st.container(key="views"):
        heard(VIEW, {_(name): name for name in VIEWS})
        tabs = st.tabs(
            [_(name) for name in VIEWS], key=VIEW, on_change="rerun", bind="query-params"
        )
    for tab, draw in zip(tabs, VIEWS.values(), strict=True):
        if tab.open:
            with tab:
                try:
                    draw(results)
                except (
                    AdvlabError
                ) as error:  # what was asked does not fit: its controls stand above
                    st.error(plain_text(str(error)), icon=":material/error:")
