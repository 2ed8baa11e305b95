"""What the perturbed vectors are nearest to, and what they read as."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab import tables
from advlab.ui.looks import Look
from advlab.ui.round_trip import said
from advlab.ui.views.parts import beside, section, table

METRICS = {
    "l2": "L2: the distance in which δ is measured",
    "cosine": "Cosine: the angle alone, blind to length",
    "dot": "Dot product: favours long vectors; not a distance",
}


def projection(looks: Sequence[Look]) -> None:
    """Draw this view."""
    with section(
        "What the perturbed vectors are nearest to",
        "Own rank 1 means that the token is still nearest to its own vector, so it reads as before."
        " The margin is the gap between the nearest and the second nearest.",
    ):
        metric = st.segmented_control(
            "Metric", list(METRICS), default="l2", required=True, key="metric",
            format_func={"l2": "L2", "cosine": "cosine", "dot": "dot"}.__getitem__,
        ) or "l2"  # fmt: skip
        st.caption(METRICS[metric])
        for i, look in beside(looks):
            record = look.record
            found = record.neighbours.get(metric)
            if found is None:
                said("Not computed for this metric.")
                continue
            moved = int(((found.own_rank > 1) & record.perturbable).sum())
            said(
                f"{moved} of {int(record.perturbable.sum())} tokens are nearest to another one."
                f" {found.excluded} special and unused vocabulary rows are left out; a token's own"
                " row always takes part. Exit radius: how long δ must be, in its direction, for"
                " another token to be nearer (L2); empty where none lies that way."
            )
            table(
                tables.neighbour_columns(record, metric), f"nearest_table{i}", "Nearest tokens"
            )  # fmt: skip
