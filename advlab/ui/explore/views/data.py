"""Settings, downloads, and the sentence as a capsule."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import streamlit as st

from advlab.capsule.forecast import HIGHEST, Forecast
from advlab.capsule.format import load, save
from advlab.capsule.page import page
from advlab.capsule.worth import Passport, passports
from advlab.errors import AdvlabError
from advlab.pictures import (
    attack,
    attributions,
    base,
    landscape,
    next_word,
    sentences,
    surface,
    tables,
)
from advlab.pictures.page import Section, frame
from advlab.records import Saliency
from advlab.ui.explore.results import Look, analysed
from advlab.ui.models import load_victim
from advlab.ui.parts import FORMATS, beside, section, table

PLANES = 6  # tokens whose plane the JSON holds
Asked = tuple[tuple[str, ...], dict[str, str]]  # methods, and their options


def data(looks: Sequence[Look]) -> None:
    """Draw this view."""
    asked = _asked()
    with section(
        "Settings and downloads",
        "Everything needed to repeat this: model, text, attack, seed. JSON holds every number of the"
        " attack, the attributions with what they are worth, and the planes of the six tokens with"
        " the longest δ.",
    ):
        for i, look in beside(looks):
            record = look.record
            table(
                {
                    "setting": ["text", "model", "weights", "seed", "ε", "seconds", *record.attack],
                    "value": [
                        record.text,
                        record.model,
                        record.model_hash,
                        str(record.seed),
                        sentences.units(record.eps, record.scale),
                        sentences.number(record.seconds),
                        *(str(v) for v in record.attack.values()),
                    ],
                },
                f"settings{i}",
                "Settings of this attack",
            )
            name = f"advlab-{record.model_hash[:12]}"
            with st.container(horizontal=True):
                st.download_button(
                    "Record (JSON)",
                    lambda look=look: _json(look, asked),
                    f"{name}.json",
                    "application/json",
                    key=f"json{i}",
                    on_click="ignore",
                )
                for title, columns in (
                    ("Tokens", tables.token_columns),
                    ("Steps", tables.step_columns),
                    ("ε curve", tables.curve_columns),
                ):
                    st.download_button(
                        f"{title} (CSV)",
                        tables.to_csv(columns(record)),
                        f"{name}-{title}.csv",
                        "text/csv",
                        key=f"csv{i}{title}",
                        on_click="ignore",
                    )
    with section(
        "Keep it as a capsule",
        "One file with text, settings, the hashes of weights and tokenizer, δ, the search step by"
        " step and what the attributions are worth. Another machine that has the model can open it"
        " and compute the attack again; the page needs no network to be read.",
    ):
        for i, look in beside(looks):
            foretold = _forecast(look)
            with st.container(horizontal=True):
                for title, ending, kind, make in (
                    ("Capsule (JSON)", "capsule.json", "application/json", _capsule),
                    ("Page (HTML)", "html", "text/html", _page),
                ):
                    st.download_button(
                        title,
                        lambda look=look, make=make, foretold=foretold: make(look, asked, foretold),
                        f"advlab-{look.record.model_hash[:12]}.{ending}",
                        kind,
                        key=f"capsule{i}{ending}",
                        on_click="ignore",
                    )
        st.caption("Open one on the page *Open a capsule*, or with `advlab capsule verify FILE`.")
    with section(
        "Figures and tables",
        "Each table has a download button at its top right, each chart a camera, and what a slider"
        " moves *Save as SVG*. The main charts, the curve over ε among them, in one web page, which"
        " needs no network:",
    ):
        st.segmented_control(
            "The camera saves",
            list(FORMATS),
            default="png",
            required=True,
            key="image_format",
            persist_state="session",  # the charts are on the other tabs
            format_func=FORMATS.__getitem__,
        )
        for i, look in beside(looks):
            st.download_button(
                "Charts (HTML)",
                lambda look=look: _charts(look),
                f"advlab-{look.record.model_hash[:12]}-charts.html",
                "text/html",
                key=f"charts{i}",
                on_click="ignore",
            )


def _asked() -> Asked:
    """The methods and options of the Saliency view, read now: a download is made outside the page."""
    from advlab.explain.saliency import DEFAULTS, METHODS

    state = st.session_state
    chosen = tuple(m for m in state.get("saliency.methods") or () if m in METHODS)
    options = {
        name: str(state[key])
        for name, key in (
            ("target", "saliency.target"),
            ("of", "saliency.of"),
            ("baseline", "saliency.baseline"),
        )
        if state.get(key)
    }
    return chosen or (*DEFAULTS, "smooth_grad"), options


def _explained(look: Look, asked: Asked) -> tuple[list[Saliency], list[Passport]]:
    """The attributions asked for, and what each is worth; other options where those do not fit."""
    methods, options = asked
    try:
        truth = analysed(
            look,
            "saliency",
            method="leave_one_out",
            **{k: v for k, v in options.items() if k != "baseline"},
        )
        maps = [analysed(look, "saliency", method=m, **options) for m in methods]
    except AdvlabError:  # options of another model: a class or a baseline that this one lacks
        if not options:
            return [], []
        return _explained(look, (methods, {}))
    return maps, passports(maps, truth)


def _forecast(look: Look) -> Forecast | None:
    """What the user thought would happen, kept with this very sentence, model and attack."""
    key = f"forecast.{hashlib.sha256(look.key.encode('utf-8', 'replace')).hexdigest()[:12]}"
    thought = (
        st.segmented_control(
            "Your forecast, made before you looked",
            ["none", "flips", "holds"],
            default="none",
            required=True,
            key=key,
            persist_state="session",
            help="Goes into the capsule, and is compared with what came out wherever it is opened.",
        )
        or "none"
    )
    if thought != "flips":
        return None if thought == "none" else Forecast(False)
    eps = st.number_input(
        "At which ε, × mean norm",
        min_value=0.0,
        max_value=HIGHEST,
        value=None,
        step=0.05,
        format="%g",
        placeholder="no number",
        key=f"{key}.eps",
        persist_state="session",
    )
    return Forecast(True, eps)


def _json(look: Look, asked: Asked) -> str:
    """The record with everything that stands in its views' tables."""
    maps, worth = _explained(look, asked)
    record = look.record
    longest = np.flatnonzero(record.delta_norm > 0)
    longest = longest[(-record.delta_norm[longest]).argsort(kind="stable")[:PLANES]]
    whole = replace(
        record,
        saliency={m.method: m for m in maps},
        planes=tuple(analysed(look, "plane", token=int(t)) for t in np.sort(longest)),
    )
    rest = {"explanations": [asdict(p) for p in worth]}
    return json.dumps(json.loads(tables.to_json(whole)) | rest, ensure_ascii=False, allow_nan=False)


