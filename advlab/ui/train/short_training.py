"""The same over a whole short training: a method against plain training, from the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _, speak
from advlab.pictures import convergence, looks
from advlab.pictures.style import side
from advlab.records import Example
from advlab.runs import jobs
from advlab.runs.config import ModelConfig, RunConfig, Watch
from advlab.runs.jobs import RunInfo
from advlab.ui import KEEP, plain_text
from advlab.ui.parts import folded, section, table
from advlab.ui.train.run import (
    EVERY,
    RUNS,
    badge,
    chart,
    diary,
    messages,
    method_title,
    progress,
    stand,
)
from advlab.ui.train.specimen import FRESH, Specimen

GROUP = "microscope"  # ties the two runs together in the queue
LIVE = "live"  # in the address: their ids, plain first
LENGTHS = (60, 120, 240, 480)  # optimiser steps
SIZE = 32  # texts of a batch
LOOKS = 12  # in a training, about


def short_training(specimen: Specimen, methods: Sequence[dict[str, Any]], pinned: Example) -> None:
    """The choice, the start, and both runs as they train."""
    with section(
        _("The same over a short training"),
        _(
            "A method against plain training, both from the weights above, on the same texts in the "
            "same order; in the background, as every run."
        ),
    ):
        against = [m for m in methods if m["name"] != "plain"]
        if not against:
            st.info(_("Choose a method other than plain training above."))
        else:
            _start(specimen, against, pinned)
        _live()


def configs(
    specimen: Specimen, method: dict[str, Any], steps: int, pinned: Example
) -> tuple[RunConfig, RunConfig]:
    """The plain run and that of the method, alike in everything else."""
    base, texts = specimen.config, specimen.texts
    epochs = max(1, round(steps * SIZE / texts))
    train = replace(
        base.train,
        epochs=epochs,
        batch_size=SIZE,
        eval_limit=64,
        history=0,
        choose="last",
        patience=None,
    )
    model = base.model
    if specimen.model != FRESH:  # it goes on from the weights that the run kept
        folder = jobs.run(specimen.model).folder.model
        model = ModelConfig(str(folder), base.model.max_length)
        train = replace(train, lr=base.train.lr / 2, clean_start=0.1)
    watch = Watch(
        every=max(1, steps // LOOKS),
        text=pinned.text,
        beside=pinned.beside,
        answer=pinned.answer or "",
    )
    limit = min(texts, -(-steps // epochs) * SIZE)
    plain = replace(
        base,
        name="",
        data=replace(base.data, limit=limit),
        model=model,
        method={"name": "plain"},
        train=train,
        watch=watch,
    )
    pair = plain, replace(plain, method=dict(method))
    with speak("en"):  # names are kept, and shown to each reader by `shown_name`
        return tuple(
            replace(c, name=_("Microscope: {method_title}", method_title=method_title(c)))
            for c in pair
        )  # type: ignore[return-value]


def _start(specimen: Specimen, methods: Sequence[dict[str, Any]], pinned: Example) -> None:
    left, right = st.columns(2)
    titles = [method_title(RunConfig(method=m)) for m in methods]
    place = left.selectbox(
        _("Against plain training"),
        range(len(methods)),
        format_func=titles.__getitem__,
        key="short.method",
        help=_("One of the methods above, with their ε and steps."),
    )
    fresh = specimen.model == FRESH
    steps = right.selectbox(
        _("Optimiser steps"), LENGTHS, index=3 if fresh else 1, key=f"short.steps.{fresh}", **KEEP
    )
    if fresh:
        st.caption(
            _(
                "A new model learns next to nothing in 120 steps, and while it knows nothing there is "
                "nothing to attack. Choose a trained model above to see the players at once."
            )
        )
    elif specimen.epoch is not None:
        st.caption(_("It begins from the weights that the run kept, not from those of an epoch."))
    if st.button(_("Train both"), type="primary", icon=":material/play_arrow:", key="short.start"):
        try:
            pair = configs(specimen, methods[place or 0], steps or LENGTHS[1], pinned)
            ids = [jobs.submit(config, group=GROUP) for config in pair]
        except AdvlabError as error:
            st.error(plain_text(str(error)), icon=":material/error:")
        else:
            st.query_params[LIVE] = ",".join(ids)


def _runs(ids: Sequence[str]) -> list[RunInfo]:
    return [jobs.run(one) for one in ids]


def _live() -> None:
    """The two runs of the address, drawn again while they train."""
    wanted = st.query_params.get(LIVE)
    if not wanted:
        return
    ids = wanted.split(",")[:2]
    try:
        runs = _runs(ids)
    except AdvlabError:
        st.warning(_("The runs of this link do not exist (any more). Train both anew."))
        return
    before = [r.status for r in runs]

    def poll() -> None:
        current = _runs(ids)
        if [r.status for r in current] != before:
            st.rerun()
        _pictures(current)

    active = any(r.active for r in runs)
    st.fragment(poll, run_every=EVERY if active else None, key="short.live")()


def _pictures(runs: Sequence[RunInfo]) -> None:
    named = [(method_title(r.config), diary(r)) for r in runs]
    for i, (column, run) in enumerate(zip(st.columns(len(runs)), runs, strict=True)):
        with column:
            name, events = named[i]
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain_text(side(i, name))}**")
                badge(run)
                st.page_link(
                    RUNS,
                    label=_("This run"),
                    icon=":material/monitoring:",
                    query_params={"run": run.id},
                )
            now = stand(run)
            if run.active:
                progress(run, now)
            messages(run, now)
            chart(
                convergence.players(events),
                f"short.players.{run.id}",
                _("Losses of both players by step"),
            )
    st.caption(
        _(
            "Loss of both players on each batch, smoothed, nats: the outer player's on the texts as "
            "they are, and what the inner player makes of it with δ; the inner gain lies between. "
            "Plain training has no inner player. The dotted upright line is where ε has reached its "
            "full value."
        )
    )
    _judged(named, runs)


def _judged(named: looks.Named, runs: Sequence[RunInfo]) -> None:
    from advlab.training.pinned import FARTHEST

    watch = runs[0].config.watch
    left, right = st.columns(2)
    with left:
        st.markdown(f"**{_('Accuracy on held-out texts')}**")
        chart(looks.accuracy(named), "short.accuracy", _("Accuracy of both runs by step"))
    with right:
        st.markdown(f"**{_('Smallest ε that flips the pinned sentence')}**")
        chart(looks.flips(named, FARTHEST), "short.flips", _("Flipping ε of both runs by step"))
    st.caption(
        _(
            "Every {every} steps, on {texts} texts that neither run trains on: right as they are "
            "(hollow, dotted), and still right under PGD-5 at ε = {eps} × mean norm (filled). With so "
            "few texts a difference below some 20 points may be chance. On the right “{sentence}”: "
            "0 where it is misread, {farthest} where no ε up to there flips it.",
            every=watch.every,
            texts=watch.texts,
            eps=f"{runs[0].config.train.eval_eps:g}",
            sentence=plain_text(watch.text, 120),
            farthest=f"{FARTHEST:g}",
        )
    )
    if fold := folded("short.numbers"):
        with fold:
            for i, (name, events) in enumerate(named):
                st.markdown(f"**{plain_text(side(i, name))}**")
                table(looks.columns(events), f"short.table{i}", _("Every look in numbers"))
