"""Choosing a sentence from a data set: browse, filter by words and class, take one row."""

from __future__ import annotations

import json
from collections.abc import Callable

import streamlit as st

from advlab.config import DataConfig
from advlab.errors import AdvlabError
from advlab.records import Dataset, Example
from advlab.runs import RUN_ID, RunFolder
from advlab.settings import build, plain
from advlab.ui import plain_text

# sentences that show something, with what to look for
PRESETS = {
    "The soup was hot, but I would never eat there again.": "which half of a contrast decides",
    "The staff were not unkind.": "a double negation",
    "I was never bored.": "one word turns the meaning: does the model look at it?",
    "The plot was slow, but I would see it again.": "praise after blame",
    "Fine.": "one word: all of δ has to go there",
    "The room was small and the bed was hard and the street was loud and I loved every minute of it.":
        "a long way to the word that counts",
    "The film starts at eight.": "no opinion at all: is the model sure all the same?",
    "An exquisite, sublime, ineffable soufflé.": "rare words, split into pieces",
    "Great, another hour in the queue.": "irony",
    "Congratulations, you have won a prize. Call now to claim it.": "a spam filter's daily bread",
}  # fmt: skip
SHOWN = 300  # rows; a filter narrows further


def pick_example(model: str, use: Callable[[Example, tuple[str, ...]], None], *, key: str) -> None:
    """A folded table of test texts; choosing a row calls `use(example, label_names)`."""
    fold = st.expander(
        "Choose an example", icon=":material/list:", key=f"{key}.open", on_change="rerun"
    )
    if not fold.open:  # nothing is read from disk for a folded table
        return
    with fold:
        preset = st.selectbox(
            "A sentence that shows something", list(PRESETS), index=None, key=f"{key}.preset",
            format_func=lambda text: f"{text} ({PRESETS[text]})", placeholder="choose one …",
            on_change=lambda: _preset(f"{key}.preset", use),
        )  # fmt: skip
        if preset:
            st.caption(f"To look for: {PRESETS[preset]}.")
        sources = sources_for(model)
        left, middle, right = st.columns([2, 2, 1])
        title = left.selectbox("Data", list(sources), key=f"{key}.data")
        words = middle.text_input("Contains", key=f"{key}.words", placeholder="not, but, never …")
        try:
            data = dataset_of(json.dumps(plain(sources[title])))
        except AdvlabError as error:
            st.error(plain_text(str(error)))
            return
        names = data.label_names
        wanted = right.selectbox("Class", ["any", *names], key=f"{key}.class")
        found = [
            e
            for e in data.test
            if words.casefold() in e.text.casefold()
            and (wanted == "any" or (e.label is not None and names[e.label] == wanted))
        ]
        rows = found[:SHOWN]
        table = f"{key}.table.{title}.{wanted}.{words}"

        def chosen() -> None:
            picked = st.session_state[table]["selection"]["rows"]
            if picked and picked[0] < len(rows):
                use(rows[picked[0]], names)

        st.caption(
            f"{len(found)} of {len(data.test)} test texts"
            + (f", the first {SHOWN} shown" if len(found) > SHOWN else "")
            + ". Tick a row to take it."
        )
        st.dataframe(
            {
                "text": [e.text for e in rows],
                "class": ["" if e.label is None else names[e.label] for e in rows],
            },
            key=table, on_select=chosen, selection_mode="single-row", hide_index=True, height=260,
            column_config={"text": st.column_config.TextColumn(width="large")},
            alt="Test texts with their classes",
        )  # fmt: skip


def _preset(key: str, use: Callable[[Example, tuple[str, ...]], None]) -> None:
    if text := st.session_state.get(key):
        use(Example("preset", text), ())


def sources_for(model: str) -> dict[str, DataConfig]:
    """Title -> data: first what model A was trained on, then the built-in corpora."""
    from advlab.data.corpora import CORPORA

    sources: dict[str, DataConfig] = {}
    if RUN_ID.fullmatch(model):
        try:
            data = RunFolder.at(model).config().data
            if data.source not in CORPORA:
                sources["data of model A"] = data
            else:
                sources[CORPORA[data.source].title] = data
        except AdvlabError:
            pass  # the corpora remain
    for name, corpus in CORPORA.items():
        sources.setdefault(corpus.title, DataConfig(source=name))
    return sources


@st.cache_resource(max_entries=4, ttl="1h", show_spinner="Reading the data …")
def dataset_of(config: str) -> Dataset:
    """A data set by its settings as JSON; DataError as `load_data` raises it."""
    from advlab.data import load_data

    return load_data(build(DataConfig, json.loads(config)))
