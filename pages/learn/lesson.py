"""One lesson: the card of a step beside the view that it talks about."""

from __future__ import annotations

import streamlit as st

from advlab.language import _
from advlab.ui.launch import warm_up

with st.spinner(_("Loading PyTorch (once, a few seconds)…")):
    warm_up()

from advlab.ui.learn.lesson import lesson_page

lesson_page()
