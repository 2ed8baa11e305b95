"""Five questions people ask of robustness, each answered by a measurement that is started here."""

from __future__ import annotations

import streamlit as st

from advlab.language import _
from advlab.ui.launch import warm_up

st.title(_("Questions"), anchor=False)
with st.spinner(_("Starting up …")):
    warm_up()
from advlab.ui.compare.questions import questions_page  # noqa: E402  torch is warm now

questions_page()
