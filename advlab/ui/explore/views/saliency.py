"""Where the model looks: attributions per word, clean beside perturbed, and through the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.pictures import attributions, sentences, tables
from advlab.records import AttackRecord, Layers, Saliency, SaliencyChoices
from advlab.records.estimates import rank_correlation
from advlab.ui import plain_text
from advlab.ui.explore.results import Result, analysed
from advlab.ui.parts import beside, chart, folded, one_of, said, section, table

ACROSS = {"all": 3, "both": 4, "difference": 6}  # methods in one picture; more stand below
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


def saliency(results: Sequence[Result]) -> None:
    """Draw this view."""
    with section(
        "Where the model looks",
        "Blue words speak for the explained class, orange ones against it. Methods without a sign"
        " (left) say how sensitive the model is, not what a word contributes.",
    ):
        controls = _controls(results)
        if not controls.methods:
            said("Choose a method.")
            return
        sets = [[_found(result, m, controls) for m in controls.methods] for result in results]
        _maps(results, sets, controls)
    with section(
        "Do they agree?",
        "Spearman's rank correlation of each method's words with leaving one word out, which"
        " changes the input and looks. For methods without a sign its size counts. 1 is the same"
        " order, 0 no relation; a gap to 1 says that the picture above is not the whole truth.",
    ):
        for i, result in beside(results):
            table(
                _agreement(result, sets[i], controls),
                f"agreement{i}",
                "Rank correlation of each method with leaving one word out",
            )
    with section(
        "Does the baseline matter?",
        "Integrated gradients from each baseline, in one colour range. What stands for ‘no words’ is"
        " a choice; where columns disagree, so would the explanations. ρ is the rank correlation of"
        " two baselines' words on the clean sentence: 1 is the same order, 0 no relation.",
    ):
        _baselines(results, controls)
    with section(
        "Through the layers",
        "Left: how the gradient of the target at each layer's input is shared among the words."
        " Right: attention rollout, read where the classifier reads. Rollout follows attention"
        " weights only, not what is done with them.",
    ):
        _layers(results, controls)


def _controls(results: Sequence[Result]) -> Controls:
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


def _found(result: Result, method: str, controls: Controls) -> Saliency:
    return analysed(
        result, "saliency", method=method, **controls.options, **controls.settings.get(method, {})
    )


def _maps(results: Sequence[Result], sets: list[list[Saliency]], controls: Controls) -> None:
    from advlab.explain.saliency import METHODS

    linked = len(results) > 1 and st.toggle(
        "Same colour scale for all models", value=True, key="shared_scale", persist_state="session"
    )
    kept = [k for k in range(len(controls.methods)) if any(not maps[k].withheld for maps in sets)]
    for part in _chunks(kept, ACROSS[controls.shown]):
        common = attributions.limits(
            [[m[k] for k in part] for m in sets], controls.rows, controls.shown
        )
        for i, result in beside(results):
            maps = [sets[i][k] for k in part]
            scale = common if linked else attributions.limits([maps], controls.rows, controls.shown)
            chart(
                attributions.attributions(
                    maps,
                    _names(result.record, controls),
                    scale,
                    rows=controls.rows,
                    shown=controls.shown,
                ),
                f"saliency{part[0]}.{i}",
                f"Attribution per word of the {maps[0].target}, clean and perturbed:"
                f" {', '.join(m.title for m in maps)}",
            )
            ranges = ", ".join(
                f"{m.title} {'±' if m.signed or controls.shown == 'difference' else 'up to '}"
                f"{sentences.number(v)} {sentences.unit_of(m)}"
                for m, v in zip(maps, scale, strict=True)
            )
            said(f"Explained: {maps[0].target}. Colour ranges: {ranges}.")
    for i, result in beside(results):
        for m in sets[i]:
            said(
                f"{m.title} is not shown: {m.withheld}."
                if m.withheld
                else sentences.completeness_sentence(m)
            )
            if m.note:
                said(f"{m.title}: {m.note}")
            spread = sentences.spread_sentence(m, result.record.words)
            if spread:
                said(spread)
        said(sentences.remainder_sentence(sets[i]))
        if fold := folded(f"saliency{i}.numbers"):
            with fold:
                table(
                    tables.saliency_columns(result.record, sets[i], controls.rows),
                    f"saliency_table{i}",
                    "Attribution per word and method",
                )
    costly = [METHODS[m].title for m in controls.methods if METHODS[m].costly]
    if costly:
        st.caption(f"Many passes each, so slower: {', '.join(costly)}.")


def _agreement(result: Result, maps: Sequence[Saliency], controls: Controls) -> tables.Columns:
    truth: Saliency = analysed(
        result,
        "saliency",
        method="leave_one_out",
        **{k: v for k, v in controls.options.items() if k != "baseline"},
    )
    found: tables.Columns = {"method": [], "clean ρ": [], "perturbed ρ": []}
    for m in maps:
        if m.method == "leave_one_out" or m.withheld:
            continue
        pairs = ((m.clean.words, truth.clean.words), (m.perturbed.words, truth.perturbed.words))
        values = [rank_correlation(a, b if m.signed else abs(b)) for a, b in pairs]
        found["method"].append(m.title)
        found["clean ρ"].append(None if values[0] is None else round(values[0], 2))
        found["perturbed ρ"].append(None if values[1] is None else round(values[1], 2))
    return found


def _compared(names: list[str]) -> list[str]:
    """The baselines to compare, in their own order: all of them, until some are left out."""
    from advlab.explain.targets import BASELINES

    if not set(st.session_state.get("saliency.baselines", names)) <= set(names):
        st.session_state["saliency.baselines"] = names
    wanted = st.pills(
        "Baselines",
        names,
        selection_mode="multi",
        default=names,
        key="saliency.baselines",
        format_func=lambda b: BASELINES[b].title,
        bind="query-params",
        label_visibility="collapsed",
    )
    return [b for b in names if b in wanted]


def _baselines(results: Sequence[Result], controls: Controls) -> None:
    from advlab.explain.targets import BASELINES

    options = {k: v for k, v in controls.options.items() if k != "baseline"}
    steps = controls.settings.get("integrated_gradients", {})
    have: list[SaliencyChoices] = [analysed(result, "saliency_choices") for result in results]
    wanted = _compared([b for b in BASELINES if any(b in h.baselines for h in have)])
    for i, result in beside(results):
        used = [b for b in wanted if b in have[i].baselines]
        if not used:
            said("Choose a baseline.")
            continue
        maps: list[Saliency] = [
            analysed(
                result, "saliency", method="integrated_gradients", baseline=b, **options, **steps
            )
            for b in used
        ]
        titles = [BASELINES[b].title for b in used]
        shown = "both" if controls.shown == "all" else controls.shown
        limit = max(attributions.limits([maps], controls.rows, shown))
        words = " ".join(
            [sentences.baselines_sentence(maps, titles), sentences.starts_sentence(maps)]
        )
        chart(
            attributions.attributions(
                maps,
                _names(result.record, controls),
                [limit] * len(maps),
                rows=controls.rows,
                shown=shown,
                titles=titles,
            ),
            f"baselines{i}",
            f"Integrated gradients from each baseline, one colour range. {words}",
        )
        said(f"{words} Colours: ±{sentences.number(limit)} {sentences.unit_of(maps[0])}.")
        if fold := folded(f"rho{i}.numbers"):
            with fold:
                table(
                    tables.baseline_columns(maps, titles),
                    f"rho{i}",
                    "Rank correlation of baselines",
                )
                table(
                    tables.saliency_columns(result.record, maps, controls.rows, titles),
                    f"baselines_table{i}",
                    "Integrated gradients per word and baseline",
                )


def _layers(results: Sequence[Result], controls: Controls) -> None:
    moved = one_of(st, "Sentence", {False: "clean", True: "perturbed"}, "saliency.layers")
    options = {k: v for k, v in controls.options.items() if k != "baseline"}
    found: list[Layers | str] = []
    for result in results:
        try:
            found.append(analysed(result, "layers", **options))
        except AdvlabError as error:
            found.append(str(error))
    known = [f for f in found if not isinstance(f, str)]
    scale = attributions.layer_limits(known, perturbed=moved)
    for i, result in beside(results):
        one = found[i]
        if isinstance(one, str):
            said(one)
            continue
        chart(
            attributions.layers(one, result.record.words, perturbed=moved, scale=scale),
            f"layers{i}",
            f"Share of each word in the gradient of the {one.target}, and in attention, by layer",
        )
        said(
            f"Colours: gradient up to {sentences.percent(scale[0])} of a layer, rollout up to"
            f" {sentences.percent(scale[1])}. {one.note}".strip()
        )
        if fold := folded(f"layers{i}.numbers"):
            with fold:
                table(
                    attributions.layer_columns(one, result.record.words, perturbed=moved),
                    f"layers_table{i}",
                    "Share of each word by layer",
                )


def _names(record: AttackRecord, controls: Controls) -> Sequence[str]:
    return record.words if controls.rows == "words" else record.tokens


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
