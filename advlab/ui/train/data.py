"""Choosing data: a built-in corpus, a file with its guess shown and correctable, a public data set.

Every choice is kept in the session, so that a mistake in one loses nothing of the others. Files of
an upload are stored in the data folder, where the training process reads them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import streamlit as st

from advlab.data import load_data
from advlab.data.corpora import CORPORA
from advlab.data.decoding import OLDER
from advlab.data.files import DELIMITERS, Guess, guess, save_upload
from advlab.data.pairs import find_pair, refusal
from advlab.data.splits import worth
from advlab.errors import DataError, EncodingError
from advlab.records import Dataset
from advlab.runs.config import DataConfig
from advlab.ui import KEEP, plain_text
from advlab.ui.forms import form_for

KINDS = {"corpus": "Built-in corpus", "file": "Your file", "hub": "Public data set"}
ENCODINGS = ("utf-8", "utf-16", "utf-32", "latin-1", *OLDER)
SUFFIXES = ("csv", "tsv", "txt", "jsonl", "ndjson", "json", "gz", "parquet", "xlsx")
SHOWN = 6  # sample texts
MOST_NOTES = 8
MOST_KEPT = 6  # data sets
STOPPED = "data.stopped"  # the data whose reading was stopped last


def choose_data() -> DataConfig | None:
    """The data that a run is to use, checked; None while it is not usable, with the reason."""
    kind = st.segmented_control(
        "Where the texts come from",
        list(KINDS),
        default="corpus",
        required=True,
        format_func=KINDS.__getitem__,
        key="data.kind",
        **KEEP,
    )
    chosen = {"corpus": _corpus, "file": _file, "hub": _hub}[kind or "corpus"]()
    if chosen is None:
        return None
    with st.expander("How much of it", icon=":material/content_cut:"):
        rest = {f.name for f in dataclasses.fields(DataConfig)} - {"limit", "seed"}
        cut = form_for(DataConfig, "data.cut", exclude=rest)
    if cut is None:
        return None
    return dataclasses.replace(chosen, limit=cut.limit, seed=cut.seed)


@st.cache_resource
def _kept() -> dict[tuple[DataConfig, float], Dataset]:
    """The data sets read last, for everyone; with them, the time of their files' change."""
    return {}


