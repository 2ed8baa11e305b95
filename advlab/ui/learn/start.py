"""The first page: what this is, and the two models to begin with. Needs no torch until asked."""

from __future__ import annotations

import streamlit as st

from advlab.runs import jobs
from advlab.runs.config import STARTER_GROUP, starter_pair
from advlab.ui.launch import is_warm
from advlab.ui.train.run import EXPLORE, NEW, RUNS
from advlab.ui.train.runs import recent
from advlab.ui.train.starter import Pair, find_pair, follow_pair, landing


def start_page() -> None:
    """Everything on the page: the pair is offered, followed while it trains, then led on from."""
    st.title("advlab", anchor=False)
    st.markdown(
        "A laboratory for **adversarial training of language models**. Train a small text classifier "
        "plainly and on worst-case nudges **δ** of its word vectors; then attack both with a sentence "
        "of yours, and see what δ is, where the gradient looks, and which words it comes near."
    )
    st.latex(
        r"\min_\theta\;\mathbb{E}_{(x,y)}\Big[\;\max_{\lVert\delta\rVert\le\varepsilon}"
        r"\;L\big(f_\theta(x+\delta),\,y\big)\Big]"
    )
    pair = find_pair()
    trained = any(run.folder.has_model and not run.active for run in jobs.runs())
    under_way = pair is not None and any(run.active for run in pair)
    done = pair is not None and all(run.status == "done" for run in pair)
    if pair is not None and done and st.session_state.pop("follow", False):
        st.switch_page(EXPLORE, query_params=landing(pair))
    if pair is not None and not done:
        if under_way:
            st.session_state["follow"] = True
        follow_pair(pair)
    elif not trained:
        _begin()
    if trained:
        _ways_on(None if under_way else pair)
        recent(jobs.runs()[:4])
        if pair is None and st.button("Train the starter pair", icon=":material/rocket_launch:"):
            _train_pair()


def _train_pair() -> None:
    for config in starter_pair():
        jobs.submit(config, group=STARTER_GROUP)
    st.session_state["follow"] = True
    st.rerun()


def _begin() -> None:
    """The offer of the pair, where there is no model yet."""
    with st.container(border=True):
        st.subheader("Begin with two models", anchor=False)
        st.markdown(
            "One is trained plainly, the other on perturbed word vectors (FGM), both on "
            "invented reviews of films, food, places and things. It takes about a minute, and all "
            "stays on this computer."
        )
        if st.button("Train the starter pair", type="primary", icon=":material/rocket_launch:"):
            _train_pair()
    for column, icon, title, about in zip(
        st.columns(3),
        ("model_training", "bolt", "travel_explore"),
        ("Train", "Attack", "Look"),
        (
            "Losses and accuracy appear as they are measured, clean and under attack.",
            "Type a sentence and push its word vectors, as little as it takes to flip the answer.",
            "How far each word moved, and whether it still reads as the same word.",
        ),
        strict=True,
    ):
        column.markdown(f":material/{icon}: **{title}**")
        column.caption(about)
    st.space("small")
    st.page_link(
        NEW, label="Or choose data, model and method yourself", icon=":material/add_circle:"
    )


def _ways_on(pair: Pair | None) -> None:
    """Links to the pages that a trained model opens; Explore at the pair's own sentence."""
    for column, page, label, icon, about in zip(
        st.columns(3),
        (EXPLORE, NEW, RUNS),
        ("Explore a sentence", "New run", "Runs"),
        ("search_insights", "add_circle", "monitoring"),
        (
            "Attack one sentence, two models side by side.",
            f"Your data or ours, any model, {_methods()}.",
            "Live curves; pause, resume, compare, download.",
        ),
        strict=True,
    ):
        with column, st.container(border=True, height="stretch"):
            query = landing(pair) if page == EXPLORE and pair is not None else None
            st.page_link(page, label=f"**{label}**", icon=f":material/{icon}:", query_params=query)
            st.caption(about)


def _methods() -> str:
    """How many training methods there are, once torch is there to be asked."""
    if not is_warm():
        return "any training method"
    from advlab.training.methods import METHODS

    return f"{len(METHODS)} training methods"
