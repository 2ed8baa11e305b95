"""All runs, and one of them live. `?run=<id>` names it; `?compare=<id>,<id>` lays several over."""

from __future__ import annotations

import streamlit as st

from advlab.runs import jobs
from advlab.runs.jobs import RunInfo
from advlab.ui import plain_text
from advlab.ui.train.run import (
    LOOKS,
    NEW,
    actions,
    badge,
    details,
    diary,
    panel,
    percent,
    standing,
    summary,
    watch,
)
from advlab.ui.train.runs import compare, table

runs = jobs.runs()
by_id = {run.id: run for run in runs}

with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Runs", width="stretch")
    st.page_link(NEW, label="New run", icon=":material/add_circle:")
if not runs:
    st.info("No run yet. Start one under New run, or train the starter pair on the first page.")
    st.stop()

view = st.segmented_control(
    "View",
    ["One run", "Compare", "Table"],
    default="One run",
    required=True,
    label_visibility="collapsed",
    key="view",
    bind="query-params",
)


def row(run: RunInfo) -> None:
    """One line of the list: name, state, and how good it is."""
    now = standing(diary(run.id))
    chosen = run.id == st.query_params.get("run")
    if st.button(
        plain_text(run.name, 60),
        key=f"open.{run.id}",
        icon=LOOKS[run.status][0],
        width="stretch",
        type="primary" if chosen else "secondary",
    ):
        st.query_params["run"] = run.id
        st.rerun()
    state = f"{run.status} {run.progress or 0:.0%}" if run.status == "running" else run.status
    state = f"place {run.position} in the queue" if run.position else state
    clean, robust = now.test or now.clean, now.test_robust or now.robust
    scores = f" · {percent(clean)} clean, {percent(robust)} robust" if clean else ""
    st.caption(plain_text(f"{state} · {summary(run)}{scores}"))


def listing() -> None:
    """The list, which polls while anything is queued or running."""
    current = jobs.runs()
    if [(r.id, r.status) for r in current] != [(r.id, r.status) for r in runs]:
        st.rerun()
    with st.container(height=680 if len(current) > 8 else "content", border=False):
        for run in current:
            row(run)


if view == "Table":
    table(runs)
elif view == "Compare":
    names = {run.id: f"{run.name} · {run.id[-4:]}" for run in runs}
    group = next((run.group for run in runs if run.group), None)
    first = [run.id for run in runs if run.group == group][:2] if group else list(by_id)[:2]
    chosen = st.multiselect(
        "Runs to compare",
        list(names),
        default=first[::-1],
        format_func=names.__getitem__,
        key="compare",
        persist_state="session",
        max_selections=6,
    )
    if len(chosen) < 2:
        st.info("Choose at least two runs.")
    else:
        compare([by_id[run_id] for run_id in chosen])
else:
    wanted = st.query_params.get("run")
    if wanted is not None and wanted not in by_id:
        st.warning("The run in the address does not exist (any more). Choose one from the list.")
    elif wanted is None:
        wanted = st.query_params["run"] = next((r.id for r in runs if r.active), runs[0].id)
    left, right = st.columns([1, 2.6], gap="medium")
    with left:
        active = any(run.active for run in runs)
        st.fragment(listing, run_every=2.0 if active else None, key="listing")()
    with right:
        if wanted in by_id:
            run = by_id[wanted]
            with st.container(horizontal=True, vertical_alignment="center"):
                st.subheader(plain_text(run.name), anchor=False, width="content")
                badge(run)
            st.caption(plain_text(summary(run)))
            actions(run)
            watch(run, panel, "watch")
            details(run)