def _capsule(look: Look, asked: Asked, foretold: Forecast | None) -> str:
    return save(
        look.record,
        load_victim(look.model).tokenizer_hash,
        explanations=_explained(look, asked)[1],
        foretold=foretold,
    )


def _page(look: Look, asked: Asked, foretold: Forecast | None) -> str:
    source = _capsule(look, asked, foretold)
    return page(load(source.encode("utf-8", "replace")), source)


def _charts(look: Look) -> str:
    """The main charts of a record as one page with Plotly in it."""
    record = look.record
    maps = [
        analysed(look, "saliency", method=m)
        for m in ("saliency", "input_x_gradient", "integrated_gradients")
    ]
    figures = [
        (sentences.headline(record), base.predictions(record)),
        ("Probability against ε", attack.curve(record)),
        (
            "Where δ sits",
            attack.bars(
                record.tokens, record.delta_norm / record.scale.mean_norm, record.perturbable
            ),
        ),
        ("δ by dimension", attributions.delta(record)),
        (
            "Where the model looks",
            attributions.attributions(maps, record.words, attributions.limits([maps])),
        ),
    ]
    if (record.delta_norm > 0).any():
        figures += [
            ("Way to the next word", next_word.ways_out(record, analysed(look, "exits"))),
            ("Loss around the sentence", surface.surface(analysed(look, "surface"))),
            ("Loss by length", landscape.lines([record], [analysed(look, "line")])),
        ]
    sections = [
        Section(
            title,
            plot=figure.to_html(
                full_html=False, include_plotlyjs=k == 0, config={"displaylogo": False}
            ),
        )
        for k, (title, figure) in enumerate(figures)
    ]
    return frame("advlab", record.text, sections, lead=record.model)
