"""The facts of a lesson, measured now on the models that are here, once for each of their weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from advlab.lessons.blocks import Lesson
from advlab.lessons.models import Pair
from advlab.runs import jobs
from advlab.settings import plain
from advlab.ui.explore.examples import dataset_of
from advlab.ui.models import borrow, weights_of

if TYPE_CHECKING:
    from advlab.lessons.facts import Models


def facts_of(lesson: Lesson, pair: Pair) -> Any:
    """What the lesson's text may name. AdvlabError where it cannot be measured."""
    ids = [run.id for run in pair]
    asked = [lesson.facts, lesson.text, lesson.beside, lesson.eps, lesson.texts]
    own = own_model(lesson)
    weights = [weights_of(i) for i in (*ids, *([own] if own else []))]
    return _facts(json.dumps([asked, weights, own]), lesson, pair, own)


def own_model(lesson: Lesson) -> str | None:
    """The learner's newest trained model of the lesson's task, besides the starter pairs."""
    if lesson.facts != "own":
        return None
    for run in jobs.runs():
        mine = run.status == "done" and run.folder.has_model and not run.group
        if mine and run.config.task == lesson.task and run.config.data.source == "reviews":
            return run.id
    return None


@st.cache_data(show_spinner=False, ttl="1h", max_entries=64)
def _facts(key: str, _lesson: Lesson, _pair: Pair, _own: str | None) -> Any:
    from advlab.lessons.facts import FACTS

    kind = FACTS[_lesson.facts]
    with borrow(_pair[0].id) as one, borrow(_pair[1].id) as other:
        if _own is None:
            return kind.observe(_models(_pair, one, other), _lesson)
        with borrow(_own) as own:
            return kind.observe(_models(_pair, one, other, own), _lesson)


def _models(pair: Pair, plain_one: Any, robust: Any, own: Any = None) -> Models:
    from advlab.lessons.facts import Models
    from advlab.runs.folder import timeline

    data = dataset_of(json.dumps(plain(pair[0].config.data)))
    diaries = [timeline(jobs.events(run.id).events) for run in pair]
    return Models(plain_one, robust, data.test, *diaries, own=own)
