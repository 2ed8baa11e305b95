"""Handing something in for a challenge: what is on the student's own pages, measured by the server."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from advlab.classroom import challenges
from advlab.classroom.challenges import Challenge
from advlab.classroom.export import CAPSULES
from advlab.classroom.measure import TEXTS
from advlab.classroom.room import Classroom, Student
from advlab.errors import AdvlabError
from advlab.language import _
from advlab.runs import jobs
from advlab.runs.config import DataConfig, home
from advlab.runs.disk import write_aside
from advlab.runs.starters import shown_name
from advlab.settings import plain
from advlab.ui import plain_text
from advlab.ui.classroom.place import EXPLORE
from advlab.ui.launch import warm_up
from advlab.ui.models import borrow

MOST_CAPSULES = 30  # of a student


def hand_in(room: Classroom, challenge: Challenge, student: Student) -> None:
    """What there is to hand in, and the button."""
    {"eps": _attack, "words": _words, "model": _model}[challenge.kind](room, challenge, student)


def _attack(room: Classroom, challenge: Challenge, student: Student) -> None:
    """The attack that the Explore page shows, where it is of this sentence on this model."""
    asked = {"a": challenge.model, "text": challenge.text}
    here = all(st.query_params.get(name) == value for name, value in asked.items())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            EXPLORE,
            label=_("Open the sentence in Explore"),
            icon=":material/search_insights:",
            query_params={**asked, "b": "", "attack": "pgd", "eps": "0.5", "unit": "norm"},
        )
        pressed = st.button(
            _("Hand in this attack"), type="primary", disabled=not here, key="class.hand_in"
        )
    if pressed:
        query = dict(st.query_params.items())
        _measured(room, challenge, student, lambda: _length(challenge, query))


def _length(challenge: Challenge, query: dict[str, str]) -> tuple[float, dict[str, Any]]:
    warm_up()
    from advlab.attacks import attack_settings
    from advlab.capsule.format import save
    from advlab.classroom.measure import length_of_flip
    from advlab.ui.explore.request import Request
    from advlab.ui.turns import check_work

    asked = Request.of(query)
    check_work(asked.attack, challenge.text, 1)
    with borrow(challenge.model) as victim:
        value, record = length_of_flip(
            victim, challenge.text, asked.attack, seed=asked.seed, shield=asked.shield
        )
        capsule = save(record, victim.tokenizer_hash)
    keep_capsule(f"challenge-{challenge.id}", capsule)
    return value, {"attack": attack_settings(asked.attack), "seed": asked.seed}


def keep_capsule(name: str, capsule: str) -> None:
    """Keep a capsule in the visitor's space, for the class's export; the oldest give way."""
    folder = home() / CAPSULES
    folder.mkdir(mode=0o700, exist_ok=True)
    known = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
    for old in known[: max(0, len(known) - MOST_CAPSULES + 1)]:
        old.unlink(missing_ok=True)
    write_aside(folder / f"{name}-{time.time_ns():x}.json", capsule.encode("utf-8", "replace"))


def _words(room: Classroom, challenge: Challenge, student: Student) -> None:
    """The changed sentence."""
    key = f"class.words.{challenge.id}"
    changed = st.text_area(
        _("The sentence, changed"), challenge.text, key=key, max_chars=500, height=68
    )
    if st.button(_("Hand in this sentence"), type="primary", key="class.hand_in"):
        _measured(room, challenge, student, lambda: _changed(challenge, changed or ""))


def _changed(challenge: Challenge, changed: str) -> tuple[float, dict[str, Any]]:
    warm_up()
    from advlab.classroom.measure import words_to_flip

    with borrow(challenge.model) as victim:
        return words_to_flip(victim, challenge.text, changed), {"text": changed[:500]}


def _model(room: Classroom, challenge: Challenge, student: Student) -> None:
    """A run of one's own."""
    own = [run for run in jobs.runs() if run.status == "done" and not jobs.is_shared(run)]
    if not own:
        st.caption(_("You have no finished run yet: start one under New run."))
        return
    names = {run.id: f"{shown_name(run.name)} · {run.id[-4:]}" for run in own}
    chosen = st.selectbox(_("Run"), list(names), format_func=names.__getitem__, key="class.run")
    if st.button(_("Hand in this run"), type="primary", key="class.hand_in"):
        _measured(room, challenge, student, lambda: _robust(challenge, chosen))


def _robust(challenge: Challenge, run_id: str) -> tuple[float, dict[str, Any]]:
    from advlab.classroom.measure import robustness, seconds_trained
    from advlab.errors import ClassError
    from advlab.ui.explore.examples import dataset_of

    run = jobs.run(run_id)
    if jobs.is_shared(run):
        raise ClassError(_("Hand in a run of your own."))
    seconds = seconds_trained(run)
    warm_up()
    data = dataset_of(json.dumps(plain(DataConfig(challenge.text))))
    examples = [example for example in data.test if example.answers]
    random.Random(0).shuffle(examples)
    with borrow(run_id) as victim:
        value = robustness(victim.naming(data.head), examples[:TEXTS])
    return value, {"run": run.name, "seconds": round(seconds, 1)}


def _measured(
    room: Classroom,
    challenge: Challenge,
    student: Student,
    measure: Callable[[], tuple[float, dict[str, Any]]],
) -> None:
    """Measure, and put the figure on the board; a reason where there is none."""
    try:
        with st.spinner(_("The server measures it …")):
            value, detail = measure()
        challenges.enter(room, challenge, student.id, value, detail)
    except AdvlabError as error:
        st.warning(plain_text(str(error)), icon=":material/info:")
        return
    about = challenge.about
    figure = about.form.format(value)
    st.success(_("On the board: {what} {figure}", figure=figure, what=about.figure))
