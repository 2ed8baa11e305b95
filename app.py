"""The frame: page config and navigation over pages/. `advlab app` or `streamlit run app.py`."""

from __future__ import annotations

import streamlit as st

from advlab.errors import AdvlabError
from advlab.ui import plain_text
from advlab.ui.launch import prepare_session

prepare_session()
st.set_page_config(page_title="advlab", page_icon=":material/science:", layout="wide")

page = st.navigation(
    {
        "": [
            st.Page(
                "pages/learn/start.py",
                title="Start",
                icon=":material/home:",
                default=True,
                help="What advlab is, and the two models to begin with.",
            ),
        ],
        "Train": [
            st.Page(
                "pages/train/new.py",
                title="New run",
                icon=":material/add_circle:",
                url_path="new",
                help="Choose data, model and method, and start a training run.",
            ),
            st.Page(
                "pages/train/runs.py",
                title="Runs",
                icon=":material/monitoring:",
                url_path="runs",
                help="All runs, live: losses, accuracy, cost; pause, resume, compare, download.",
            ),
        ],
        "Explore": [
            st.Page(
                "pages/explore/explore.py",
                title="Sentence",
                icon=":material/search_insights:",
                url_path="explore",
                help="Attack one sentence and see what the perturbation is.",
            ),
        ],
    }
)
try:
    page.run()
except AdvlabError as error:
    st.error(plain_text(str(error)), icon=":material/error:")
