"""The starter pair on the first page: found after a reload, followed live, then landed from."""

from __future__ import annotations

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _
from advlab.lessons.glossary import term
from advlab.pictures import training
from advlab.records import Example
from advlab.runs import jobs
from advlab.runs.jobs import RunInfo
from advlab.runs.starters import shown_name, starter_groups
from advlab.ui import plain_text
from advlab.ui.explore.request import link
from advlab.ui.launch import is_warm
from advlab.ui.models import borrow
from advlab.ui.train.actions import attempt
from advlab.ui.train.reading import meanwhile
from advlab.ui.train.run import (
    EVERY,
    RUNS,
    badge,
    chart,
    diary,
    messages,
    percent,
    progress,
    stand,
    times,
    watch,
)

Pair = tuple[RunInfo, RunInfo]


def find_pair(group: str | None = None) -> Pair | None:
    """The newest starter pair, or that of a group, plain first; None where one half is not there."""
    groups = starter_groups() if group is None else {group}
    runs = [r for r in jobs.runs() if r.group in groups]
    runs = [r for r in runs if r.group == runs[0].group]  # the newest first
    plain = next((r for r in runs if _method(r) == "plain"), None)
    robust = next((r for r in runs if _method(r) != "plain"), None)
    return (plain, robust) if plain is not None and robust is not None else None


def _method(run: RunInfo) -> str:
    return str(run.config.method.get("name", "plain"))


def landing(pair: Pair) -> dict[str, str]:
    """The address of a good sentence, both models under an attack of the size they were judged at.

    Once torch is there, it is a sentence whose prediction flips in the plain model alone.
    """
    from advlab.data.corpora import CORPORA, shown

    corpus = CORPORA.get(pair[0].config.data.source)
    examples = shown(corpus.build()) if corpus is not None else ()
    eps = pair[0].config.train.eval_eps
    plain, robust = pair[0].id, pair[1].id
    first = examples[0] if examples else None
    done = all(run.folder.has_model and not run.active for run in pair)
    if examples and done and is_warm():
        first = _telling(plain, robust, eps, examples)
    attack = {"name": "pgd", "eps": eps, "unit": "norm"}
    if first is None:
        return link([plain, robust], attack)
    return link([plain, robust], attack, first.text, beside=first.beside)


@st.cache_data(show_spinner=False, max_entries=16)
def _telling(plain: str, robust: str, eps: float, examples: tuple[Example, ...]) -> Example:
    """The first example that flips `plain` and not `robust`; else the first. Ids of runs."""
    from advlab.attacks import build_attack
    from advlab.explain.explore import explore

    attack = build_attack({"name": "pgd", "eps": eps, "unit": "norm"})
    try:
        with borrow(plain) as one, borrow(robust) as other:
            for example in examples:
                first, second = (
                    explore(
                        v, example.text, beside=example.beside, attack=attack, draws=1, points=2
                    )
                    for v in (one, other)
                )
                agree = first.clean.answers == second.clean.answers
                if agree and first.flipped and not second.flipped:
                    return example
    except AdvlabError:
        pass  # Explore names what is wrong with a model
    return examples[0]


def follow_pair(pair: Pair) -> None:
    """Both runs live, side by side, with what can be done when one stopped."""
    st.subheader(_("Training the starter pair"), anchor=False)
    under_way = any(run.active for run in pair)
    st.fragment(meanwhile, run_every=EVERY if under_way else None, key="meanwhile")(
        *(run.id for run in pair)
    )
    for column, run in zip(st.columns(2, gap="medium"), pair, strict=True):
        with column, st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain_text(shown_name(run.name))}**", width="stretch")
                badge(run)
            watch(run, _card, f"watch.{run.id}")
            with st.container(horizontal=True):
                if run.resumable:
                    st.button(
                        _("Resume"),
                        key=f"resume.{run.id}",
                        icon=":material/play_arrow:",
                        type="primary",
                        on_click=attempt,
                        args=(jobs.resume, run.id),
                    )
                elif run.active:
                    st.button(
                        _("Cancel"),
                        key=f"cancel.{run.id}",
                        icon=":material/stop:",
                        disabled=run.request == "cancel",
                        on_click=attempt,
                        args=(jobs.cancel, run.id),
                    )
                st.page_link(
                    RUNS,
                    label=_("All of it"),
                    icon=":material/monitoring:",
                    query_params={"run": run.id},
                )
    if under_way:
        st.caption(
            _("You may close this page: the runs go on. When both are done, a sentence opens.")
        )


def _card(run: RunInfo) -> None:
    events, now = diary(run), stand(run)
    progress(run, now)
    messages(run, now)
    with st.container(horizontal=True):
        for title, value, name in (
            (_("Clean accuracy"), percent(now.test or now.clean), "measure.clean_accuracy"),
            (_("Under attack"), percent(now.test_robust or now.robust), "measure.robust_accuracy"),
            (_("Cost of a step"), times(now.cost), "measure.cost"),
        ):
            st.metric(title, value, help=term(name))
    chart(training.losses(events), f"losses.{run.id}", _("Training loss by step"))
    chart(training.accuracy(events), f"accuracy.{run.id}", _("Accuracy by epoch"))
