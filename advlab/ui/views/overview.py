"""The first view: what happened, in words and two charts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab import plots, story, tables
from advlab.player import sweep
from advlab.ui.looks import Look
from advlab.ui.player import player
from advlab.ui.round_trip import said
from advlab.ui.views.parts import beside, chart, numbers, section, table


def overview(looks: Sequence[Look]) -> None:
    """Draw this view."""
    records = [look.record for look in looks]
    for _, look in beside(looks):
        record = look.record
        said(story.headline(record), large=True)
        said(f"{story.noise_sentence(record)} ε = {story.units(record.eps, record.scale)}.")
        for note in record.notes:
            said(note)
    for i, look in beside(looks):
        record = look.record  # apart from the words, so that the charts stand level
        chart(
            plots.predictions(record),
            f"predictions{i}",
            f"Class probabilities of five versions of the sentence. {story.headline(record)}",
        )
        for _ in numbers(f"predictions{i}.numbers"):
            names = tables.distinct(record.label_names)
            percent = st.column_config.NumberColumn(format="percent")
            table(
                tables.prediction_columns(record), f"predictions_table{i}",
                "Class probabilities", **dict.fromkeys(names, percent),
            )  # fmt: skip
    st.caption(
        "How to read it: each row is one version of the sentence, each mark a class, the large mark"
        f" the prediction. {_draws([len(r.random) for r in records])} The last two rows read the"
        " perturbed vectors as words."
    )
    with section(
        "Drag ε",
        "Move the slider, or the pointer over the chart: lines are the attack, a cross marks where"
        f" the prediction flips. {_draws([r.curve.draws for r in records])} The bars are δ on each"
        " token at that ε.",
    ):
        player(sweep(records), key="sweep")
        for _ in numbers("curve.numbers"):
            for i, look in beside(looks):
                record = look.record
                table(tables.curve_columns(record), f"curve_table{i}", "Probability against ε")


def _draws(counts: list[int]) -> str:
    """What the bands are, with how many draws where that is recorded."""
    known = sorted({n for n in counts if n})
    many = f"{' and '.join(map(str, known))} " if known else ""
    return f"Bands are the range of {many}random perturbations of the same length."
