"""Settings, downloads, and the sentence as a capsule."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from advlab import exits, heatmaps, landscapes, plots, story, tables
from advlab.capsule import load, save
from advlab.capsule_page import page
from advlab.ui.looks import Look, analysed
from advlab.ui.state import load_victim
from advlab.ui.views.parts import FORMATS, beside, section, table


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
                    ("Steps", tables.step_columns),
                    ("ε curve", tables.curve_columns),
                ):
                    st.download_button(
                        f"{title} (CSV)", tables.to_csv(columns(record)), f"{name}-{title}.csv",
                        "text/csv", key=f"csv{i}{title}", on_click="ignore",
                    )  # fmt: skip
    with section(
        "Keep it as a capsule",
        "One file with text, settings, weights' hash, path and figures. Another machine that has the"
        " model can open it and check every number; the page needs no network to be read.",
    ):
        for i, look in beside(looks):
            with st.container(horizontal=True):
                for title, ending, kind, make in (
                    ("Capsule (JSON)", "capsule.json", "application/json", _capsule),
                    ("Page (HTML)", "html", "text/html", _page),
                ):
                    st.download_button(
                        title, lambda look=look, make=make: make(look),
                        f"advlab-{look.record.model_hash[:12]}.{ending}", kind,
                        key=f"capsule{i}{ending}", on_click="ignore",
                    )  # fmt: skip
        st.caption("Open one on the page *Open a capsule*, or with `advlab capsule verify FILE`.")
    with section(
        "Figures and tables",
        "Each chart has a camera at its top right, each table a download button. All charts of this"
        " page in one web page, which needs no network:",
    ):
        st.segmented_control(
            "The camera saves", list(FORMATS), default="png", required=True, key="image_format",
            persist_state="session",  # the charts are on the other tabs
            format_func=FORMATS.__getitem__,
        )  # fmt: skip
        for i, look in beside(looks):
            st.download_button(
                "Charts (HTML)", lambda look=look: _charts(look),
                f"advlab-{look.record.model_hash[:12]}-charts.html", "text/html",
                key=f"charts{i}", on_click="ignore",
            )  # fmt: skip


def _capsule(look: Look) -> str:
    return save(look.record, load_victim(look.model).tokenizer_hash)


def _page(look: Look) -> str:
    source = _capsule(look)
    return page(load(source.encode("utf-8", "replace")), source)


def _charts(look: Look) -> str:
    """The main charts of a record as one page with Plotly in it."""
    record = look.record
    maps = [
        analysed(look, "saliency", method=m)
        for m in ("saliency", "input_x_gradient", "integrated_gradients")
    ]
    figures = [
        (story.headline(record), plots.predictions(record)),
        ("δ by dimension", heatmaps.delta(record)),
        (
            "Where the model looks",
            heatmaps.attributions(maps, record.words, heatmaps.limits([maps])),
        ),
    ]
    if (record.delta_norm > 0).any():
        figures += [
            ("Way to the next word", exits.ways_out(record, analysed(look, "exits"))),
            ("Loss around the sentence", landscapes.surface(record, analysed(look, "surface"))),
            ("Loss by length", landscapes.lines([record], [analysed(look, "line")])),
        ]
    parts = [
        f"<h2>{html.escape(title)}</h2>"
        + figure.to_html(full_html=False, include_plotlyjs=k == 0, config={"displaylogo": False})
        for k, (title, figure) in enumerate(figures)
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>advlab</title>'
        "<style>body{font:16px system-ui,sans-serif;max-width:60rem;margin:auto;padding:1rem}"
        f'</style></head><body><h1 dir="auto">{html.escape(record.text)}</h1>'
        f"<p>{html.escape(record.model)}</p>{''.join(parts)}</body></html>"
    )
