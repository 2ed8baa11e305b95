"""The same attack on a selection of sentences: which flip, how soon, and where δ sits."""

from __future__ import annotations

import streamlit as st

from advlab.language import _
from advlab.ui.launch import warm_up

st.title(_("Many sentences"), anchor=False)
with st.spinner(_("Starting up …")):
    warm_up()
from advlab.ui.explore.many import many_page  # noqa: E402  it brings in torch, which is warm now

many_page()
