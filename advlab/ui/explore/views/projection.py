"""What the perturbed vectors are nearest to, what they read as, and how far the next word is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import streamlit as st

from advlab.language import N_, _
from advlab.pictures import next_look, next_word, openings, sentences, substitutions, wording
from advlab.pictures.tables import Columns
from advlab.records import AttackRecord, Exits, Nearest, Scaled, Substitutions
from advlab.ui.explore.results import Result, analysed
from advlab.ui.explore.views.round_trip import round_trip_html
from advlab.ui.parts import beside, chart, folded, one_of, pointed, said, section, table

METRICS = {
    "l2": N_("L2: the distance in which δ is measured."),
    "cosine": N_("Cosine: the angle alone, blind to length."),
    "dot": N_("Dot product: favours long vectors; not a distance."),
}
LEFT_OUT = {False: N_("special and unused"), True: N_("special, unused, pieces and punctuation")}
SPACES = {"nearest": N_("word vectors"), "embedded": N_("first layer's input")}


def projection(results: Sequence[Result]) -> None:
    """Draw this view."""
    with section(
        _("Is it text?"),
        _(
            "Top to bottom: the sentence, the perturbed vectors (+: ‖δ‖ of each), the "
            "tokens nearest to them, and the text that these spell, tokenised again. A "
            "model reads all four; a vector is no word."
        ),
        "projection",
        "round_trip",
        key="trip",
    ):
        for __, result in beside(results):
            said(openings.projection(result.record), large=True)
            said(sentences.lost_stage(result.record))
        pointed(next_look.after_projection([result.record for result in results]))
        for __, result in beside(results):
            st.html(round_trip_html(result.record))
    with section(
        _("What the perturbed vectors are nearest to"),
        _(
            "Own rank 1 means that the token is still nearest to its own vector, so it "
            "reads as before. The margin is the gap between the nearest and the second "
            "nearest."
        ),
        "own_rank",
        "projection",
    ):
        whole = st.toggle(
            _("Real words only"),
            key="projection.whole",
            bind="query-params",
            help=_(
                "Here and in the next two sections, pieces (##…) and punctuation are no candidates."
            ),
        )
        _nearest(results, whole)
    with section(
        _("How far to the next word?"),
        _(
            "How many times longer δ must be. Filled: in its own direction, with the "
            "word that the token then becomes. Hollow: the nearest word in any "
            "direction; no δ shorter than that changes the token. The dotted line is δ "
            "as it is."
        ),
        *("next_word", "exit_radius", "certificate"),
    ):
        _exits(results, whole)
    with section(
        _("δ made longer until words change"),
        _(
            "δ times a growing factor, every point run through the model: the vectors, "
            "the tokens nearest to them, and the text that those spell. Choose a "
            "factor to read the text there."
        ),
        key="scaled",
    ):
        moving = [i for i, result in enumerate(results) if (result.record.delta_norm > 0).any()]
        grown: dict[int, Scaled] = {i: analysed(results[i], "scaled", whole=whole) for i in moving}
        ends = [f.factors[[0, -1]] for f in grown.values()]
        span = (min(float(a) for a, __ in ends), max(float(b) for __, b in ends)) if ends else None
        for i, result in beside(results):
            if i in grown:
                _scaled(result, i, grown[i], span)
            else:
                said(_("δ is zero: there is nothing to make longer."))
    with section(
        _("What real words do"),
        _(
            "The gradient estimates for every single replacement how much the loss "
            "rises. Here are its best ones, each run through the model: on the dotted "
            "line the estimate is right. Filled marks change the prediction."
        ),
        "hotflip",
    ):
        _swaps(results)


def _exits(results: Sequence[Result], whole: bool) -> None:
    found: list[Exits] = [analysed(result, "exits", whole=whole) for result in results]
    each = [
        next_word.factor_span(result.record, f) for result, f in zip(results, found, strict=True)
    ]
    span = (min(low for low, __ in each), max(high for __, high in each))
    for i, result in beside(results):
        words = next_word.exits_sentence(result.record, found[i])
        said(words)
        chart(
            next_word.ways_out(result.record, found[i], i, span),
            f"exits{i}",
            _("How many times longer δ must be. {words}", words=words),
        )
        if fold := folded(f"exits{i}.numbers"):
            with fold:
                table(
                    next_word.exit_columns(result.record, found[i]),
                    f"exits_table{i}",
                    _("Distance of each token to the next word"),
                )


def _swaps(results: Sequence[Result]) -> None:
    found: list[Substitutions] = [analysed(result, "substitutions") for result in results]
    each = [substitutions.reach(f) for f in found]
    ends = list(zip(*each, strict=True))
    span = (min(ends[0]), max(ends[1]), min(ends[2]), max(ends[3]))
    percent, short = (
        st.column_config.NumberColumn(format="percent"),
        st.column_config.NumberColumn(format="%.3f"),
    )
    for i, result in beside(results):
        words = substitutions.swap_sentence(result.record, found[i])
        said(words)
        if not found[i].words:
            continue
        chart(
            substitutions.estimates(result.record, found[i], i, span),
            f"swaps{i}",
            _("Estimated against real rise in loss, nats. {words}", words=words),
        )
        table(
            substitutions.swap_columns(result.record, found[i]),
            f"swaps_table{i}",
            _("The replacements that really raise the loss most"),
            **{
                "probability": percent,
                "real rise, nats": short,
                "estimated rise, nats": short,
                "loss, nats": short,
            },
        )


def _nearest(results: Sequence[Result], whole: bool) -> None:
    row = st.container(horizontal=True)  # beside a lesson's card they do not fit into one
    metric = one_of(
        row, _("Metric"), {"l2": "L2", "cosine": N_("cosine"), "dot": N_("dot")}, "metric"
    )
    space = one_of(row, _("Space"), SPACES, "space")
    clean = one_of(row, _("Sentence"), {False: N_("perturbed"), True: N_("clean")}, "nearest.clean")
    st.caption(_(METRICS[metric]))
    for i, result in beside(results):
        record = result.record
        found: Nearest = analysed(result, space, whole=whole)
        if not found.perturbed:
            said(found.note)
            continue
        moved = next_word.moved_count(found.perturbed[metric].own_rank, record.perturbable)
        before = next_word.moved_count(found.clean[metric].own_rank, record.perturbable)
        said(
            _(
                "{moved} of {n} tokens are nearest to another one ({before} before the "
                "attack), among {space}. {excluded:,} vocabulary rows ({left_out}) are "
                "left out; a token's own row always takes part.",
                moved=moved,
                n=int(record.perturbable.sum()),
                before=before,
                space=found.space,
                excluded=found.perturbed[metric].excluded,
                left_out=_(LEFT_OUT[whole]),
            )
        )
        table(
            nearest_columns(record, found, metric, clean=clean),
            f"nearest_table{i}",
            _("Nearest tokens of each token's vector"),
        )


def nearest_columns(record: AttackRecord, found: Nearest, metric: str, *, clean: bool) -> Columns:
    """One row a perturbable token: own rank, its nearest tokens, the margin, how far it was moved."""
    near = (found.clean if clean else found.perturbed)[metric]
    rows = np.flatnonzero(record.perturbable)
    made: Columns = {
        "token": [record.tokens[t] for t in rows],
        "own rank": [int(near.own_rank[t]) for t in rows],
    }
    for k in range(near.ids.shape[1]):
        made[_("nearest {k}", k=k + 1)] = [near.tokens[t][k] for t in rows]
    raw = metric == "l2"
    made[_("margin, raw") if raw else _("margin")] = [float(near.margin[t]) for t in rows]
    made["moved by, raw"] = [float(found.shift[t]) for t in rows]
    for k in range(near.ids.shape[1]):
        name = _("score {k}, raw", k=k + 1) if raw else _("score {k}", k=k + 1)
        made[name] = [float(near.scores[t, k]) for t in rows]
    return made


def _scaled(result: Result, i: int, found: Scaled, span: tuple[float, float] | None) -> None:
    record = result.record
    said(next_word.scaling_sentence(record, found))
    marks = [sentences.number(float(f)) for f in found.factors]
    options = list(range(len(marks)))
    start = int(np.abs(np.log(found.factors)).argmin())
    # a key of its own for each row of factors: a place in one is another factor in the next
    rows = hashlib.sha256(found.factors.tobytes()).hexdigest()[:8]
    at = st.select_slider(
        _("Factor on δ"),
        options,
        value=start,
        key=f"factor{i}.{rows}",
        persist_state="session",
        format_func=lambda k: f"{marks[k]} ×",
    )
    chart(
        next_word.scaling(record, found, i, at, span),
        f"scaled{i}",
        _(
            "Probability against the factor on δ. {scaling_sentence}",
            scaling_sentence=next_word.scaling_sentence(record, found),
        ),
    )
    changed = int(found.changed[at].sum())
    said(
        _(
            "At {factor} × δ, {changed} of {n} tokens read otherwise:",
            factor=marks[at],
            changed=changed,
            n=int(record.perturbable.sum()),
        )
    )
    said(f"“{found.texts[at]}”", large=True)
    said(
        _(
            "The vectors are read as {vectors} ({vectors_sure}), this text as {text} ({text_sure}).",
            vectors=wording.said(record, found.vectors.answers[at]),
            vectors_sure=sentences.percent(float(found.vectors.sure[at])),
            text=wording.said(record, found.reread.answers[at]),
            text_sure=sentences.percent(float(found.reread.sure[at])),
        )
    )
    if fold := folded(f"scaled{i}.numbers"):
        with fold:
            table(
                next_word.scaling_columns(record, found),
                f"scaled_table{i}",
                _("δ times a growing factor"),
            )
