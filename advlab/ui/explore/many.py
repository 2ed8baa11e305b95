"""The page of many sentences: choose them, attack them all, sort what came out, open one."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import N_, _
from advlab.pictures import findings, tables
from advlab.records import Example
from advlab.records.measured import Finding
from advlab.settings import plain
from advlab.ui import plain_text
from advlab.ui.explore.address import remembered
from advlab.ui.explore.asked import ask_goal
from advlab.ui.explore.examples import ANY, dataset_of, sources_for, words_of
from advlab.ui.explore.findings import Question, attack_all
from advlab.ui.explore.form import KEEP, attack_controls
from advlab.ui.explore.lines import examples_of, form_of_a_line, help_of_a_line
from advlab.ui.explore.request import LIMIT, Request
from advlab.ui.explore.results import Problem
from advlab.ui.explore.unseen import mark_unseen
from advlab.ui.models import fitting_pair, model_choices, task_of
from advlab.ui.parts import chart, said, titled

MOST = 500  # sentences
TOLD = 3  # wrong lines that are told one by one
# a phone shows two or three of the controls in a row, so that the first result stands higher
NARROW = """<style>@media (max-width: 640px) {
.st-key-controls [data-testid="stHorizontalBlock"] { gap: .5rem }
.st-key-controls [data-testid="stColumn"] { min-width: calc(27% - .5rem) !important; flex: 1 1 0 }
.st-key-controls [data-testid="stColumn"]:nth-child(5) { flex: 1.5 1 0 }
.st-key-controls [data-testid="stColumn"]:nth-child(-n+2) { min-width: calc(50% - .5rem) !important }
.st-key-controls [data-testid="stColumn"]:last-child { min-width: 100% !important }
}</style>"""
ALL = N_("all")  # no filter by outcome
OWN_TEXTS = N_("my own sentences")
_OF_ONE = ("text", "label", "goal", "shield", "pin", "c", "weights")  # not shared by the two pages
_TAKEN, _TURN = "many.taken", "many.turn"


def many_page() -> None:
    """Everything on the page."""
    titles = model_choices()
    if not titles:
        st.info(_("There is no trained model yet. Train the starter pair on the first page."))
        return
    known, ids = remembered(), list(titles)
    turn = _turn(known)
    st.html(NARROW)
    with st.container(key="controls"):
        columns = st.columns([6, 7, 4, 4, 5], vertical_alignment="bottom")
    pair = [known.get("a", ""), known.get("b", "")]
    if pair[0] not in ids:  # nothing was asked on Explore yet, or it is gone
        pair = [*fitting_pair(ids), ""]
    a = columns[0].selectbox(
        _("Model A"),
        ids,
        key=f"{turn}.a",
        format_func=titles.__getitem__,
        **KEEP,
        index=ids.index(str(pair[0])),
    )
    others: list[str | None] = [None, *ids]
    b = columns[1].selectbox(
        _("Model B"),
        others,
        key=f"{turn}.b",
        **KEEP,
        format_func=lambda i: _("none") if i is None else titles[i],
        index=others.index(pair[1]) if pair[1] in others else 0,
    )
    fold = st.expander(
        _("Attack settings, seed"), icon=":material/tune:", key="many.settings", on_change="rerun"
    )
    attack, seed = attack_controls(columns[2:5], fold, Request.of(known), turn)
    goal = ask_goal(fold, a, {}, turn)  # one for all the sentences, so none comes from Explore
    models = tuple(m for m in (a, b) if m)
    texts = _choose(models)
    if attack is None:
        return
    if not texts:
        st.info(_("Type some sentences, one a line, or choose data."), icon=":material/edit:")
        return
    requests = [
        Request(e.text.strip()[:LIMIT], e.answer, models, attack, seed, beside=e.beside, goal=goal)
        for e in texts
    ]
    found, notes = _attacked(requests, models)
    for note in dict.fromkeys(notes):
        st.warning(plain_text(note))
    if any(found.values()):
        _results(found, requests, [titles[m] for m in models])


def _turn(known: dict[str, str]) -> str:
    """The prefix of the keys of models and attack: a new one once Explore was asked for others.

    So they are the same on both pages, and what is changed here stays until it is changed there.
    """
    shared = {k: v for k, v in known.items() if k not in _OF_ONE}
    if shared != st.session_state.get(_TAKEN):
        st.session_state[_TAKEN] = shared
        st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    return f"many.{st.session_state[_TURN]}"


def _choose(models: Sequence[str]) -> list[Example]:
    """The sentences to attack, with their answers where the data know them."""
    sources = sources_for(models[0])
    columns = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    source = columns[0].selectbox(
        _("Sentences"),
        [OWN_TEXTS, *sources],
        key="many.source",
        index=1,
        format_func=lambda name: _(name) if name == OWN_TEXTS else name,
        **KEEP,
    )
    if source == OWN_TEXTS:
        return _typed(models)
    words = (
        columns[1].text_input(
            _("Contains"), key="many.words", placeholder=words_of(models[0]), **KEEP
        )
        or ""
    )
    try:
        data = dataset_of(json.dumps(plain(sources[source])))
    except AdvlabError as error:
        st.error(plain_text(str(error)))
        return []
    wanted = ANY
    if data.head:
        wanted = columns[2].selectbox(
            _("Class"),
            [ANY, *data.head],
            key="many.class",
            format_func=lambda name: _(ANY) if name == ANY else name,
            **KEEP,
        )
    count = columns[3].number_input(
        _("How many"),
        min_value=1,
        max_value=MOST,
        value=30,
        step=10,
        key="many.count",
        **KEEP,
        help=_("Drawn at random from the test texts, the same ones each time."),
    )
    fitting = [
        e
        for e in data.test
        if words.casefold() in f"{e.beside} {e.text}".casefold() and wanted in (ANY, e.answer)
    ]
    random.Random(0).shuffle(fitting)
    if not fitting:
        more = _(" or the class") if data.head else ""
        st.info(_("No test text fits: change the words{more}.", more=more))
    return fitting[: int(count)]


def _typed(models: Sequence[str]) -> list[Example]:
    """Sentences of one's own, one a line."""
    task = task_of(models[0])
    placeholder = _("The staff were kind.\nI would never eat there again.")
    typed = (
        st.text_area(
            form_of_a_line(task),
            key="many.text",
            height=160,
            **KEEP,
            placeholder=None if task.beside else placeholder,
            help=help_of_a_line(task),
        )
        or ""
    )
    found, wrong = examples_of(typed, task)
    for one in wrong[:TOLD]:
        st.warning(plain_text(one))
    if len(wrong) > TOLD:
        st.warning(_("{n} more lines are left out for the like.", n=len(wrong) - TOLD))
    if len(found) > MOST:
        st.caption(
            _("The first {most} of {n_found:,} lines are taken.", most=MOST, n_found=len(found))
        )
    mark_unseen(models, [e.text.strip()[:LIMIT] for e in found[:MOST]])
    return found[:MOST]


