"""The frame: page config and navigation over pages/. `advlab app` or `streamlit run app.py`."""

from __future__ import annotations

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _
from advlab.runs.config import home
from advlab.runs.disk import trouble
from advlab.ui import plain_text
from advlab.ui.classroom import session
from advlab.ui.classroom.frame import beside, type_size
from advlab.ui.classroom.strip import strip
from advlab.ui.history import one_step_a_page
from advlab.ui.language import switch
from advlab.ui.launch import prepare_session
from advlab.ui.pages import CLASS_PAGES, PAGES, START

# drawn here, since Streamlit fetches its own icons for the tab from a font server
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#0072b2"/>'
    '<circle cx="16" cy="16" r="9" fill="none" stroke="#fff" stroke-width="2"'
    ' stroke-dasharray="3 2"/><path d="M16 16l6-6" stroke="#e69f00" stroke-width="3"/>'
    '<circle cx="16" cy="16" r="2.5" fill="#fff"/></svg>'
)

# captions at 60 %, the colours of code and what is chosen in the theme's colour miss the 4.5:1 that
# small text needs; a link's name is never cut; what the frame holds is not to be seen
STYLE = """<style>
[data-testid="stCaptionContainer"] { opacity: 0.8 !important }
[data-testid="stPageLink-NavLink"] * { white-space: normal !important; overflow-wrap: anywhere }
[data-testid="stCode"] .token { color: inherit !important }
[data-testid="stButtonGroup"] [data-selected="true"] { color: inherit !important }
[data-testid="stLayoutWrapper"]:has(> .st-key-frame) { display: none }
</style>"""

session.enter()
prepare_session()
st.set_page_config(page_title="advlab", page_icon=ICON, layout="wide")
switch()

page = st.navigation(
    {
        _(group): [
            st.Page(
                one.script,
                title=_(one.title),
                icon=f":material/{one.icon}:",
                url_path=one.address or None,
                default=one is START,
                help=_(one.about),
            )
            for one in lines
        ]
        for group, lines in (PAGES | (CLASS_PAGES if session.is_teacher() else {})).items()
    },
    expanded=True,  # else the teacher's page hides behind “View more”
)
with st.container(key="frame"):
    st.html(STYLE)
    one_step_a_page()
    type_size()
beside()
try:
    strip()
    page.run()
except AdvlabError as error:
    st.error(plain_text(str(error)), icon=":material/error:")
except OSError as error:
    st.error(plain_text(trouble(error, home())), icon=":material/error:")
