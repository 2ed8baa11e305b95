"""Which settings should I choose? The form of a sweep, its runs while they train, its ranking."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from advlab.data import fitted
from advlab.data.corpora import CORPORA
from advlab.errors import AdvlabError
from advlab.language import _
from advlab.runs import jobs
from advlab.runs.config import SCRATCH, DataConfig, RunConfig
from advlab.runs.jobs import RunInfo
from advlab.runs.starters import shown_name, train_for
from advlab.settings import settings_of
from advlab.studies import sweep
from advlab.tasks import TASKS
from advlab.training.methods import METHODS, methods_for
from advlab.ui import KEEP, plain_text
from advlab.ui.parts import chart, said, section, table
from advlab.ui.train.run import RUNS

EVERY = 2.0  # seconds between looks at a sweep that is under way


def sweep_question() -> None:
    """The form, then the chosen sweep."""
    st.caption(
        _(
            "A small sweep: every combination is trained in the background, one after "
            "the other, beside plain training, and ranked by validation accuracy. It "
            "can be stopped and gone on with; the same sweep asked for again trains "
            "only what is missing."
        )
    )
    known = sweep.groups()
    with st.expander(_("A new sweep"), icon=":material/add_circle:", expanded=not known):
        _form()
    known = sweep.groups()
    if not known:
        return
    chosen = st.selectbox(
        _("Sweep"), list(known), format_func=lambda g: _title(known[g]), key="sweep.group"
    )
    infos = known[chosen] if chosen in known else next(iter(known.values()))
    active = any(info.active for info in infos)
    st.fragment(_watch, run_every=EVERY if active else None)(str(infos[0].group), active)


def _title(infos: list[RunInfo]) -> str:
    try:
        config = infos[0].config
    except AdvlabError:
        return _("settings of another version")
    done = sum(info.status == "done" for info in infos)
    data = (
        _(CORPORA[config.data.source].title)
        if config.data.source in CORPORA
        else config.data.source
    )
    return _(
        "{data} · {source} · {done} of {n_infos} done",
        data=data,
        source=config.model.source,
        done=done,
        n_infos=len(infos),
    )


def _form() -> None:
    columns = st.columns([3, 2, 2], vertical_alignment="bottom")
    with columns[0]:
        base, config = _base()
    epochs = columns[1].number_input(
        _("Epochs"),
        min_value=1,
        max_value=200,
        value=config.train.epochs,
        step=1,
        key=f"sweep.epochs.{base}",
    )
    seeds = columns[2].number_input(
        _("Seeds"),
        min_value=1,
        max_value=5,
        value=1,
        step=1,
        key="sweep.seeds",
        **KEEP,
        help=_("Each setting is trained this many times; more seeds tell more apart."),
    )
    task = TASKS[fitted(config.data).task]
    tried = [n for n in methods_for(task) if {s.name for s in settings_of(METHODS[n])} & {"eps"}]
    methods = st.multiselect(
        _("Methods"), tried, default=["fgm", "pgd", "freelb"], key="sweep.methods", **KEEP
    )
    columns = st.columns(2, vertical_alignment="bottom")
    eps = columns[0].text_input(
        _("ε, × mean norm"),
        "0.25 0.5",
        key="sweep.eps",
        **KEEP,
        help=_("Several, apart by spaces. Methods whose usual ε is another keep its proportion."),
    )
    steps = columns[1].text_input(
        _("Ascent steps K"), "3", key="sweep.steps", help=_("For methods that have them."), **KEEP
    )
    try:
        wanted = sweep.Sweep(
            tuple(methods),
            _floats(eps or ""),
            tuple(int(k) for k in _floats(steps or "")),
            tuple(range(int(seeds))),
            replace(config, train=replace(config.train, epochs=int(epochs), seed=0)),
        )
        runs = wanted.configs()
    except AdvlabError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
        return
    except ValueError:
        hint = _(
            "Expected numbers apart by spaces, got “{eps}” and “{steps}”; write them like 0.25 0.5",
            eps=eps,
            steps=steps,
        )
        st.error(plain_text(hint), icon=":material/error:")
        return
    _start(wanted, len(runs))


def _base() -> tuple[str, RunConfig]:
    """The title of what the sweep starts from, and its settings."""
    bases = _bases()
    base = st.selectbox(
        _("Data and model"),
        list(bases),
        key="sweep.base",
        help=_("Built-in corpora with the tiny model, or those of one of your runs."),
        **KEEP,
    )
    return base, bases[base if base in bases else next(iter(bases))]


def _start(wanted: sweep.Sweep, total: int) -> None:
    """The button that trains what of a sweep is not there yet."""
    left = len(sweep.missing(wanted))
    text = (
        _("Train {left} runs", left=left)
        if left == total
        else _("Train the {left} that are missing", left=left)
    )
    if st.button(
        text if left else _("All of these are there"),
        type="primary",
        disabled=not left,
        icon=":material/play_arrow:",
        key="sweep.start",
    ):
        group = sweep.submit(wanted)
        st.session_state["sweep.group"] = group
        st.rerun()


def _floats(text: str) -> tuple[float, ...]:
    return tuple(sorted({float(v.replace(",", ".")) for v in text.split()}))


def _bases() -> dict[str, RunConfig]:
    """Title -> data, model and training that a sweep may start from."""
    found = {}
    for name, corpus in CORPORA.items():
        train = train_for("tiny", "plain", corpus.task)
        if corpus.task == "classification":
            train = replace(train, epochs=5)  # enough to rank settings by
        data = DataConfig(name, task=corpus.task)
        found[_("{title}, tiny model", title=_(corpus.title))] = RunConfig(data=data, train=train)
    for info in jobs.runs():
        try:
            config = info.config
        except AdvlabError:
            continue
        if config.data.source in CORPORA and config.model.source in SCRATCH:
            continue
        found.setdefault(_("as in {name}", name=shown_name(info.name)), config)
    return found


def _watch(group: str, was_active: bool) -> None:
    """The runs, and what they come to so far; polled while any is under way."""
    infos = sweep.groups().get(group, [])
    active = any(info.active for info in infos)
    if was_active and not active:
        st.rerun()  # the timer goes with the page's next drawing
    done = sum(info.status == "done" for info in infos)
    now = next((info for info in infos if info.status == "running"), None)
    share = (done + (now.progress or 0.0 if now else 0.0)) / max(len(infos), 1)
    under_way = _("; training {name}", name=plain_text(now.name, 60)) if now else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(
            min(share, 1.0),
            _(
                "{done} of {n_infos} done{under_way}",
                done=done,
                n_infos=len(infos),
                under_way=under_way,
            ),
        )
        if active:
            st.button(
                _("Stop"),
                icon=":material/pause:",
                on_click=sweep.stop,
                args=(group,),
                key="sweep.stop",
            )
        elif any(info.resumable for info in infos):
            st.button(
                _("Go on"),
                icon=":material/play_arrow:",
                key="sweep.resume",
                on_click=_resume,
                args=(group,),
            )
    for info in infos:
        if info.status == "failed":
            st.error(plain_text(f"{shown_name(info.name)}: {info.error}"), icon=":material/error:")
    found = sweep.ranking(infos)
    if not found.settings:
        return
    said(found.advice)
    with section(
        _("Ranked"),
        _(
            "By the mean of clean accuracy and accuracy under PGD-5 at ε = {eps:g} × "
            "mean norm, on validation texts, with 95 % intervals. The test texts only "
            "judge what was chosen.",
            eps=found.eps,
        ),
        "sweep",
    ):
        chart(sweep.picture(found), "sweep.picture", _("Clean and robust accuracy of each setting"))
        table(sweep.columns(found), "sweep.table", _("Settings, the best first"))
    names = {info.id: shown_name(info.name) for info in infos}
    ids = [i for s in found.settings for i in s.ids]
    with st.expander(_("Open a run")), st.container(horizontal=True):
        for i in ids:
            st.page_link(RUNS, label=plain_text(names[i], 60), query_params={"run": i})


def _resume(group: str) -> None:
    for info in sweep.groups().get(group, []):
        if info.resumable:
            jobs.resume(info.id)
