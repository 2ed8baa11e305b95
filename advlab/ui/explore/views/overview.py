"""The first view: what happened, in words and two charts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab.pictures import answers, sentences, tables
from advlab.pictures.reel import sweep
from advlab.ui.explore.results import Result
from advlab.ui.parts import beside, chart, folded, said, section, table
from advlab.ui.player import player


def overview(results: Sequence[Result]) -> None:
    """Draw this view."""
    records = [result.record for result in results]
    for _, result in beside(results):
        record = result.record
        said(sentences.headline(record), large=True)
        said(f"{sentences.noise_sentence(record)} ε = {sentences.units(record.eps, record.scale)}.")
        for note in record.notes:
            said(note)
    for i, result in beside(results):
        record = result.record  # apart from the words, so that the charts stand level
        chart(
            answers.predictions(record),
            f"predictions{i}",
            f"Class probabilities of five versions of the sentence. {sentences.headline(record)}",
        )
        if fold := folded(f"predictions{i}.numbers"):
            with fold:
                names = answers.distinct(list(record.clean.parts))
                percent = st.column_config.NumberColumn(format="percent")
                table(
                    answers.prediction_columns(record),
                    f"predictions_table{i}",
                    "Class probabilities",
                    **dict.fromkeys(names, percent),
                )
    st.caption(
        "How to read it: each row is one version of the sentence, each mark a class, the large mark"
        f" the prediction. {_draws([len(r.noise) for r in records])} The last two rows read the"
        " perturbed vectors as words."
    )
    with section(
        "Drag ε",
        "Move the slider, or the pointer over the chart: lines are the attack, a cross marks where"
        f" the prediction flips. {_draws([r.curve.draws for r in records])} The bars are δ on each"
        " token at that ε.",
    ):
        player(sweep(records), key="sweep")
        if fold := folded("curve.numbers"):
            with fold:
                for i, result in beside(results):
                    record = result.record
                    table(tables.curve_columns(record), f"curve_table{i}", "Probability against ε")


def _draws(counts: list[int]) -> str:
    """What the bands are, with how many draws where that is recorded."""
    known = sorted({n for n in counts if n})
    many = f"{' and '.join(map(str, known))} " if known else ""
    return f"Bands are the range of {many}random perturbations of the same length."