def read(config: DataConfig, stamp: float = 0.0) -> Dataset | None:
    """The data set, read once; `stamp`: the file's time of change. DataError says what is wrong.

    A large file shows how far it is read, and a button to stop it; None after that.
    """
    kept, key = _kept(), (config, stamp)
    if key in kept:
        return kept[key]
    if st.session_state.get(STOPPED) == key:
        st.info("Reading was stopped.", icon=":material/pan_tool:")
        st.button(
            "Read it after all", key="data.again", on_click=st.session_state.pop, args=(STOPPED,)
        )
        return None
    place = st.empty()
    bars: list[Any] = []

    def progress(share: float) -> None:
        if not bars and share < 1:
            with place.container():
                bars.append(st.progress(share))
                st.button("Cancel", key="data.cancel", on_click=_stop, args=(key,))
        if bars:  # a click anywhere ends the script here
            bars[0].progress(share, f"Reading the data: {share:.0%}")

    with st.spinner("Reading the data…"):
        try:
            data = load_data(config, progress)
        except DataError:
            place.empty()
            raise
    place.empty()
    kept[key] = data
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
    classes = ", ".join(data.head[:12]) + (" …" if len(data.head) > 12 else "")
    st.caption(
        plain_text(
            f"{counts[0]:,} texts to train on, {counts[1]:,} to validate, {counts[2]:,} to test · "
            f"{len(data.head)} classes: {classes} · most frequent class: "
            f"{data.majority:.0%} of the test texts"
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
        {"text": [e.text for e in sample], "class": [e.answer or "" for e in sample]},
        hide_index=True,
        height="content",
        alt="The first training texts with their classes",
        column_config={"text": st.column_config.TextColumn(width="large")},
    )
    return True


def _corpus() -> DataConfig | None:
    name = st.selectbox(
        "Corpus", list(CORPORA), format_func=lambda n: CORPORA[n].title, key="data.corpus", **KEEP
    )
    st.markdown(plain_text(CORPORA[name].about))
    config = DataConfig(name)
    return config if usable(config) else None


def _hub() -> DataConfig | None:
    left, right = st.columns(2)
    name = left.text_input(
        "Name on the Hugging Face hub", placeholder="stanfordnlp/sst2", key="data.hub", **KEEP
    )
    part = right.text_input(
        "Configuration",
        placeholder="empty",
        key="data.hub.config",
        **KEEP,
        help="Where the data set has several, such as sst2 of glue",
    )
    text = left.text_input("Text column", placeholder="guessed", key="data.hub.text", **KEEP)
    label = right.text_input("Label column", placeholder="guessed", key="data.hub.label", **KEEP)
    if not (name or "").strip():
        st.caption("Give a name. A set that is not on this computer yet is fetched from the hub.")
        return None
    config = DataConfig(
        f"hub:{(name or '').strip().removeprefix('hub:')}",
        text_column=text or None,
        label_column=label or None,
        hub_config=part or None,
    )
    shown: set[DataConfig] = st.session_state.setdefault("data.looked", set())
    if st.button("Look at it", icon=":material/visibility:", key="data.look"):
        shown.add(config)
    return config if config in shown and usable(config) else None


def _keep_path() -> None:
    st.session_state["data.chosen"] = st.session_state["data.path"]


def _file() -> DataConfig | None:
    left, right = st.columns([3, 2])
    with left:
        dropped = st.file_uploader(
            "CSV, TSV, JSONL, Excel or Parquet, dropped here or chosen",
            type=list(SUFFIXES),
            key="data.upload",
            help="A text and a class in each row. The file stays on this computer.",
        )
    # a visit to another page empties the uploader, not the choice
    if dropped is not None and st.session_state.get("data.upload.seen") != dropped.file_id:
        st.session_state["data.upload.seen"] = dropped.file_id
        st.session_state["data.chosen"] = str(save_upload(dropped.getvalue(), dropped.name))
    # the choice is not left to the widget alone: two quick clicks elsewhere can empty it
    st.session_state["data.path"] = st.session_state.setdefault("data.chosen", "")
    with right:
        path = (
            st.text_input(
                "Or its path",
                key="data.path",
                placeholder="/home/you/reviews.csv",
                on_change=_keep_path,
            )
            or ""
        ).strip()
    if not path:
        st.caption("A file with a text and a class in each row; what it looks like is guessed.")
        return None
    source = Path(path).expanduser()
    try:
        first = _first_guess(source)
        if first is None:
            return None
        config = _corrected(source, first)
        guessed = guess(source, source.name, **_given(config))
    except DataError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
        return None
    _preview(guessed)
    config = _columns(config, guessed)
    with st.expander("A second file to test on", icon=":material/fact_check:"):
        extra = st.text_input(
            "Path of the test file",
            key="data.eval",
            placeholder="empty: a part is held out",
            help="Read in the same way as the first.",
            **KEEP,
        )
        test = st.file_uploader("Or drop it here", type=list(SUFFIXES), key="data.eval.upload")
        if test is not None:
            extra = str(save_upload(test.getvalue(), test.name))
            st.caption(f"Testing on {plain_text(test.name)}")
    config = dataclasses.replace(config, eval_source=(extra or "").strip() or None)
    if config.text_column is None or config.label_column is None:
        pair = find_pair(guessed.columns) if config.text_column is None else None
        st.warning(
            f"{plain_text(refusal(pair, guessed.name))}."
            if pair
            else "Choose the column with the text and the column with the class."
        )
        return None
    return config if usable(config, guessed) else None


def _first_guess(source: Path) -> Guess | None:
    """How the file is written; None, and a box to choose from, where its encoding is not sure."""
    key = f"data.read.{source}.encoding"
    chosen = st.session_state.get(key)
    try:
        return guess(source, source.name)
    except EncodingError as error:
        if not chosen:
            st.error(plain_text(str(error)), icon=":material/error:")
            _correct("Encoding", list(ENCODINGS), "not sure", key)
            return None
    return guess(source, source.name, encoding=chosen)


def _given(config: DataConfig) -> dict[str, Any]:
    names = ("encoding", "delimiter", "quoting", "header")
    return {name: getattr(config, name) for name in names}


def _corrected(source: Path, first: Guess) -> DataConfig:
    """How the file is read: the guess, and what a person put in its place."""
    key = f"data.read.{source}"
    names = {True: "names the columns", False: "is data"}
    if first.format == "xlsx":
        header = _correct("First row", list(names), first.header, f"{key}.header", names)
        return DataConfig(str(source), header=header)
    if first.format == "parquet":  # it says all by itself
        return DataConfig(str(source))
    if first.delimiter is None:  # JSON has no delimiter, quoting or header
        encoding = _correct("Encoding", list(ENCODINGS), first.encoding, f"{key}.encoding")
        return DataConfig(str(source), encoding=encoding)
    one, two, three, four = st.columns(4)
    with one:
        signs = list(DELIMITERS)
        delimiter = _correct(
            "Between columns", signs, first.delimiter, f"{key}.delimiter", DELIMITERS
        )
    with two:
        encoding = _correct("Encoding", list(ENCODINGS), first.encoding, f"{key}.encoding")
    with three:
        quotes = {True: "enclose cells", False: "ordinary characters"}
        quoting = _correct("Double quotes", list(quotes), first.quoting, f"{key}.quoting", quotes)
    with four:
        header = _correct("First row", list(names), first.header, f"{key}.header", names)
    return DataConfig(
        str(source), encoding=encoding, delimiter=delimiter, quoting=quoting, header=header
    )


def _correct(
    label: str, options: list[Any], found: Any, key: str, names: dict[Any, str] | None = None
) -> Any:
    """A select box whose first entry is the guess; the value chosen instead of it, or None."""
    said = (names or {}).get(found, str(found))
    return st.selectbox(
        label,
        [None, *options],
        key=key,
        **KEEP,
        format_func=lambda o: f"{said} (guessed)" if o is None else (names or {}).get(o, str(o)),
    )


def _preview(guessed: Guess) -> None:
    rows = "an unknown number of" if guessed.rows is None else f"{guessed.rows:,}"
    about = "" if guessed.rows_exact else "about "
    st.caption(plain_text(f"{guessed.summary} It has {about}{rows} rows; the first ones:"))
    roles = {guessed.text_column: " (text)", guessed.label_column: " (class)"}
    st.dataframe(
        {
            f"{column}{roles.get(column, '')}": [row[i] for row in guessed.preview]
            for i, column in enumerate(guessed.columns)
        },
        hide_index=True,
        height="content",
        alt="The first rows of the file as they are read",
    )


def _columns(config: DataConfig, guessed: Guess) -> DataConfig:
    """The two columns, the guess chosen at first."""
    columns = list(guessed.columns)
    key = f"data.columns.{config.source}.{'|'.join(columns)}"[:300]
    left, right = st.columns(2)
    chosen = []
    for place, label, name in (
        (left, "Column with the text", guessed.text_column),
        (right, "Column with the class", guessed.label_column),
    ):
        index = columns.index(name) if name in columns else None
        chosen.append(place.selectbox(label, columns, index=index, key=f"{key}.{label}", **KEEP))
    return dataclasses.replace(config, text_column=chosen[0], label_column=chosen[1])
