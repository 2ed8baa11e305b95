"""Models × attacks × ε on the same texts: curves, paired differences, slices, alarms."""

from __future__ import annotations

import streamlit as st

from advlab.language import _
from advlab.ui.launch import warm_up

st.title(_("Robustness"), anchor=False)
st.caption(_("How much of what models read right withstands attacks, on the same test texts."))
with st.spinner(_("Starting up …")):
    warm_up()
from advlab.ui.compare.robustness import robustness_page  # noqa: E402  torch is warm now

robustness_page()
