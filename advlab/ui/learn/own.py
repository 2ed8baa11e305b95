"""A training of the learner's own, kept small: a method, an ε, a button, then the run itself."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _
from advlab.lessons.blocks import Lesson
from advlab.runs import jobs
from advlab.runs.starters import starter_pair
from advlab.ui import plain_text
from advlab.ui.train.run import panel, watch

RUN = "lesson.own"  # id of the run that was started last
METHODS = ("plain", "fgm", "fgsm", "pgd", "freelb", "trades", "vat", "noise")


def own_run(lesson: Lesson) -> None:
    """The choices, the button, and the run as the Runs page shows it."""
    from advlab.training.methods import METHODS as KNOWN

    with st.container(key="own", border=True):
        name = st.selectbox(
            _("Training method"),
            METHODS,
            index=METHODS.index("pgd"),
            format_func=lambda n: KNOWN[n].title,
            key="own.method",
        )
        st.caption(KNOWN[name].gist)
        eps = st.slider(_("ε, × mean norm"), 0.05, 1.0, 0.3, 0.05, key="own.eps")
        if st.button(_("Train it"), type="primary", icon=":material/play_arrow:", key="own.go"):
            try:
                st.session_state[RUN] = jobs.submit(_config(lesson, name, eps))
            except AdvlabError as error:
                st.error(plain_text(str(error)), icon=":material/error:")
    if run := started():
        st.subheader(plain_text(run.name), anchor=False)
        watch(run, panel, f"own.watch.{run.id}")


def _config(lesson: Lesson, name: str, eps: float):  # noqa: ANN202
    """The starter's training by another method."""
    from advlab.training.methods import METHODS as KNOWN

    config = starter_pair(task=lesson.task)[0]
    method = {"name": name} | ({"eps": eps} if "eps" in KNOWN[name].__dataclass_fields__ else {})
    title = _("My defence: {method}, ε = {eps}", method=KNOWN[name].title, eps=f"{eps:g}")
    return replace(config, name=title, method=method)


def started() -> jobs.RunInfo | None:
    """The run of this learner: started here, or found again after a reload."""
    known = st.session_state.get(RUN)
    runs = [r for r in jobs.runs() if not r.group and r.config.data.source == "reviews"]
    return next((r for r in runs if r.id == known), next(iter(runs), None))
