"""One sentence, attacked: what the perturbation is, where the gradient looks, what it reads as."""

from __future__ import annotations

import streamlit as st

from advlab.language import _
from advlab.ui.launch import warm_up

st.title(_("Explore a sentence"), anchor=False)
with st.spinner(_("Starting up …")):
    warm_up()
from advlab.ui.explore.view import explore_page  # noqa: E402  it brings in torch, which is warm now

explore_page()
