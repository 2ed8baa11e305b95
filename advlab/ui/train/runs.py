"""The page of runs: one of them live, or several as links, as a table, as curves over one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import N_, _
from advlab.pictures import training
from advlab.records import Estimate
from advlab.runs import jobs
from advlab.runs.jobs import RunInfo
from advlab.runs.starters import shown_name
from advlab.settings import plain
from advlab.ui import plain_text
from advlab.ui.language import heard
from advlab.ui.train.actions import actions
from advlab.ui.train.run import (
    BADGES,
    EVERY,
    NEW,
    RUNS,
    badge,
    chart,
    details,
    diary,
    panel,
    percent,
    share,
    stand,
    summary,
    watch,
    when,
)

VIEWS = (N_("One run"), N_("Compare"), N_("Table"))


def runs_page() -> None:
    """Everything on the page: one run, several compared, or all in a table."""
    runs = jobs.runs()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(_("Runs"), width="stretch")
        st.page_link(NEW, label=_("New run"), icon=":material/add_circle:")
    if not runs:
        st.info(
            _("No run yet. Start one under New run, or train the starter pair on the first page.")
        )
        return
    heard("view", {name: name for name in VIEWS})
    view = st.segmented_control(
        _("View"),
        VIEWS,
        default=VIEWS[0],
        format_func=_,
        required=True,
        label_visibility="collapsed",
        key="view",
        bind="query-params",
    )
    if view == "Table":
        table(runs)
    elif view == "Compare":
        _compared(runs)
    else:
        _one_run(runs)


def _one_run(runs: Sequence[RunInfo]) -> None:
    """The list on the left, the run that the address names on the right."""
    by_id = {run.id: run for run in runs}
    wanted = st.query_params.get("run")
    if wanted is not None and wanted not in by_id:
        st.warning(_("The run in the address does not exist (any more). Choose one from the list."))
    elif wanted is None:
        wanted = st.query_params["run"] = next((r.id for r in runs if r.active), runs[0].id)
    left, right = st.columns([1, 2.6], gap="medium")
    with left:
        active = any(run.active for run in runs)
        st.fragment(_listing, run_every=EVERY if active else None, key="listing")(runs)
    with right:
        if wanted in by_id:
            run = by_id[wanted]
            with st.container(horizontal=True, vertical_alignment="center"):
                st.subheader(plain_text(shown_name(run.name)), anchor=False, width="content")
                badge(run)
            st.caption(plain_text(summary(run)))
            actions(run)
            watch(run, panel, "watch")
            details(run)


def _listing(runs: Sequence[RunInfo]) -> None:
    """The list, which polls while anything is queued or running."""
    current = jobs.runs()
    if [(r.id, r.status) for r in current] != [(r.id, r.status) for r in runs]:
        st.rerun()
    with st.container(height=680 if len(current) > 8 else "content", border=False):
        for run in current:
            _row(run)


def _row(run: RunInfo) -> None:
    """One line of the list: name, state, and how good it is."""
    chosen = run.id == st.query_params.get("run")
    if st.button(
        plain_text(shown_name(run.name), 60),
        key=f"open.{run.id}",
        icon=BADGES[run.status][0],
        width="stretch",
        type="primary" if chosen else "secondary",
    ):
        st.query_params["run"] = run.id
        st.rerun()
    state = _(run.status)
    if run.status == "running":
        state = f"{state} {share(run.progress or 0.0, 0)}"
    state = _("place {position} in the queue", position=run.position) if run.position else state
    st.caption(plain_text(f"{state} · {summary(run)}{_scores(run)}"))


def _scores(run: RunInfo) -> str:
    """How good a run is, to be set behind its summary; empty before the first epoch."""
    now = stand(run)
    clean, robust = now.test or now.clean, now.test_robust or now.robust
    return (
        _(" · {clean} clean, {robust} robust", clean=percent(clean), robust=percent(robust))
        if clean
        else ""
    )


def _compared(runs: Sequence[RunInfo]) -> None:
    """The choice of runs to compare; at first the newest pair."""
    names = {run.id: f"{shown_name(run.name)} · {run.id[-4:]}" for run in runs}
    group = next((run.group for run in runs if run.group), None)
    first = [run.id for run in runs if run.group == group][:2] if group else list(names)[:2]
    chosen = st.multiselect(
        _("Runs to compare"),
        list(names),
        default=first[::-1],
        format_func=names.__getitem__,
        key="compare",
        persist_state="session",
        max_selections=6,
    )
    if len(chosen) < 2:
        st.info(_("Choose at least two runs."))
    else:
        by_id = {run.id: run for run in runs}
        compare([by_id[run_id] for run_id in chosen])


def table(infos: Sequence[RunInfo]) -> None:
    """All runs in a table, for reading and sorting."""
    rows = []
    for info in infos:
        now = stand(info)
        rows.append(
            {
                _("name"): shown_name(info.name),
                _("status"): _(info.status),
                _("what"): summary(info),
                _("clean"): _value(now.test or now.clean),
                _("robust"): _value(now.test_robust or now.robust),
                _("validation ε"): now.eval_eps,
                _("cost of a step"): now.cost,
                _("time trained"): now.seconds,
                _("texts"): now.train_texts,
                _("started"): when(info.created),
            }
        )
    share = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        alt=_("All runs with their results"),
        column_config={
            _("clean"): share,
            _("robust"): share,
            _("validation ε"): st.column_config.NumberColumn(format=_("%g × mean norm")),
            _("cost of a step"): st.column_config.NumberColumn(format="%.1f ×"),
            _("time trained"): st.column_config.NumberColumn(format=_("%.0f s")),
        },
    )


def recent(infos: Sequence[RunInfo]) -> None:
    """A few runs as links."""
    if not infos:
        return
    st.markdown(_("**Latest runs**"))
    for info in infos:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                RUNS,
                label=plain_text(shown_name(info.name), 60),
                icon=BADGES[info.status][0],
                query_params={"run": info.id},
            )
            st.caption(plain_text(f"{_(info.status)} · {summary(info)}{_scores(info)}"))


def _value(rate: Estimate | None) -> float | None:
    return None if rate is None else 100 * rate.value


def compare(infos: Sequence[RunInfo]) -> None:
    """Curves over each other, the results, and the settings in which the runs differ."""
    named = [(shown_name(info.name), diary(info)) for info in infos]
    left, right = st.columns(2)
    with left:
        st.markdown(_("**Accuracy on validation texts**"))
        chart(
            training.compare_accuracy(named), "compare.accuracy", _("Accuracy of the chosen runs")
        )
        st.caption(_("Filled and solid: under attack. Hollow and dotted: clean."))
    with right:
        st.markdown(_("**Clean training loss**"))
        chart(
            training.compare_losses(named), "compare.losses", _("Training loss of the chosen runs")
        )
    table(infos)
    rows = differences(infos)
    if rows:
        st.markdown(_("**Settings that differ**"))
        st.dataframe(
            rows, hide_index=True, placeholder="–", alt=_("Settings in which the runs differ")
        )


def differences(infos: Sequence[RunInfo]) -> list[dict[str, str]]:
    """One row a setting that is not the same in all runs; one column a run."""
    flat: dict[str, dict[str, Any]] = {}
    for info in infos:
        try:
            flat[info.id] = dict(_flat(plain(info.config)))
        except AdvlabError:
            flat[info.id] = {}
    names = dict.fromkeys(name for values in flat.values() for name in values if name != "name")
    titles = [shown_name(info.name) for info in infos]
    rows = []
    for name in names:
        values = [str(flat[info.id].get(name, "–")) for info in infos]
        if len(set(values)) > 1:
            row = {_("setting"): name}
            for info, title, value in zip(infos, titles, values, strict=True):
                row[title if titles.count(title) == 1 else f"{title} · {info.id[-4:]}"] = value
            rows.append(row)
    return rows


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found
