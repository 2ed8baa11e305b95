"""Several runs beside each other: as links, as a table, as curves over one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.pictures import training
from advlab.records import Rate
from advlab.runs.jobs import RunInfo
from advlab.runs.standing import standing
from advlab.settings import plain
from advlab.ui import plain_text
from advlab.ui.train.run import LOOKS, RUNS, chart, diary, percent, summary, when


def table(infos: Sequence[RunInfo]) -> None:
    """All runs in a table, for reading and sorting."""
    rows = []
    for info in infos:
        now = standing(diary(info.id))
        rows.append(
            {
                "name": info.name,
                "status": info.status,
                "what": summary(info),
                "clean": _value(now.test or now.clean),
                "robust": _value(now.test_robust or now.robust),
                "ε": now.eval_eps,
                "cost": now.cost,
                "seconds": now.seconds,
                "texts": now.train_texts,
                "started": when(info.created),
            }
        )
    share = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        alt="All runs with their results",
        column_config={
            "clean": share,
            "robust": share,
            "ε": st.column_config.NumberColumn("validation ε", format="%g × mean norm"),
            "cost": st.column_config.NumberColumn("cost of a step", format="%.1f ×"),
            "seconds": st.column_config.NumberColumn("time trained", format="%.0f s"),
        },
    )


def recent(infos: Sequence[RunInfo]) -> None:
    """A few runs as links."""
    if not infos:
        return
    st.markdown("**Latest runs**")
    for info in infos:
        now = standing(diary(info.id))
        clean, robust = now.test or now.clean, now.test_robust or now.robust
        scores = f" · {percent(clean)} clean, {percent(robust)} robust" if clean else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                RUNS,
                label=plain_text(info.name, 60),
                icon=LOOKS[info.status][0],
                query_params={"run": info.id},
            )
            st.caption(plain_text(f"{info.status} · {summary(info)}{scores}"))


def _value(rate: Rate | None) -> float | None:
    return None if rate is None else 100 * rate.value


def compare(infos: Sequence[RunInfo]) -> None:
    """Curves over each other, the results, and the settings in which the runs differ."""
    named = [(info.name, diary(info.id)) for info in infos]
    left, right = st.columns(2)
    with left:
        st.markdown("**Accuracy on validation texts**")
        chart(training.compare_accuracy(named), "compare.accuracy", "Accuracy of the chosen runs")
        st.caption("Filled and solid: under attack. Hollow and dotted: clean.")
    with right:
        st.markdown("**Clean training loss**")
        chart(training.compare_losses(named), "compare.losses", "Training loss of the chosen runs")
    table(infos)
    rows = differences(infos)
    if rows:
        st.markdown("**Settings that differ**")
        st.dataframe(rows, hide_index=True, alt="Settings in which the runs differ")


def differences(infos: Sequence[RunInfo]) -> list[dict[str, str]]:
    """One row a setting that is not the same in all runs; one column a run."""
    flat: dict[str, dict[str, Any]] = {}
    for info in infos:
        try:
            flat[info.id] = dict(_flat(plain(info.config)))
        except AdvlabError:
            flat[info.id] = {}
    names = dict.fromkeys(name for values in flat.values() for name in values if name != "name")
    titles = [info.name for info in infos]
    rows = []
    for name in names:
        values = [str(flat[info.id].get(name, "–")) for info in infos]
        if len(set(values)) > 1:
            row = {"setting": name}
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
