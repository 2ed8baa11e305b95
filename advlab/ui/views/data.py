"""Settings and downloads."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab import story, tables
from advlab.ui.looks import Look
from advlab.ui.views.parts import beside, section, table


def data(looks: Sequence[Look]) -> None:
    """Draw this view."""
    with section(
        "Settings and downloads",
        "Everything needed to repeat this: model, text, attack, seed. JSON holds every number.",
    ):
        for i, look in beside(looks):
            record = look.record
            table(
                {
                    "setting": ["text", "model", "weights", "seed", "ε", "seconds", *record.attack],
                    "value": [
                        record.text, record.model, record.model_hash, str(record.seed),
                        story.units(record.eps, record.scale), story.number(record.seconds),
                        *(str(v) for v in record.attack.values()),
                    ],
                },
                f"settings{i}", "Settings of this attack",
            )  # fmt: skip
            name = f"advlab-{record.model_hash[:12]}"
            with st.container(horizontal=True):
                st.download_button(
                    "Record (JSON)", lambda r=record: tables.to_json(r), f"{name}.json",
                    "application/json", key=f"json{i}", on_click="ignore",
                )  # fmt: skip
                for title, columns in (
                    ("Tokens", tables.token_columns),
                    ("Saliency", tables.saliency_columns),
                    ("ε curve", tables.curve_columns),
                ):
                    st.download_button(
                        f"{title} (CSV)", tables.to_csv(columns(record)), f"{name}-{title}.csv",
                        "text/csv", key=f"csv{i}{title}", on_click="ignore",
                    )  # fmt: skip
