"""Choosing data: a built-in corpus, a file with its guess shown and correctable, a public data set.

Every choice is kept in the session, so that a mistake in one loses nothing of the others. Files of
an upload are stored in the data folder, where the training process reads them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import streamlit as st

from advlab.data import check_sources, fitted, load_data
from advlab.data.corpora import CORPORA
from advlab.data.files import Guess
from advlab.data.splits import worth
from advlab.errors import DataError
from advlab.language import N_, _, language, listing
from advlab.records import Dataset
from advlab.runs.config import DataConfig
from advlab.runs.limits import limits
from advlab.ui import KEEP, plain_text
from advlab.ui.forms import form_for
from advlab.ui.train.file import choose_file, choose_path, second_file

KINDS = {"corpus": N_("Built-in corpus"), "file": N_("Your file"), "hub": N_("Public data set")}
# task -> what a row of a file is
ROWS = {
    "classification": N_("a text and its class"),
    "qa": N_("a text, a question and its answer (SQuAD's JSON, or a table)"),
    "translation": N_("a text and its translation"),
    "dialogue": N_("a dialogue, turn by turn (JSON Lines)"),
}
SHOWN = 6  # sample texts
MOST_NOTES = 8
MOST_KEPT = 6  # data sets
STOPPED = "data.stopped"  # the data whose reading was stopped last


def choose_data() -> DataConfig | None:
    """The data that a run is to use, checked; None while it is not usable, with the reason."""
    kinds = [kind for kind in KINDS if kind != "hub" or limits() is None]
    kind = st.segmented_control(
        _("Where the texts come from"),
        kinds,
        default="corpus",
        required=True,
        format_func=lambda kind: _(KINDS[kind]),
        key="data.kind",
        **KEEP,
    )
    kind = kind if kind in kinds else "corpus"
    chosen = {"corpus": _corpus, "file": _file, "hub": _hub}[kind]()
    if chosen is None:
        return None
    with st.expander(_("How much of it"), icon=":material/content_cut:"):
        rest = {f.name for f in dataclasses.fields(DataConfig)} - {"limit", "seed"}
        cut = form_for(DataConfig, "data.cut", exclude=rest)
    if cut is None:
        return None
    return dataclasses.replace(chosen, limit=cut.limit, seed=cut.seed)


@st.cache_resource
def _kept() -> dict[tuple[DataConfig, float, str], Dataset]:
    """The data sets read last, for everyone; with them, the time of their files' change."""
    return {}


def read(config: DataConfig, stamp: float = 0.0) -> Dataset | None:
    """The data set, read once; `stamp`: the file's time of change. DataError says what is wrong.

    A large file shows how far it is read, and a button to stop it; None after that.
    """
    check_sources(config)  # before the cache, which all visitors share
    kept, key = _kept(), (config, stamp)
    said = (*key, language())  # its notes are sentences
    if said in kept:
        return kept[said]
    if st.session_state.get(STOPPED) == key:
        st.info(_("Reading was stopped."), icon=":material/pan_tool:")
        st.button(
            _("Read it after all"), key="data.again", on_click=st.session_state.pop, args=(STOPPED,)
        )
        return None
    place = st.empty()
    bars: list[Any] = []

    def progress(share: float) -> None:
        if not bars and share < 1:
            with place.container():
                bars.append(st.progress(share))
                st.button(_("Cancel"), key="data.cancel", on_click=_stop, args=(key,))
        if bars:  # a click anywhere ends the script here
            bars[0].progress(share, _("Reading the data: {share:.0%}", share=share))

    with st.spinner(_("Reading the data…")):
        try:
            data = load_data(config, progress)
        except DataError:
            place.empty()
            raise
    place.empty()
    kept[said] = data
    for old in list(kept)[:-MOST_KEPT]:
        kept.pop(old, None)
    return data


def _stop(key: tuple[DataConfig, float]) -> None:
    st.session_state[STOPPED] = key


def stamp_of(config: DataConfig) -> float:
    """Newest change of the files that a config names; 0 where it names none."""
    times = [0.0]
    for source in (config.source, config.eval_source):
        try:
            times.append(Path(source).expanduser().stat().st_mtime if source else 0.0)
        except OSError:
            continue
    return max(times)


