"""One sentence, attacked: what the perturbation is, where the gradient looks, what it reads as."""

from __future__ import annotations

import streamlit as st

from advlab.pictures.style import side
from advlab.ui import plain_text
from advlab.ui.explore.results import Look, Problem, look_at
from advlab.ui.launch import warm_up

st.title("Explore a sentence", anchor=False)
with st.spinner("Starting up …"):
    warm_up()
from advlab.ui.explore.form import ask  # noqa: E402  it brings in torch, which is warm now
from advlab.ui.explore.pin import bench  # noqa: E402
from advlab.ui.explore.view import explore_view  # noqa: E402

request = ask()
if request is not None:
    if request.cut:
        st.caption(f"The text is long: the last {request.cut:,} characters are left out.")
    place = st.empty()  # always there, so that the picture below keeps its place meanwhile
    with place, st.spinner("Attacking …", show_time=True):
        results = [look_at(model, request) for model in request.models]
    for i, result in enumerate(results):
        if isinstance(result, Problem):
            st.error(f"Model {side(i)}: {plain_text(result.message)}", icon=":material/error:")
            if result.detail:
                with st.expander("Detail to copy into a report"):
                    st.code(result.detail, language=None)
    looks = [result for result in results if isinstance(result, Look)]
    if 0 < len(looks) < len(results):
        now = ", ".join(f"{side(i)} is {look.record.model}" for i, look in enumerate(looks))
        st.caption(plain_text(f"Below, the letters are given anew: {now}."))
    if looks:
        bench(request, looks)
        explore_view(looks)
