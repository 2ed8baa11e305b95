"""The first page: what this is, and the two models to begin with. Needs no torch until asked."""

from __future__ import annotations

import streamlit as st

from advlab.data.corpora import CORPORA
from advlab.language import LANGUAGES, _, language
from advlab.runs import jobs
from advlab.runs.starters import STARTERS, starter_group, starter_pair
from advlab.ui import KEEP
from advlab.ui.pages import PAGES, START
from advlab.ui.train.run import EXPLORE
from advlab.ui.train.runs import recent
from advlab.ui.train.starter import Pair, find_pair, follow_pair, landing

# the formula is some 15 letters wide: it shrinks to the width that it has, however large letters are
WHOLE = """<style>
.st-key-formula { container-type: inline-size }
.st-key-formula .katex { font-size: min(1.21em, 6.3cqi) }
</style>"""


def start_page() -> None:
    """Everything on the page: the pair is offered, followed while it trains, then led on from."""
    st.title("advlab", anchor=False)
    st.markdown(
        _(
            "A laboratory for **adversarial training of language models**. Train a "
            "small model to classify, answer, translate or reply, plainly and on "
            "worst-case nudges **δ** of its word vectors; then attack both with a text "
            "of yours, and see what δ is, where the gradient looks, and which words it "
            "comes near."
        )
    )
    st.page_link(
        "pages/learn/course.py",
        label=_("New here? Begin with the course: short labs that explain everything by doing it."),
        icon=":material/school:",
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
    else:
        st.html(WHOLE)
        with st.container(key="formula"):
            st.latex(
                r"\min_\theta\;\mathbb{E}_{(x,y)}\Big[\;\max_{\lVert\delta\rVert\le\varepsilon}"
                r"\;L\big(f_\theta(x+\delta),\,y\big)\Big]"
            )
        if not trained:
            _begin(first=True)
    _pages(None if under_way else pair)
    if trained:
        recent(jobs.runs()[:4])
        if not under_way:
            _begin(first=False)


def _begin(first: bool) -> None:
    """The offer of a pair for each task; `first`: there is no model yet."""
    with st.container(border=True):
        st.subheader(
            _("Begin with two models") if first else _("Two models for a task"), anchor=False
        )
        task = st.segmented_control(
            _("Task"),
            list(STARTERS),
            default=next(iter(STARTERS)),
            required=True,
            format_func=lambda name: _(STARTERS[name].title),
            key="start.task",
            label_visibility="collapsed",
            **KEEP,
        ) or next(iter(STARTERS))
        start = STARTERS[task]
        corpus = _corpus(tuple(start.corpora))
        st.markdown(
            _(
                "One is trained plainly, the other on perturbed word vectors ({method}), "
                "both on {corpora}. It takes {time}, and all stays on this computer.",
                method=start.method["name"].upper(),
                corpora=_(start.corpora[corpus]),
                time=_(start.times.get(corpus, start.time)),
            )
        )
        group = starter_group(task, corpus)
        known = find_pair(group)
        have = known is not None and all(run.status == "done" for run in known)
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(
                _("Train it again") if have else _("Train the starter pair"),
                type="primary" if first else "secondary",
                icon=":material/rocket_launch:",
            ):
                jobs.make_room(2)
                for config in starter_pair(task=task, corpus=corpus):
                    jobs.submit(config, group=group)
                st.session_state["follow"] = True
                st.rerun()
            if known is not None and have:
                st.page_link(
                    EXPLORE,
                    label=_("Both are trained: attack a sentence"),
                    icon=":material/search_insights:",
                    query_params=landing(known),
                )


def _corpus(corpora: tuple[str, ...]) -> str:
    """Which of a task's corpora: by the language of its texts, at first that of the page."""
    names = {name: LANGUAGES[CORPORA[name].language] for name in corpora}
    own = next((name for name in corpora if CORPORA[name].language == language()), corpora[0])
    if len(corpora) < 2:
        return own
    return (
        st.segmented_control(
            _("Language of the texts"),
            list(names),
            default=own,
            required=True,
            format_func=names.__getitem__,
            key="start.corpus",
            **KEEP,
        )
        or own
    )


def _pages(pair: Pair | None) -> None:
    """Every page with a line on it, by the headings of the menu; Explore at the pair's own sentence."""
    groups = {group: lines for group, lines in PAGES.items() if START not in lines}
    for column, (group, lines) in zip(st.columns(len(groups)), groups.items(), strict=True):
        with column, st.container(border=True, height="stretch"):
            st.caption(_(group))
            for line in lines:
                known = line.script == EXPLORE and pair is not None
                st.page_link(
                    line.script,
                    label=f"**{_(line.title)}**",
                    icon=f":material/{line.icon}:",
                    query_params=landing(pair) if known and pair is not None else None,
                )
                st.caption(_(line.about))
