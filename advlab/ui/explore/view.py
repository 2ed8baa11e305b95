"""How the Explore page draws what was found: one tab a view, models side by side.

Only the open tab is drawn, in a fragment, so that changing tabs or tokens does not attack again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from advlab.ui.explore.results import Look
from advlab.ui.explore.views.data import data
from advlab.ui.explore.views.geometry import geometry
from advlab.ui.explore.views.overview import overview
from advlab.ui.explore.views.perturbation import perturbation
from advlab.ui.explore.views.projection import projection
from advlab.ui.explore.views.saliency import saliency
from advlab.ui.explore.views.training import through_training

VIEWS: dict[str, Callable[[Sequence[Look]], None]] = {
    "Overview": overview,
    "Perturbation": perturbation,
    "Geometry": geometry,
    "Saliency": saliency,
    "Projection": projection,
    "Training": through_training,
    "Data": data,
}


@st.fragment
def explore_view(looks: Sequence[Look]) -> None:
    """Everything that was found about one sentence under up to three models."""
    tabs = st.tabs(list(VIEWS), key="view", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, VIEWS.values(), strict=True):
        if tab.open:
            with tab:
                draw(looks)
