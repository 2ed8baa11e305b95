"""Where the perturbation sits, and how the search went."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab import plots, story, tables
from advlab.ui.looks import Look
from advlab.ui.round_trip import said
from advlab.ui.views.parts import beside, chart, section, table


def perturbation(looks: Sequence[Look]) -> None:
    """Draw this view."""
    records = [look.record for look in looks]
    limit = max(float(r.delta_norm.max()) / r.scale.mean_norm for r in records)
    with section(
        "Where the perturbation sits",
        "Each bar is the length of δ on one token. The percentage is how far that token is on its"
        " way to becoming another token; at 100 % it would. Same scale for both models.",
    ):
        for i, look in beside(looks):
            record = look.record
            said(story.distance_sentence(record))
            chart(
                plots.token_norms(record, limit, i), f"norms{i}",
                f"Length of δ per token. {story.distance_sentence(record)}",
            )  # fmt: skip
            with st.expander("Numbers"):
                percent = st.column_config.NumberColumn(format="percent")
                table(
                    tables.token_columns(record), f"norms_table{i}", "δ per token",
                    **{"share of ‖δ‖²": percent, "share of exit radius": percent,
                       "‖δ‖ ÷ ‖e‖": percent},
                )  # fmt: skip
    with section(
        "How the attack searched",
        "The star is the step that was kept, the cross the first one that changed the prediction.",
    ):
        said(" ".join(f"{'ABC'[i]}: {story.loss_sentence(r)}" for i, r in enumerate(records)))
        found = " ".join(story.loss_sentence(r) for r in records)
        chart(plots.losses(records), "losses", f"Loss against attack step. {found}")
        with st.expander("Numbers"):
            for i, look in beside(looks):
                record = look.record
                table(tables.step_columns(record), f"steps_table{i}", "Loss per step")