def usable(config: DataConfig, guessed: Guess | None = None) -> bool:
    """Counts, balance and samples of the data; False with the reason where it cannot be used.

    `guessed`: how the file is read, where that and its first rows stand on the page already.
    """
    try:
        data = read(config, stamp_of(config))
    except DataError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
        return False
    if data is None:
        return False
    counts = (len(data.train), len(data.validation), len(data.test))
    about = _("most frequent answer: {majority:.1%} of the test texts", majority=data.majority)
    if data.head:
        classes = listing(data.head[:12]) + (" …" if len(data.head) > 12 else "")
        about = _(
            "{n_head} classes: {classes} · most frequent class: {majority:.0%} of the test texts",
            n_head=len(data.head),
            classes=classes,
            majority=data.majority,
        )
    st.caption(
        plain_text(
            _(
                "{train:,} texts to train on, {validation:,} to validate, {test:,} to "
                "test · {about}",
                train=counts[0],
                validation=counts[1],
                test=counts[2],
                about=about,
            )
        )
    )
    little = worth(data)
    if little:
        st.warning(plain_text(little), icon=":material/warning:")
    told = {little, guessed.summary if guessed else None}
    for note in [n for n in data.notes if n not in told][:MOST_NOTES]:
        st.caption(f":material/info: {plain_text(note, 400)}")
    if guessed is not None:
        return True
    sample = data.train[:SHOWN]
    st.dataframe(
        {_("text"): [e.text for e in sample]}
        | ({_("beside it"): [e.beside for e in sample]} if any(e.beside for e in sample) else {})
        | {_("class") if data.head else _("answer"): [e.answer or "" for e in sample]},
        hide_index=True,
        height="content",
        placeholder="–",
        alt=_("The first training texts with their answers"),
        column_config={_("text"): st.column_config.TextColumn(width="large")},
    )
    return True


def _corpus() -> DataConfig | None:
    name = st.selectbox(
        _("Corpus"),
        list(CORPORA),
        format_func=lambda n: _(CORPORA[n].title),
        key="data.corpus",
        **KEEP,
    )
    st.markdown(plain_text(_(CORPORA[name].about)))
    config = fitted(DataConfig(name))
    return config if usable(config) else None


def _hub() -> DataConfig | None:
    left, right = st.columns(2)
    name = left.text_input(
        _("Name on the Hugging Face hub"), placeholder="stanfordnlp/sst2", key="data.hub", **KEEP
    )
    part = right.text_input(
        _("Configuration"),
        placeholder=_("empty"),
        key="data.hub.config",
        **KEEP,
        help=_("Where the data set has several, such as sst2 of glue"),
    )
    text = left.text_input(_("Text column"), placeholder=_("guessed"), key="data.hub.text", **KEEP)
    label = right.text_input(
        _("Label column"), placeholder=_("guessed"), key="data.hub.label", **KEEP
    )
    if not (name or "").strip():
        st.caption(
            _("Give a name. A set that is not on this computer yet is fetched from the hub.")
        )
        return None
    config = DataConfig(
        f"hub:{(name or '').strip().removeprefix('hub:')}",
        text_column=text or None,
        label_column=label or None,
        hub_config=part or None,
    )
    shown: set[DataConfig] = st.session_state.setdefault("data.looked", set())
    if st.button(_("Look at it"), icon=":material/visibility:", key="data.look"):
        shown.add(config)
    return config if config in shown and usable(config) else None


def _file() -> DataConfig | None:
    task = st.selectbox(
        _("Each row is"),
        list(ROWS),
        format_func=lambda task: _(ROWS[task]),
        key="data.task",
        **KEEP,
    )
    if task == "classification":
        chosen = choose_file(ROWS[task])
        return chosen[0] if chosen and usable(*chosen) else None
    path = choose_path(ROWS[task])
    if not path:
        return None
    config = DataConfig(path, task=task, eval_source=second_file())
    return config if usable(config) else None
