"""Where the gradient looks: attributions per word, clean beside perturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from advlab import plots, story, tables
from advlab.ui.looks import Look, analysed
from advlab.ui.round_trip import said
from advlab.ui.views.parts import beside, chart, section, table


def saliency(looks: Sequence[Look]) -> None:
    """Draw this view."""
    looks = [
        replace(look, record=replace(look.record, saliency=analysed(look, "saliency")))
        for look in looks
    ]
    records = [look.record for look in looks]
    with section(
        "Where the gradient looks",
        "Blue words speak for the explained class, orange ones against it; saliency (left) has no"
        " sign: it is how sensitive the model is, not what a word contributes.",
    ):
        shared = len(records) > 1 and st.toggle(
            "Same colour scale for both models", value=True, key="shared_scale"
        )
        common = plots.saliency_limits(records)
        for i, look in beside(looks):
            record = look.record
            limits = common if shared else plots.saliency_limits([record])
            said(story.completeness_sentence(record))
            target = next((s.target for s in record.saliency.values()), "the prediction")
            chart(
                plots.saliency(record, limits), f"saliency{i}",
                f"Saliency per word of the {target}, clean and perturbed",
            )  # fmt: skip
            ranges = ", ".join(
                f"{story.METHOD_NAMES.get(m, m)} {'±' if record.saliency[m].signed else 'up to '}"
                f"{story.number(v)}"
                for m, v in limits.items()
                if m in record.saliency
            )
            said(f"Explained: {target}. Colour ranges: {ranges}. Sub-words are added up to words.")
            said(story.remainder_sentence(record))
            with st.expander("Numbers"):
                table(tables.saliency_columns(record), f"saliency_table{i}", "Saliency per word")
