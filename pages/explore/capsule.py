"""A saved sentence: what it says, whether its figures can be had again here, and the way back."""

from __future__ import annotations

import streamlit as st

from advlab.language import _
from advlab.ui.explore.capsule import opened

st.title(_("Open a capsule"), anchor=False)
opened()
