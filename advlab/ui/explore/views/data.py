"""Settings, downloads, and the sentence as a capsule."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from advlab.attacks import ATTACKS
from advlab.capsule.forecast import HIGHEST, Forecast
from advlab.capsule.format import load, save
from advlab.capsule.page import page
from advlab.capsule.worth import Passport, passports
from advlab.errors import AdvlabError
from advlab.language import N_, _, listing
from advlab.pictures import (
    answers,
    attack,
    attributions,
    dimensions,
    landscape,
    next_look,
    next_word,
    openings,
    sentences,
    surface,
    tables,
)
from advlab.pictures.page import Section, frame
from advlab.pictures.style import FONTS
from advlab.pictures.text import shield_sentence
from advlab.records import AttackRecord, Saliency
from advlab.ui.explore.results import Result, analysed
from advlab.ui.models import load_victim
from advlab.ui.parts import FORMATS, beside, pointed, said, section, table

PLANES = 6  # tokens whose plane the JSON holds
Methods = tuple[tuple[str, ...], dict[str, Any]]  # of attribution: names, and their options


def data(results: Sequence[Result]) -> None:
    """Draw this view."""
    methods = _methods()
    for __, result in beside(results):
        record = result.record
        said(openings.data(record, ATTACKS[str(record.attack["name"])].title), large=True)
        said(shield_sentence(record.text, record.shield))
    pointed(next_look.after_data([result.record for result in results]))
    with section(
        _("Settings and downloads"),
        _(
            "Everything needed to repeat this: model, text, attack, seed. JSON holds "
            "every number of the attack, the attributions with what they are worth, "
            "and the planes of the six tokens with the longest δ."
        ),
    ):
        _records(results, methods)
    with section(
        _("Keep it as a capsule"),
        _(
            "One file with text, settings, the hashes of weights and tokenizer, δ, the "
            "search step by step and what the attributions are worth. Another machine "
            "that has the model can open it and compute the attack again; the page "
            "needs no network to be read."
        ),
        "capsule",
    ):
        _capsules(results, methods)
        st.caption(
            _("Open one on the page *Open a capsule*, or with `advlab capsule verify FILE`.")
        )
    with section(
        _("Figures and tables"),
        _(
            "Each table has a download button at its top right, each chart a camera, "
            "and what a slider moves *Save as SVG*. The main charts, the curve over ε "
            "among them, in one web page, which needs no network:"
        ),
    ):
        st.segmented_control(
            _("The camera saves"),
            list(FORMATS),
            default="png",
            required=True,
            key="image_format",
            persist_state="session",  # the charts are on the other tabs
            format_func=FORMATS.__getitem__,
        )
        for i, result in beside(results):
            st.download_button(
                _("Charts (HTML)"),
                lambda result=result: _charts(result),
                f"advlab-{result.record.model_hash[:12]}-charts.html",
                "text/html",
                key=f"charts{i}",
                on_click="ignore",
            )


def _records(results: Sequence[Result], methods: Methods) -> None:
    """The settings of each model's attack, and its numbers as files."""
    for i, result in beside(results):
        record = result.record
        settings = _settings(record)
        table(
            {_("setting"): list(settings), _("value"): list(settings.values())},
            f"settings{i}",
            _("Settings of this attack"),
        )
        name = f"advlab-{record.model_hash[:12]}"
        with st.container(horizontal=True):
            st.download_button(
                _("Record (JSON)"),
                lambda result=result: _json(result, methods),
                f"{name}.json",
                "application/json",
                key=f"json{i}",
                on_click="ignore",
            )
            for title, columns in (
                (N_("Tokens"), tables.token_columns),
                (N_("Steps"), tables.step_columns),
                (N_("ε curve"), tables.curve_columns),
            ):
                st.download_button(
                    f"{_(title)} (CSV)",
                    tables.to_csv(columns(record)),
                    f"{name}-{title}.csv",
                    "text/csv",
                    key=f"csv{i}{title}",
                    on_click="ignore",
                )


def _settings(record: AttackRecord) -> dict[str, str]:
    """Setting -> value of an attack, as people read it."""
    return {
        _("text"): record.text,
        **({_("beside it"): record.beside} if record.beside else {}),
        _("answer attacked"): record.reference
        if record.given
        else _("its own: {reference}", reference=record.reference),
        _("shielded"): listing(record.text[a:b] for a, b in record.shield) or _("none"),
        _("model"): record.model,
        _("weights"): record.model_hash,
        _("seed"): str(record.seed),
        "ε": sentences.units(record.eps, record.scale),
        _("seconds"): sentences.number(record.seconds),
        **{k: str(v) for k, v in record.attack.items()},
    }


def _capsules(results: Sequence[Result], methods: Methods) -> None:
    """The forecast, then the capsule of each model as JSON and as a page."""
    for i, result in beside(results):
        foretold = _forecast(result)
        with st.container(horizontal=True):
            for title, ending, kind, make in (
                (_("Capsule (JSON)"), "capsule.json", "application/json", _capsule),
                (_("Page (HTML)"), "html", "text/html", _page),
            ):
                st.download_button(
                    title,
                    lambda result=result, make=make, foretold=foretold: make(
                        result, methods, foretold
                    ),
                    f"advlab-{result.record.model_hash[:12]}.{ending}",
                    kind,
                    key=f"capsule{i}{ending}",
                    on_click="ignore",
                )


