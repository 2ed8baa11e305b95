"""The glossary: every term in a line, searched as one types, each with a way to where it is seen."""

from __future__ import annotations

import streamlit as st

from advlab.language import _
from advlab.lessons.glossary import Term, searched
from advlab.ui import KEEP, plain_text
from advlab.ui.pages import PAGES


def glossary_page() -> None:
    """Everything on the page."""
    st.title(_("Glossary"), anchor=False)
    st.caption(_("Every term in a line. The same lines stand behind each question mark."))
    words = st.text_input(
        _("Search"), key="glossary.words", placeholder="δ, ε, PGD, …", bind="query-params", **KEEP
    )
    found = searched(words or "")
    if not found:
        st.info(_("No term has these words; try fewer."), icon=":material/search:")
    places = {line.address: line for lines in PAGES.values() for line in lines}
    for one in found:
        _entry(one, places[one.page].script, places[one.page].title)


def _entry(one: Term, script: str, page: str) -> None:
    """A term: its name and line, the page and view that show it to the right."""
    left, right = st.columns([5, 1], vertical_alignment="center")
    left.markdown(f"**{plain_text(one.title)}**  \n{plain_text(one.line)}")
    right.page_link(
        script,
        label=plain_text(_(one.view or page)),
        icon=":material/arrow_forward:",
        query_params={"view": one.view} if one.view else None,
    )