def _attacked(
    requests: Sequence[Request], models: tuple[str, ...]
) -> tuple[dict[str, list[Finding]], list[str]]:
    """Every sentence under every model. Any control stops it; what was found is kept."""
    found: dict[str, list[Finding]] = {}
    notes: list[str] = []
    place = st.empty()
    texts = [Question(r.text, r.label, r.beside) for r in requests]
    every = len(texts) * len(models)
    for k, m in enumerate(models):

        def told(share: float, _what: str, k: int = k) -> None:
            done = k * len(texts) + round(share * len(texts))
            place.progress(
                done / every,
                _("Attacking {done} of {every}; any change stops it …", done=done + 1, every=every),
            )

        rows = attack_all(m, texts, requests[0].attack, requests[0].seed, told, requests[0].goal)
        found[m] = [row for row in rows if isinstance(row, Finding)]
        notes += [row.message for row in rows if isinstance(row, Problem)]
    place.empty()
    return found, notes


def _results(
    found: dict[str, list[Finding]], requests: Sequence[Request], names: Sequence[str]
) -> None:
    for name, rows in zip(names, found.values(), strict=True):
        said(findings.sentence(name, rows))
        if aimed := findings.goal_sentence(name, rows):
            said(aimed)
    st.markdown(_("**How soon they flip**"))
    chart(
        findings.histogram(names, list(found.values())),
        "many.flips",
        _("Share of sentences that have flipped, against ε"),
    )
    st.caption(
        _(
            "The open mark at the attack's ε is the null: of random draws as long as "
            "each δ, so many flip."
        )
    )
    st.markdown(_("**Every sentence**"))
    columns = st.columns([4, 3, 2], vertical_alignment="bottom")
    outcome = (
        columns[0].segmented_control(
            _("Outcome"),
            [ALL, *findings.OUTCOMES],
            default=ALL,
            format_func=_,
            required=True,
            key="many.outcome",
            **KEEP,
        )
        or ALL
    )
    search = columns[1].text_input(_("Search"), key="many.search", **KEEP) or ""
    every = [f for rows in found.values() for f in rows]
    rows = [
        f
        for f in every
        if outcome in (ALL, f.outcome) and search.casefold() in f"{f.beside} {f.text}".casefold()
    ]
    columns[2].download_button(
        _("Table (CSV)"),
        tables.to_csv(findings.columns(rows)),
        "advlab-sentences.csv",
        "text/csv",
        on_click="ignore",
        width="stretch",
    )
    picked = _table(rows, f"many.table.{outcome}.{search}")
    st.caption(
        _(
            "{n_rows} of {n_every} rows. Click a heading to sort, tick a row to open "
            "it in Explore.",
            n_rows=len(rows),
            n_every=len(every),
        )
    )
    if picked and picked[0] < len(rows):
        request = request_of(rows[picked[0]], requests)
        st.switch_page("pages/explore/explore.py", query_params=link(request))


def request_of(row: Finding, requests: Sequence[Request]) -> Request:
    """The request that a row is about: one text may be read with several questions."""
    return next(r for r in requests if (r.text, r.beside) == (row.text, row.beside))


def _table(rows: Sequence[Finding], key: str) -> list[int]:
    """The findings to sort and open; the places of those that are ticked."""
    share = st.column_config.NumberColumn(format="percent")
    length = st.column_config.NumberColumn(format=_("%.3f × mean norm"))
    columns = findings.columns(rows)
    for name in ("outcome", "goal met"):
        if name in columns:
            columns[name] = [_(value) for value in columns[name]]
    state: Any = st.dataframe(
        titled(columns),
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        alt=_("One row a sentence and model"),
        column_config=titled(
            {
                "text": st.column_config.TextColumn(width="large"),
                "p clean": share,
                "p attacked": share,
                "way to a word": share,
                "noise flips": share,
                "flips at ε": length,
                "‖δ‖ there": length,
            }
        ),
    )
    return state["selection"]["rows"]


def link(request: Request) -> dict[str, str]:
    """The address of one of the sentences on the Explore page, attacked as here."""
    return replace(request, label=None).query()
