"""Where the model looks: attributions per word, clean beside perturbed, and through the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _, in_a_row, listing
from advlab.pictures import alignment, attributions, next_look, openings, sentences, tables
from advlab.pictures.style import NEUTRAL
from advlab.pictures.text import AGAINST, FOR, Mark, coloured, legend
from advlab.pictures.wording import written
from advlab.records import Alignment, AttackRecord, Layers, Saliency, SaliencyChoices
from advlab.records.estimates import rank_correlation
from advlab.ui.explore.examples import alignment_told
from advlab.ui.explore.results import Result, analysed
from advlab.ui.explore.views.saliency_controls import Controls, saliency_controls
from advlab.ui.language import heard
from advlab.ui.parts import beside, chart, folded, pointed, said, section, table

BEST = "integrated_gradients"  # colours the sentence where it is among the methods
ACROSS = {"all": 3, "both": 4, "difference": 6}  # methods in one picture; more stand below


def saliency(results: Sequence[Result]) -> None:
    """Draw this view."""
    with section(
        _("Where the model looks"),
        _(
            "The sentence as it was typed: the stronger a word's colour, the more it "
            "counts. Every method in numbers below; those without a sign say how "
            "sensitive the model is, not what a word contributes."
        ),
        *("attribution", "target", "baseline", "completeness"),
    ):
        top = st.container()
        controls = saliency_controls(results)
        if not controls.methods:
            said(_("Choose a method."))
            return
        with top:
            _sentences(results, controls)
        sets = [[_found(result, m, controls) for m in controls.methods] for result in results]
        _maps(results, sets, controls)
    with section(
        _("Do they agree?"),
        _(
            "Spearman's rank correlation of each method's words with leaving one word "
            "out, which changes the input and looks. For methods without a sign its "
            "size counts. 1 is the same order, 0 no relation; a gap to 1 says that the "
            "picture above is not the whole truth."
        ),
        "agreement",
    ):
        for i, result in beside(results):
            table(
                _agreement(result, sets[i], controls),
                f"agreement{i}",
                _("Rank correlation of each method with leaving one word out"),
            )
    with section(
        _("Does the baseline matter?"),
        _(
            "Integrated gradients from each baseline, in one colour range. What stands "
            "for ‘no words’ is a choice; where columns disagree, so would the "
            "explanations. ρ is the rank correlation of two baselines' words on the "
            "clean sentence: 1 is the same order, 0 no relation."
        ),
        "baseline",
    ):
        _baselines(results, controls)
    if any(written(result.record) for result in results):
        _alignments(results)
    with section(
        _("Through the layers"),
        _(
            "Left: how the gradient of the target at each layer's input is shared "
            "among the words. Right: attention rollout, read where the answer is read "
            "off. Rollout follows attention weights only, not what is done with them."
        ),
        "gradient",
        "rollout",
    ):
        _layers(results, controls)


def _alignments(results: Sequence[Result]) -> None:
    """Which source words each written token is due to; nothing for models of one row of blocks."""
    found: list[Alignment | None] = []
    for result in results:
        try:
            found.append(analysed(result, "alignment", told=alignment_told(result)))
        except AdvlabError:  # it has no cross-attention
            found.append(None)
    if not any(found):
        return
    with section(
        _("Which words is each written token due to?"),
        _(
            "Of the clean sentence; rows are written tokens, columns words. "
            "Cross-attention of the middle layer looks at states that are mixed "
            "already, and a row says nothing of how much it matters; input × gradient "
            "says how the token's probability hangs on each word."
        ),
    ):
        for i, result in beside(results):
            one = found[i]
            if one is None:
                said(_("{model} has no cross-attention.", model=result.record.model))
                continue
            words = alignment.alignment_sentence(one)
            said(words)
            chart(alignment.alignment(one), f"alignment{i}", words)
            if fold := folded(f"alignment{i}.numbers"):
                with fold:
                    table(
                        alignment.alignment_columns(one),
                        f"alignment_table{i}",
                        _("The strongest word of each written token"),
                    )


def _found(result: Result, method: str, controls: Controls) -> Saliency:
    return analysed(
        result, "saliency", method=method, **controls.options, **controls.settings.get(method, {})
    )


def _sentences(results: Sequence[Result], controls: Controls) -> None:
    """One coloured sentence a model, all in one range, by the method that says most."""
    from advlab.explain.saliency import METHODS

    signed = [m for m in controls.methods if METHODS[m].signed]
    method = next((m for m in signed if m == BEST), [*signed, *controls.methods][0])
    maps = [_found(result, method, controls) for result in results]
    values = [np.abs(np.nan_to_num(m.clean.words)) for m in maps]
    top = max((float(v.max(initial=0.0)) for v in values), default=0.0)
    for i, result in beside(results):
        found = maps[i]
        if found.withheld:
            said(
                _(
                    "{title} is not shown: {withheld}.",
                    title=_(found.title),
                    withheld=found.withheld,
                )
            )
            continue
        record, unit = result.record, sentences.unit_of(found)

        def hover(w: int, found: Saliency = found, record: AttackRecord = record) -> str:
            clean, moved = (sentences.signed(float(v.words[w])) for __, v in found.versions)
            return _(
                "{words}: {clean} {unit_of}, perturbed {moved}",
                words=record.words[w],
                clean=clean,
                unit_of=sentences.unit_of(found),
                moved=moved,
            )

        st.html(coloured(record, found.clean.words, top, hover, signed=found.signed))
        said(openings.saliency(record, found), hover=f"{_(found.title)}, {found.target}")
        said(
            _(
                "Explained: {target}, by {title}. Strongest: {top} {unit}.",
                target=found.target,
                title=_(found.title),
                top=sentences.number(top),
                unit=unit,
            )
        )
    known = [i for i, m in enumerate(maps) if not m.withheld]
    if not known:
        return
    marks = [Mark(FOR, _("speaks for it")), Mark(AGAINST, _("speaks against it"))]
    st.html(
        legend(marks if maps[known[0]].signed else [Mark(NEUTRAL, _("the model is sensitive"))])
    )
    if len(known) == len(maps):
        pointed(next_look.after_saliency([result.record for result in results], maps))


def _maps(results: Sequence[Result], sets: list[list[Saliency]], controls: Controls) -> None:
    from advlab.explain.saliency import METHODS

    linked = len(results) > 1 and st.toggle(
        _("Same colour scale for all models"),
        value=True,
        key="shared_scale",
        persist_state="session",
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
                _(
                    "Attribution per word of the {target}, clean and perturbed: {methods}",
                    target=maps[0].target,
                    methods=listing(_(m.title) for m in maps),
                ),
            )
            ranges = listing(
                _(
                    "{title} {sign}{v} {unit_of}",
                    title=_(m.title),
                    sign="±" if m.signed or controls.shown == "difference" else _("up to "),
                    v=sentences.number(v),
                    unit_of=sentences.unit_of(m),
                )
                for m, v in zip(maps, scale, strict=True)
            )
            said(
                _(
                    "Explained: {target}. Colour ranges: {ranges}.",
                    target=maps[0].target,
                    ranges=ranges,
                )
            )
    for i, result in beside(results):
        for m in sets[i]:
            said(
                _("{title} is not shown: {withheld}.", title=_(m.title), withheld=m.withheld)
                if m.withheld
                else sentences.completeness_sentence(m)
            )
            if m.note:
                said(f"{_(m.title)}: {m.note}")
            spread = sentences.spread_sentence(m, result.record.words)
            if spread:
                said(spread)
        said(sentences.remainder_sentence(result.record, sets[i]))
        if fold := folded(f"saliency{i}.numbers"):
            with fold:
                table(
                    tables.saliency_columns(result.record, sets[i], controls.rows),
                    f"saliency_table{i}",
                    _("Attribution per word and method"),
                )
    costly = [_(METHODS[m].title) for m in controls.methods if METHODS[m].costly]
    if costly:
        st.caption(_("Many passes each, so slower: {costly}.", costly=listing(costly)))


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
        found["method"].append(_(m.title))
        found["clean ρ"].append(None if values[0] is None else round(values[0], 2))
        found["perturbed ρ"].append(None if values[1] is None else round(values[1], 2))
    return found


def _compared(names: list[str]) -> list[str]:
    """The baselines to compare, in their own order: all of them, until some are left out."""
    from advlab.explain.targets import BASELINES

    if not set(st.session_state.get("saliency.baselines", names)) <= set(names):
        st.session_state["saliency.baselines"] = names
    heard("saliency.baselines", {b: BASELINES[b].title for b in names}, many=True)
    wanted = st.pills(
        _("Baselines"),
        names,
        selection_mode="multi",
        default=names,
        key="saliency.baselines",
        format_func=lambda b: _(BASELINES[b].title),
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
            said(_("Choose a baseline."))
            continue
        maps: list[Saliency] = [
            analysed(
                result, "saliency", method="integrated_gradients", baseline=b, **options, **steps
            )
            for b in used
        ]
        titles = [_(BASELINES[b].title) for b in used]
        shown = "both" if controls.shown == "all" else controls.shown
        limit = max(attributions.limits([maps], controls.rows, shown))
        words = in_a_row(
            sentences.baselines_sentence(maps, titles), sentences.starts_sentence(maps)
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
            _("Integrated gradients from each baseline, one colour range. {words}", words=words),
        )
        colours = _(
            "Colours: ±{limit} {unit}.",
            limit=sentences.number(limit),
            unit=sentences.unit_of(maps[0]),
        )
        said(in_a_row(words, colours))
        if fold := folded(f"rho{i}.numbers"):
            with fold:
                table(
                    tables.baseline_columns(maps, titles),
                    f"rho{i}",
                    _("Rank correlation of baselines"),
                )
                table(
                    tables.saliency_columns(result.record, maps, controls.rows, titles),
                    f"baselines_table{i}",
                    _("Integrated gradients per word and baseline"),
                )


def _layers(results: Sequence[Result], controls: Controls) -> None:
    options = {k: v for k, v in controls.options.items() if k != "baseline"}
    found: list[Layers | str] = []
    for result in results:
        try:
            found.append(analysed(result, "layers", **options))
        except AdvlabError as error:
            found.append(str(error))
    known = [f for f in found if not isinstance(f, str)]
    heard("saliency.layers", {False: "clean", True: "perturbed"})
    moved = bool(known) and (  # nothing to choose where nothing is drawn
        st.segmented_control(
            _("Sentence"),
            [False, True],
            default=False,
            required=True,
            key="saliency.layers",
            format_func={False: _("clean"), True: _("perturbed")}.__getitem__,
            bind="query-params",
        )
        or False
    )
    scale = attributions.layer_limits(known, perturbed=moved)
    for i, result in beside(results):
        one = found[i]
        if isinstance(one, str):
            said(one)
            continue
        rest = sentences.rest_of(result.record)
        chart(
            attributions.layers(one, result.record.words, rest, perturbed=moved, scale=scale),
            f"layers{i}",
            _(
                "Share of each word in the gradient of the {target}, and in attention, by layer",
                target=one.target,
            ),
        )
        said(
            _(
                "Colours: gradient up to {gradient} of a layer, rollout up to {rollout}. {note}",
                gradient=sentences.percent(scale[0]),
                rollout=sentences.percent(scale[1]),
                note=one.note,
            ).strip()
        )
        if fold := folded(f"layers{i}.numbers"):
            with fold:
                table(
                    attributions.layer_columns(one, result.record.words, rest, perturbed=moved),
                    f"layers_table{i}",
                    _("Share of each word by layer"),
                )


def _names(record: AttackRecord, controls: Controls) -> Sequence[str]:
    return record.words if controls.rows == "words" else record.tokens


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
