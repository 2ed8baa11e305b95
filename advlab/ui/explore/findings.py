"""Many sentences attacked for a table: what was found is kept, the large records behind it are not.

A record of a real model takes megabytes, a `Finding` a few hundred bytes. So the findings of a model
under one attack stay for an hour, all of them, and a filter or another page attacks nothing again.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from advlab.attacks import Attack, attack_settings
from advlab.errors import AdvlabError
from advlab.language import _
from advlab.pictures import findings as pictures
from advlab.records import Example
from advlab.records.measured import Finding
from advlab.studies.kept import Progress
from advlab.tasks.names import own_name
from advlab.ui.explore.results import Problem
from advlab.ui.models import borrow, load_victim
from advlab.ui.turns import check_work


class Question(NamedTuple):
    """What is asked of a model about one example."""

    text: str
    truth: str | None  # its class or answer, where it is known
    beside: str = ""

    @staticmethod
    def of(example: Example) -> Question:
        """That of an example."""
        return Question(example.text.strip(), example.answer, example.beside)


MOST = 512  # models with one attack and seed whose findings are kept


def findings(model: str, attack: Attack, seed: int, goal: str = "") -> dict[Question, Finding]:
    """What was found so far under these; `attack_all` adds to it. AdvlabError without the model."""
    victim = load_victim(model)
    key = {"model": model, "weights": victim.hash, "title": victim.name, "seed": seed}
    key |= {"names": victim.head, "tokenizer": victim.tokenizer_hash}
    return _kept(json.dumps(key | {"attack": attack_settings(attack), "goal": goal}))


def attack_all(
    model: str,
    questions: Sequence[Question],
    attack: Attack,
    seed: int,
    progress: Progress = lambda share, what: None,
    goal: str = "",
) -> list[Finding | Problem]:
    """One finding a text, in order. Stopped half-way, it goes on from there the next time."""
    try:
        known = findings(model, attack, seed, goal)
    except AdvlabError as error:
        return [Problem(str(error))]
    found: list[Finding | Problem] = []
    for done, question in enumerate(questions):
        progress(
            done / len(questions),
            _("Attacking {done} of {n_questions}", done=done + 1, n_questions=len(questions)),
        )
        if question not in known:
            made = _attacked(model, question, attack, seed, goal)
            if isinstance(made, Problem):
                found.append(made)
                continue
            known[question] = made
        found.append(known[question])
    return found


def _attacked(
    model: str, question: Question, attack: Attack, seed: int, goal: str
) -> Finding | Problem:
    """As Explore attacks the sentence, on the model's own prediction: so a wrong one is told apart."""
    from advlab.explain.explore import explore

    text, truth, beside = question
    try:
        check_work(attack, text, 1)
        with borrow(model) as victim:
            record = explore(victim, text, beside=beside, attack=attack, seed=seed, goal=goal)
            known = own_name(victim.head, truth) if truth and victim.head else truth
            exact = None
            if known is not None:
                example = Example("text", text, (known,), beside)
                exact = bool(victim.task.quality(record.clean.answers[0], example)["exact"])
        return pictures.finding(record, known, exact=exact)
    except AdvlabError as error:
        return Problem(str(error))
    except Exception:  # a page shows no traceback; the detail is there to be copied
        return Problem(
            _("Something went wrong while attacking a sentence. Try another model or text."),
            traceback.format_exc(),
        )


@st.cache_resource(max_entries=MOST, ttl="1h", show_spinner=False)
def _kept(key: str) -> dict[Question, Finding]:
    return {}
