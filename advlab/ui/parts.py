"""What every view of the Explore page is built from: sections, charts, tables, one column a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from advlab.pictures import tables
from advlab.pictures.style import side
from advlab.ui import plain_text
from advlab.ui.explore.results import Look

FORMATS = {"png": "PNG", "svg": "SVG"}


@contextmanager
def section(title: str, how: str) -> Iterator[None]:
    """A heading, and one sentence on how to read what follows."""
    st.subheader(title, anchor=False)
    st.caption(how)
    yield


def chart(figure: Any, key: str, alt: str) -> None:
    """A figure with its text alternative, and a camera that saves it as an image."""
    kind = st.session_state.get("image_format", "png")
    camera = {"format": kind, "filename": f"advlab-{key}", "scale": 2}
    config = {
        "responsive": True,
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": camera,
    }
    st.plotly_chart(figure, key=key, alt=alt, config=config)


def table(columns: tables.Columns, key: str, alt: str, **column_config: Any) -> None:
    """The numbers behind a chart."""
    st.dataframe(columns, key=key, alt=alt, hide_index=True, column_config=column_config or None)


def numbers(key: str, title: str = "Numbers") -> Iterator[None]:
    """Tables folded away: a loop of one turn while they are open and of none while they are not.

    A table that nobody looks at is neither made nor sent, which is most of what a view would send.
    """
    fold = st.expander(title, key=key, on_change="rerun")
    if fold.open:
        with fold:
            yield


def beside(looks: Sequence[Look]) -> Iterator[tuple[int, Look]]:
    """One column a model, named; stacked where the screen is narrow."""
    columns = st.columns(len(looks)) if len(looks) > 1 else [st.container()]
    for i, (look, column) in enumerate(zip(looks, columns, strict=True)):
        with column:
            if len(looks) > 1:
                st.markdown(f"**{side(i, plain_text(look.record.model, 60))}**")
            yield i, look