def _methods() -> Methods:
    """The methods and options of the Saliency view, read now: a download is made outside the page."""
    from advlab.explain.saliency import DEFAULTS, METHODS

    state = st.session_state
    chosen = tuple(m for m in state.get("saliency.methods") or () if m in METHODS)
    options = {
        name: state[key]
        for name, key in (
            ("target", "saliency.target"),
            ("of", "saliency.of"),
            ("against", "saliency.against"),
            ("baseline", "saliency.baseline"),
        )
        if state.get(key, "") != ""
    }
    return chosen or (*DEFAULTS, "smooth_grad"), options


def _explained(result: Result, methods: Methods) -> tuple[list[Saliency], list[Passport]]:
    """The attributions wanted, and what each is worth; other options where those do not fit."""
    names, options = methods
    try:
        truth = analysed(
            result,
            "saliency",
            method="leave_one_out",
            **{k: v for k, v in options.items() if k != "baseline"},
        )
        maps = [analysed(result, "saliency", method=m, **options) for m in names]
    except AdvlabError:  # options of another model: a class or a baseline that this one lacks
        if not options:
            return [], []
        return _explained(result, (names, {}))
    return maps, passports(maps, truth)


def _forecast(result: Result) -> Forecast | None:
    """What the user thought would happen, kept with this very sentence, model and attack."""
    key = f"forecast.{hashlib.sha256(result.key.encode('utf-8', 'replace')).hexdigest()[:12]}"
    thought = (
        st.segmented_control(
            _("Your forecast, made before you looked"),
            [N_("none"), N_("flips"), N_("holds")],
            default="none",
            format_func=_,
            required=True,
            key=key,
            persist_state="session",
            help=_(
                "Goes into the capsule, and is compared with what came out wherever it is opened."
            ),
        )
        or "none"
    )
    if thought != "flips":
        return None if thought == "none" else Forecast(False)
    eps = st.number_input(
        _("At which ε, × mean norm"),
        min_value=0.0,
        max_value=HIGHEST,
        value=None,
        step=0.05,
        format="%g",
        placeholder=_("no number"),
        key=f"{key}.eps",
        persist_state="session",
    )
    return Forecast(True, eps)


def _json(result: Result, methods: Methods) -> str:
    """The record with everything that stands in its views' tables."""
    maps, worth = _explained(result, methods)
    record = result.record
    longest = np.flatnonzero(record.delta_norm > 0)
    longest = longest[(-record.delta_norm[longest]).argsort(kind="stable")[:PLANES]]
    return tables.to_json(
        record,
        saliency={m.method: m for m in maps},
        planes=[analysed(result, "plane", token=int(t)) for t in np.sort(longest)],
        explanations=worth,
    )


def _capsule(result: Result, methods: Methods, foretold: Forecast | None) -> str:
    return save(
        result.record,
        load_victim(result.model).tokenizer_hash,
        explanations=_explained(result, methods)[1],
        foretold=foretold,
    )


def _page(result: Result, methods: Methods, foretold: Forecast | None) -> str:
    source = _capsule(result, methods, foretold)
    return page(load(source.encode("utf-8", "replace")), source)


def _charts(result: Result) -> str:
    """The main charts of a record as one page with Plotly in it."""
    sections = [
        Section(
            title,
            plot=figure.update_layout(font_family=FONTS).to_html(
                full_html=False, include_plotlyjs=k == 0, config={"displaylogo": False}
            ),
        )
        for k, (title, figure) in enumerate(_figures(result))
    ]
    return frame("advlab", result.record.text, sections, lead=result.record.model)


def _figures(result: Result) -> list[tuple[str, go.Figure]]:
    """The charts with their titles."""
    record = result.record
    maps = [
        analysed(result, "saliency", method=m)
        for m in ("saliency", "input_x_gradient", "integrated_gradients")
    ]
    figures = [
        (sentences.headline(record), answers.predictions(record)),
        (
            _("Probability against ε"),
            attack.curve(
                record.curve.eps,
                record.curve.attacked.score,
                record.curve.low,
                record.curve.high,
                own=record.eps,
                norm=record.scale.mean_norm,
                reference=record.reference,
            ),
        ),
        (
            _("Where δ sits"),
            attack.bars(
                record.tokens, record.delta_norm / record.scale.mean_norm, record.perturbable
            ),
        ),
        (_("δ by dimension"), dimensions.delta(record)),
        (
            _("Where the model looks"),
            attributions.attributions(maps, record.words, attributions.limits([maps])),
        ),
    ]
    if (record.delta_norm > 0).any():
        figures += [
            (_("Way to the next word"), next_word.ways_out(record, analysed(result, "exits"))),
            (_("Loss around the sentence"), surface.surface(analysed(result, "surface"))),
            (_("Loss by length"), landscape.lines([record], [analysed(result, "line")])),
        ]
    return figures
