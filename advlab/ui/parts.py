"""What the pages are built from: sections, sentences, charts, tables, one column a model."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from advlab.language import N_, _
from advlab.pictures import tables
from advlab.pictures.next_look import Look
from advlab.pictures.style import side
from advlab.ui import plain_text
from advlab.ui.explore.results import Result
from advlab.ui.guide import guide
from advlab.ui.language import heard
from advlab.ui.terms import explained

VIEW = "view"  # the key of the tabs of Explore, and their name in the address
FORMATS = {"png": "PNG", "svg": "SVG"}

T = TypeVar("T")


@contextmanager
def section(title: str, how: str, *terms: str, key: str | None = None) -> Iterator[None]:
    """A heading, and one sentence on how to read what follows; its help explains `terms`.

    `key`: what a lesson points at.
    """
    with st.container(key=key):
        st.subheader(title, anchor=False, help=explained(*terms))
        st.caption(how)
        yield


def unbroken(text: str) -> str:
    """A share with its sign on one line: ‘< 0.1 %’ has blanks that no line ends at."""
    return re.sub(r"([<>]) (?=\d)", "\\1\u00a0", re.sub(r"(\d) %", "\\1\u00a0%", text))


def said(text: str, *, large: bool = False, hover: str = "") -> None:
    """A sentence with nothing in it read as markup; right-to-left text keeps its direction.

    `hover`: what the pointer is told besides.
    """
    if text.strip():
        size = "1.2rem;font-weight:600" if large else "1rem"
        style = f"font-size:{size};margin:0 0 .4rem;overflow-wrap:anywhere"
        title, shown = html.escape(hover), html.escape(unbroken(text))
        st.html(f'<p dir="auto" title="{title}" style="{style}">{shown}</p>')


def pointed(look: Look) -> None:
    """The one thing to look at next, and a button that opens the view where it is seen."""
    if not look.text or guide() is not None:  # a lesson says itself what comes next
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            '<p dir="auto" style="margin:0;overflow-wrap:anywhere">'
            f"<strong>{_('Next:')} </strong>{html.escape(unbroken(look.text))}</p>",
            width="content",
        )
        view = _(look.view)
        if look.view and view != st.session_state.get(VIEW):
            st.button(
                _("Open {view}", view=view),
                key="next",
                icon=":material/arrow_forward:",
                on_click=st.session_state.__setitem__,
                args=(VIEW, view),
            )


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
    st.dataframe(
        titled(columns),
        key=key,
        placeholder="–",
        alt=alt,
        hide_index=True,
        column_config=titled(column_config) or None,
    )


def titled(columns: Mapping[str, T]) -> dict[str, T]:
    """Columns, or what is set for them, under the headings that people read."""
    return {_(name): one for name, one in columns.items()}


def folded(key: str, title: str = N_("Numbers")) -> DeltaGenerator | None:
    """A fold for tables: the place to draw in while it is open, None while it is not.

    A table that nobody looks at is neither made nor sent, which is most of what a view would send.
    """
    fold = st.expander(_(title), key=key, on_change="rerun")
    return fold if fold.open else None


def beside(results: Sequence[Result]) -> Iterator[tuple[int, Result]]:
    """One column a model, named; stacked where the screen is narrow."""
    columns = st.columns(len(results)) if len(results) > 1 else [st.container()]
    for i, (result, column) in enumerate(zip(results, columns, strict=True)):
        with column:
            if len(results) > 1:
                st.markdown(f"**{side(i, plain_text(result.record.model, 60))}**")
            yield i, result


def one_of(place: Any, title: str, names: Mapping[T, str], key: str, hint: str | None = None) -> T:
    """A choice that stands in the page's link, the first where none is made; value -> its name.

    `place`: streamlit itself, or a column.
    """
    first = next(iter(names))
    heard(key, names)
    chosen = place.segmented_control(
        title,
        list(names),
        default=first,
        required=True,
        key=key,
        format_func=lambda value: _(names[value]),
        bind="query-params",
        help=hint,
    )
    return first if chosen is None else chosen
