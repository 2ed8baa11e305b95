"""Choosing a file of one's own: dropped or by path, its guess shown with a preview and correctable."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from advlab.data.decoding import OLDER
from advlab.data.files import DELIMITERS, Guess, guess, save_upload
from advlab.data.pairs import find_pair, refusal
from advlab.errors import DataError, EncodingError
from advlab.language import N_, _
from advlab.runs.config import DataConfig
from advlab.runs.limits import limits
from advlab.ui import KEEP, plain_text

ENCODINGS = ("utf-8", "utf-16", "utf-32", "latin-1", *OLDER)
SUFFIXES = ("csv", "tsv", "txt", "jsonl", "ndjson", "json", "gz", "parquet", "xlsx")


def _keep_path() -> None:
    st.session_state["data.chosen"] = st.session_state["data.path"]


def choose_path(each: str) -> str:
    """Where the file is that is dropped or named; empty while there is none. `each`: what a row is."""
    bounds = limits()
    left, right = st.columns([3, 2])
    with left:
        dropped = st.file_uploader(
            _("CSV, TSV, JSONL, Excel or Parquet, dropped here or chosen"),
            type=list(SUFFIXES),
            key="data.upload",
            max_upload_size=None if bounds is None else bounds.upload,
            help=_("Each row is {each}. The file stays on this computer.", each=each),
        )
    # a visit to another page empties the uploader, not the choice
    if dropped is not None and st.session_state.get("data.upload.seen") != dropped.file_id:
        st.session_state["data.upload.seen"] = dropped.file_id
        st.session_state["data.chosen"] = _saved(dropped)
    # the choice is not left to the widget alone: two quick clicks elsewhere can empty it
    chosen = st.session_state.setdefault("data.chosen", "")
    if bounds is not None:  # a student names no path of the server
        right.caption(_said(chosen))
        return chosen
    st.session_state["data.path"] = chosen
    with right:
        path = (
            st.text_input(
                _("Or its path"),
                key="data.path",
                placeholder="/home/you/reviews.csv",
                on_change=_keep_path,
            )
            or ""
        ).strip()
    if not path:
        st.caption(_("Each row is {each}; what the file looks like is guessed.", each=each))
    return path


def _saved(dropped: UploadedFile) -> str:
    """Where a dropped file is kept; empty, and told, where it is too large."""
    try:
        return str(save_upload(dropped.getvalue(), dropped.name))
    except DataError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
        return ""


def _said(chosen: str) -> str:
    return plain_text(Path(chosen).name) if chosen else _("No file yet.")


def choose_file(each: str) -> tuple[DataConfig, Guess] | None:
    """The file that a run is to learn from, and how it is read; None while something is missing."""
    path = choose_path(each)
    if not path:
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
    config = dataclasses.replace(config, eval_source=second_file())
    if config.text_column is None or config.label_column is None:
        pair = find_pair(guessed.columns) if config.text_column is None else None
        st.warning(
            f"{plain_text(refusal(pair, guessed.name))}."
            if pair
            else _("Choose the column with the text and the column with the class.")
        )
        return None
    return config, guessed


def second_file() -> str | None:
    """Path of a file to test on; None where a part of the first is held out."""
    with st.expander(_("A second file to test on"), icon=":material/fact_check:"):
        bounds = limits()
        extra = (
            st.session_state.get("data.eval.chosen")
            if bounds is not None
            else st.text_input(
                _("Path of the test file"),
                key="data.eval",
                placeholder=_("empty: a part is held out"),
                help=_("Read in the same way as the first."),
                **KEEP,
            )
        )
        test = st.file_uploader(_("Or drop it here"), type=list(SUFFIXES), key="data.eval.upload")
        if test is not None:
            extra = _saved(test)
            if bounds is not None:
                st.session_state["data.eval.chosen"] = extra
            st.caption(_("Testing on {name}", name=plain_text(test.name)))
    return (extra or "").strip() or None


def _first_guess(source: Path) -> Guess | None:
    """How the file is written; None, and a box to choose from, where its encoding is not sure."""
    key = f"data.read.{source}.encoding"
    chosen = st.session_state.get(key)
    try:
        return guess(source, source.name)
    except EncodingError as error:
        if not chosen:
            st.error(plain_text(str(error)), icon=":material/error:")
            _correct(_("Encoding"), list(ENCODINGS), _("not sure"), key)
            return None
    return guess(source, source.name, encoding=chosen)


def _given(config: DataConfig) -> dict[str, Any]:
    names = ("encoding", "delimiter", "quoting", "header")
    return {name: getattr(config, name) for name in names}


def _corrected(source: Path, first: Guess) -> DataConfig:
    """How the file is read: the guess, and what a person put in its place."""
    key = f"data.read.{source}"
    names = {True: _("names the columns"), False: _("is data")}
    if first.format == "xlsx":
        header = _correct(_("First row"), list(names), first.header, f"{key}.header", names)
        return DataConfig(str(source), header=header)
    if first.format == "parquet":  # it says all by itself
        return DataConfig(str(source))
    if first.delimiter is None:  # JSON has no delimiter, quoting or header
        encoding = _correct(_("Encoding"), list(ENCODINGS), first.encoding, f"{key}.encoding")
        return DataConfig(str(source), encoding=encoding)
    one, two, three, four = st.columns(4)
    with one:
        signs = list(DELIMITERS)
        delimiter = _correct(
            _("Between columns"), signs, first.delimiter, f"{key}.delimiter", DELIMITERS
        )
    with two:
        encoding = _correct(_("Encoding"), list(ENCODINGS), first.encoding, f"{key}.encoding")
    with three:
        quotes = {True: _("enclose cells"), False: _("ordinary characters")}
        quoting = _correct(
            _("Double quotes"), list(quotes), first.quoting, f"{key}.quoting", quotes
        )
    with four:
        header = _correct(_("First row"), list(names), first.header, f"{key}.header", names)
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
        format_func=lambda o: (
            _("{found} (guessed)", found=said) if o is None else (names or {}).get(o, str(o))
        ),
    )


def _preview(guessed: Guess) -> None:
    rows = _("an unknown number of") if guessed.rows is None else f"{guessed.rows:,}"
    told = N_("{summary} It has about {rows} rows; the first ones:")
    if guessed.rows_exact:
        told = N_("{summary} It has {rows} rows; the first ones:")
    st.caption(plain_text(_(told, summary=guessed.summary, rows=rows)))
    roles = {guessed.text_column: f" ({_('text')})", guessed.label_column: f" ({_('class')})"}
    st.dataframe(
        {
            f"{column}{roles.get(column, '')}": [row[i] for row in guessed.preview]
            for i, column in enumerate(guessed.columns)
        },
        hide_index=True,
        height="content",
        placeholder="–",
        alt=_("The first rows of the file as they are read"),
    )


def _columns(config: DataConfig, guessed: Guess) -> DataConfig:
    """The two columns, the guess chosen at first."""
    columns = list(guessed.columns)
    key = f"data.columns.{config.source}.{'|'.join(columns)}"[:300]
    left, right = st.columns(2)
    chosen = []
    for place, label, name in (
        (left, _("Column with the text"), guessed.text_column),
        (right, _("Column with the class"), guessed.label_column),
    ):
        index = columns.index(name) if name in columns else None
        chosen.append(place.selectbox(label, columns, index=index, key=f"{key}.{label}", **KEEP))
    return dataclasses.replace(config, text_column=chosen[0], label_column=chosen[1])
