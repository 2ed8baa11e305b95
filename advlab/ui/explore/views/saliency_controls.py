"""What the Saliency view is asked: methods, what is explained, from which baseline, in which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from advlab.language import N_, _, in_a_row
from advlab.pictures.style import short
from advlab.pictures.wording import named, written
from advlab.records import AttackRecord, SaliencyChoices
from advlab.ui import plain_text
from advlab.ui.explore.results import Result, analysed
from advlab.ui.language import heard
from advlab.ui.parts import one_of
from advlab.ui.terms import explained

WIDTH = 171  # px of a choice: two stand beside each other on a phone
# what the settings of methods are called
NAMES = {
    "steps": N_("steps"),
    "samples": N_("samples"),
    "noise": N_("noise"),
    "window": N_("window"),
    "seed": N_("seed"),
}
SHOWN = {
    "all": N_("clean, perturbed, difference"),
    "both": N_("clean and perturbed"),
    "difference": N_("what changed"),
}


@dataclass(frozen=True)
class Controls:
    """What the controls say."""

    methods: tuple[str, ...]
    options: dict[str, Any]  # target, of, against, baseline
    settings: dict[str, dict[str, float]]  # method -> its settings that are not at their default
    rows: str
    shown: str


def saliency_controls(results: Sequence[Result]) -> Controls:
    """Draw the controls."""
    from advlab.explain.saliency import DEFAULTS, METHODS
    from advlab.tasks import TASKS

    explains = TASKS[str(results[0].record.task["name"])].explains

    heard("saliency.methods", {name: m.title for name, m in METHODS.items()}, many=True)
    heard("saliency.target", {kind: title for kind, (title, __) in explains.items()})
    heard("saliency.rows", {"words": "words", "tokens": "sub-words"})
    methods = st.pills(
        _("Methods"),
        list(METHODS),
        selection_mode="multi",
        key="saliency.methods",
        default=list(DEFAULTS),
        help=explained(*(f"saliency.{name}" for name in METHODS)),
        format_func=lambda m: _(METHODS[m].title),
        bind="query-params",
    )
    asks = not named(results[0].record)  # what a margin is against
    row = st.container(horizontal=True)  # beside a lesson's card they do not fit into one
    columns = [row.container(width=WIDTH) for __ in range(5 if asks else 4)]
    target = columns[0].selectbox(
        _("Explain"),
        list(explains),
        key="saliency.target",
        format_func=lambda t: _(explains[t][0]),
        help=in_a_row(
            *(
                _("{title}: {what}.", title=_(title).capitalize(), what=_(what))
                for title, what in explains.values()
            )
        ),
        bind="query-params",
    )
    with columns[1]:
        of = _of(results)
    against = ""
    if asks and target == "margin":
        with columns[2]:
            against = _against(results)
    with columns[-2]:
        baseline = _baseline(results)
    rows = columns[-1].selectbox(
        _("Rows"),
        ["words", "tokens"],
        key="saliency.rows",
        format_func={"words": _("words"), "tokens": _("sub-words")}.__getitem__,
        bind="query-params",
    )
    shown = one_of(st, _("Show"), SHOWN, "saliency.shown")
    options = {"target": target, "baseline": baseline} | ({} if of == "" else {"of": of})
    if against:
        options["against"] = against
    settings = _settings([m for m in METHODS if m in methods])
    return Controls(tuple(m for m in METHODS if m in methods), options, settings, rows, shown)


def _of(results: Sequence[Result]) -> Any:
    """Which answer, or which token of a written one, is explained; "" is the task's own choice."""
    record = results[0].record
    if written(record):
        options, titles = _tokens(results), {"": _("nearest to change")}
    elif named(record):
        options = [
            n
            for n in record.clean.parts
            if all(n in result.record.clean.parts for result in results)
        ]
        titles = {"": _("the clean prediction")}
    else:
        options, titles = _answers(results), {"": _("the clean answer")}
    if st.session_state.get("saliency.of", "") not in ("", *options):
        st.session_state["saliency.of"] = ""  # another model or text has others
    return st.selectbox(
        _("of"),
        ["", *options],
        key="saliency.of",
        bind="query-params",
        format_func=lambda n: titles.get(n) or short(_titled(record, n), 40),
    )


