"""What the Saliency view is asked: methods, what is explained, from which baseline, in which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from advlab.records import SaliencyChoices
from advlab.ui import plain_text
from advlab.ui.explore.results import Result, analysed
from advlab.ui.parts import one_of

SHOWN = {
    "all": "clean, perturbed, difference",
    "both": "clean and perturbed",
    "difference": "what changed",
}


@dataclass(frozen=True)
class Controls:
    """What the controls say."""

    methods: tuple[str, ...]
    options: dict[str, Any]  # target, of, baseline
    settings: dict[str, dict[str, float]]  # method -> its settings that are not at their default
    rows: str
    shown: str


def saliency_controls(results: Sequence[Result]) -> Controls:
    """Draw the controls."""
    from advlab.explain.saliency import DEFAULTS, METHODS
    from advlab.tasks import TASKS

    explains = TASKS[str(results[0].record.task["name"])].explains

    methods = st.pills(
        "Methods",
        list(METHODS),
        selection_mode="multi",
        key="saliency.methods",
        default=list(DEFAULTS),
        format_func=lambda m: METHODS[m].title,
        bind="query-params",
    )
    columns = st.columns(4)
    target = columns[0].selectbox(
        "Explain",
        list(explains),
        key="saliency.target",
        format_func=lambda t: explains[t][0],
        help=" ".join(f"{title.capitalize()}: {what}." for title, what in explains.values()),
        bind="query-params",
    )
    with columns[1]:
        of = _class(results)
    with columns[2]:
        baseline = _baseline(results)
    rows = columns[3].selectbox(
        "Rows",
        ["words", "tokens"],
        key="saliency.rows",
        format_func={"words": "words", "tokens": "sub-words"}.__getitem__,
        bind="query-params",
    )
    shown = one_of(st, "Show", SHOWN, "saliency.shown")
    options = {"target": target, "baseline": baseline} | ({"of": of} if of else {})
    settings = _settings([m for m in METHODS if m in methods])
    return Controls(tuple(m for m in METHODS if m in methods), options, settings, rows, shown)


def _class(results: Sequence[Result]) -> str:
    """The choice among the classes that every model has; empty for the clean prediction's."""
    classes = [
        n
        for n in results[0].record.clean.parts
        if all(n in result.record.clean.parts for result in results)
    ]
    if st.session_state.get("saliency.of", "") not in ("", *classes):
        st.session_state["saliency.of"] = ""  # another model has other classes
    return st.selectbox(
        "of",
        ["", *classes],
        key="saliency.of",
        bind="query-params",
        format_func=lambda n: plain_text(n, 40) if n else "the clean prediction",
    )


def _baseline(results: Sequence[Result]) -> str:
    """The choice among the baselines that every model has."""
    from advlab.explain.targets import BASELINES

    have: list[SaliencyChoices] = [analysed(result, "saliency_choices") for result in results]
    shared = [b for b in BASELINES if all(b in h.baselines for h in have)]
    if st.session_state.get("saliency.baseline", shared[0]) not in shared:
        st.session_state["saliency.baseline"] = shared[0]
    return st.selectbox(
        "Baseline",
        shared,
        key="saliency.baseline",
        format_func=lambda b: BASELINES[b].title,
        bind="query-params",
        help="What stands for ‘no words’, for the methods that need it.",
    )


def _settings(methods: Sequence[str]) -> dict[str, dict[str, float]]:
    from advlab.explain.saliency import LIMITS, METHODS

    found: dict[str, dict[str, float]] = {}
    with st.expander("Steps, samples, and what each method says"):
        for m in methods:
            known = METHODS[m]
            st.markdown(
                f"**{known.title}.** {known.meaning} {known.guard} *{plain_text(known.source)}*"
            )
            columns = st.columns(4) if known.settings else []
            for column, (name, default) in zip(columns, known.settings.items(), strict=False):
                low, high = LIMITS.get(name, (0, 2**31 - 1))
                kind = type(default)
                value = column.number_input(
                    name,
                    min_value=kind(low),
                    max_value=kind(high),
                    value=default,
                    key=f"saliency.{m}.{name}",
                    persist_state="session",
                )
                if value != default:
                    found.setdefault(m, {})[name] = value
    return found
