"""The frame: page config and navigation over pages/. `advlab app` or `streamlit run app.py`."""

from __future__ import annotations

import streamlit as st

from advlab.errors import AdvlabError
from advlab.runs.config import home
from advlab.runs.disk import trouble
from advlab.ui import plain_text
from advlab.ui.history import one_step_a_page
from advlab.ui.launch import prepare_session

# drawn here, since Streamlit fetches its own icons for the tab from a font server
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#0072b2"/>'
    '<circle cx="16" cy="16" r="9" fill="none" stroke="#fff" stroke-width="2"'
    ' stroke-dasharray="3 2"/><path d="M16 16l6-6" stroke="#e69f00" stroke-width="3"/>'
    '<circle cx="16" cy="16" r="2.5" fill="#fff"/></svg>'
)

# captions at 60 % miss the 4.5:1 that small text needs
CAPTIONS = '<style>[data-testid="stCaptionContainer"] { opacity: 0.8 !important }</style>'

prepare_session()
st.set_page_config(page_title="advlab", page_icon=ICON, layout="wide")

page = st.navigation(
    {
        "": [
            st.Page(
                "pages/learn/start.py",
                title="Start",
                icon=":material/home:",
                default=True,
                help="What advlab is, and the two models to begin with.",
            )
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
            st.Page(
                "pages/explore/many.py",
                title="Many sentences",
                icon=":material/table_rows:",
                url_path="many",
                help="The same attack on a selection of sentences, as a table to sort and open.",
            ),
            st.Page(
                "pages/explore/capsule.py",
                title="Open a capsule",
                icon=":material/inventory_2:",
                url_path="capsule",
                help="A saved sentence: read it, and check its figures on this machine.",
            ),
        ],
        "Compare": [
            st.Page(
                "pages/compare/robustness.py",
                title="Robustness",
                icon=":material/shield:",
                url_path="robustness",
                help="Models under attack on the same texts: curves, differences, parts, alarms.",
            ),
            st.Page(
                "pages/compare/questions.py",
                title="Questions",
                icon=":material/help:",
                url_path="questions",
                help="Convergence, local optima, cost, carry-over, settings: measured, not guessed.",
            ),
        ],
    }
)
st.html(CAPTIONS)
try:
    page.run()
    one_step_a_page()
except AdvlabError as error:
    st.error(plain_text(str(error)), icon=":material/error:")
except OSError as error:
    st.error(plain_text(trouble(error, home())), icon=":material/error:")