def _against(results: Sequence[Result]) -> str:
    """What a margin is taken against; "" is the best rival."""
    if written(results[0].record):
        return st.text_input(
            _("against"),
            key="saliency.against",
            placeholder=_("its best rival"),
            bind="query-params",
            help=_(
                "Another token for the same place: why this one and not that? (Yin & Neubig 2022)"
            ),
        ).strip()
    options = _answers(results)
    if st.session_state.get("saliency.against", "") not in ("", *options):
        st.session_state["saliency.against"] = ""
    return st.selectbox(
        _("against"),
        ["", *options],
        key="saliency.against",
        bind="query-params",
        format_func=lambda n: short(n, 40) if n else _("its best rival"),
    )


def _answers(results: Sequence[Result]) -> list[str]:
    """The answers that are spoken of: the references, the clean and the attacked ones."""
    return list(
        dict.fromkeys(
            answer
            for r in (result.record for result in results)
            for answer in (r.reference, r.clean.answers[0], r.attacked.answers[0])
        )
    )


def _tokens(results: Sequence[Result]) -> list[int]:
    """The places of a reference's tokens that every model has; the end of an answer is one."""
    counts = []
    for result in results:
        ends = result.record.clean.parts["ends"][0]
        counts.append(int(np.count_nonzero(ends)))
    return list(range(min(counts)))


def _titled(record: AttackRecord, of: Any) -> str:
    """An answer as it is; a place as its number and token."""
    if not isinstance(of, int):
        return str(of)
    ends = record.clean.parts["ends"][0]
    ends = ends[np.flatnonzero(ends)]
    start = int(ends[of - 1]) if of else 0
    return f"{of + 1}: {record.reference[start : int(ends[of])].strip() or _('end')}"


def _baseline(results: Sequence[Result]) -> str:
    """The choice among the baselines that every model has."""
    from advlab.explain.targets import BASELINES

    have: list[SaliencyChoices] = [analysed(result, "saliency_choices") for result in results]
    shared = [b for b in BASELINES if all(b in h.baselines for h in have)]
    if st.session_state.get("saliency.baseline", shared[0]) not in shared:
        st.session_state["saliency.baseline"] = shared[0]
    heard("saliency.baseline", {b: BASELINES[b].title for b in shared})
    return st.selectbox(
        _("Baseline"),
        shared,
        key="saliency.baseline",
        format_func=lambda b: _(BASELINES[b].title),
        bind="query-params",
        help=_("What stands for ‘no words’, for the methods that need it."),
    )


def _settings(methods: Sequence[str]) -> dict[str, dict[str, float]]:
    from advlab.explain.saliency import LIMITS, METHODS

    found: dict[str, dict[str, float]] = {}
    with st.expander(_("Steps, samples, and what each method says")):
        for m in methods:
            known = METHODS[m]
            st.markdown(
                f"**{_(known.title)}** · {in_a_row(_(known.meaning), _(known.guard))} "
                f"*{plain_text(_(known.source))}*"
            )
            columns = st.columns(4) if known.settings else []
            for column, (name, default) in zip(columns, known.settings.items(), strict=False):
                low, high = LIMITS.get(name, (0, 2**31 - 1))
                kind = type(default)
                value = column.number_input(
                    _(NAMES.get(name, name)),
                    min_value=kind(low),
                    max_value=kind(high),
                    value=default,
                    key=f"saliency.{m}.{name}",
                    persist_state="session",
                )
                if value != default:
                    found.setdefault(m, {})[name] = value
    return found
