"""The first view: what happened, in words and two charts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab.language import _
from advlab.pictures import answers, next_look, sentences, tables
from advlab.pictures.reel import sweep
from advlab.pictures.wording import listed, named, written
from advlab.records import AttackRecord
from advlab.ui.explore.results import Result, written_of
from advlab.ui.parts import beside, chart, folded, pointed, said, section, table
from advlab.ui.player import player


def overview(results: Sequence[Result]) -> None:
    """Draw this view."""
    records = [result.record for result in results]
    player(sweep(records, written=[written_of(result) for result in results]), key="sweep")
    pointed(next_look.after_overview(records))
    st.caption(
        _(
            "Drag ε: what each model says then, the words as dark as their δ is long, "
            "and the bars below in numbers. Lines are the attack, a cross marks where "
            "the prediction flips. {draws}",
            draws=_draws([r.curve.draws for r in records]),
        )
    )
    if fold := folded("curve.numbers"):
        with fold:
            for i, result in beside(results):
                table(
                    tables.curve_columns(result.record),
                    f"curve_table{i}",
                    _("Probability against ε"),
                )
    with section(
        _("Five versions of the sentence"),
        _(
            "As it is, under random noise as long as δ, under the attack, and with "
            "every vector read as its nearest word."
        ),
        *("delta", "eps", "flip_eps", "noise", "round_trip"),
    ):
        for __, result in beside(results):
            record = result.record
            said(sentences.text_sentence(record), large=True, hover=_units(record))
            said(sentences.noise_sentence(record))
            for note in record.notes:
                said(note)
        # apart from the words, so that the charts stand level
        if all(named(record) for record in records):
            _shares(results)
        else:
            _texts(results)


def _shares(results: Sequence[Result]) -> None:
    """The share of each named answer, by version."""
    for i, result in beside(results):
        record = result.record
        chart(
            answers.predictions(record),
            f"predictions{i}",
            _(
                "Class probabilities of five versions of the sentence. {headline}",
                headline=sentences.headline(record),
            ),
        )
        if fold := folded(f"predictions{i}.numbers"):
            with fold:
                names = answers.distinct(list(record.clean.parts))
                percent = st.column_config.NumberColumn(format="percent")
                table(
                    answers.prediction_columns(record),
                    f"predictions_table{i}",
                    _("Class probabilities"),
                    **dict.fromkeys(names, percent),
                )
    st.caption(
        _(
            "How to read it: each row is one version of the sentence, each mark a "
            "class, the large mark the prediction. {draws} The last two rows read the "
            "perturbed vectors as words.",
            draws=_draws([len(r.record.noise) for r in results]),
        )
    )


def _texts(results: Sequence[Result]) -> None:
    """The answer to each version as text, and the picture that the task has of it."""
    for __, result in beside(results):
        st.html(answers.texts(result.record))
    per = _(" per token") if any(written(r.record) for r in results) else ""
    st.caption(
        _(
            "✗: no longer the clean answer. How sure of what is answered, and of the "
            "reference{per}. The last two rows read the perturbed vectors as words.",
            per=per,
        )
    )
    if any(answers.told(result.record) for result in results):
        for __, result in beside(results):
            st.html(answers.told(result.record))
    for i, result in beside(results):
        if fold := folded(f"predictions{i}.numbers"):
            with fold:
                percent = st.column_config.NumberColumn(format="percent")
                table(
                    answers.prediction_columns(result.record),
                    f"predictions_table{i}",
                    _("What is answered to each version"),
                    **{"score of the reference": percent},
                )


def _draws(counts: list[int]) -> str:
    """What the bands are, with how many draws where that is recorded."""
    known = sorted({n for n in counts if n})
    if not known:
        return _("Bands are the range of random perturbations of the same length.")
    return _(
        "Bands are the range of {count} random perturbations of the same length.",
        count=listed([str(n) for n in known]),
    )


def _units(record: AttackRecord) -> str:
    """The attack's radius in all three units, for the pointer."""
    return f"ε = {sentences.units(record.eps, record.scale)}"
