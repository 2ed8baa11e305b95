"""The example that is attacked: its text, what stands beside it, its answer; as the task has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from advlab.language import _
from advlab.records import Example
from advlab.tasks import Task
from advlab.tasks.base import Aims
from advlab.tasks.names import own_name
from advlab.ui import KEEP
from advlab.ui.explore.request import LIMIT, LONGEST
from advlab.ui.models import answers_of, task_of

FIRST = Example("first", "The soup was hot, but I would never eat there again.")
OWN = ""  # no answer was given: the attack is on what the model says itself
_TASK = "explore.task"  # of the model that the text on the page was for


def example_for(task: Task) -> Example:
    """What a first visit to a model of this task looks at."""
    from advlab.data.corpora import CORPORA, shown

    if task.named:
        return FIRST
    corpora = (corpus for corpus in CORPORA.values() if corpus.task == task.name)
    return next((shown(corpus.build())[0] for corpus in corpora), FIRST)


def ask_texts(model: str, known: Mapping[str, str], turn: str) -> tuple[str, str]:
    """Draw the text, and what stands beside it where the task has that; both as they are typed.

    A model of another task than before brings a text of its own, since none of the last one's fits.
    """
    task = task_of(model)
    before = st.session_state.get(_TASK, task.name)
    st.session_state[_TASK] = task.name
    if before != task.name and "text" not in known:
        put(task, example_for(task), turn)
    first = known if "text" in known else {}
    if f"{turn}.text" not in st.session_state:
        own = example_for(task)
        put(
            task,
            Example("", first.get("text", own.text), (), first.get("beside", own.beside)),
            turn,
        )
    beside = ""
    if task.beside:
        beside = (
            st.text_input(
                _(task.beside.title),
                key=f"{turn}.beside",
                max_chars=LIMIT,
                **KEEP,
                help=_("Read with the text. It is attacked only where the model was trained so."),
            )
            or ""
        )
    text = (
        st.text_area(
            _(task.text.title),
            key=f"{turn}.text",
            height=68 if task.named else "content",
            **KEEP,
            help=_(
                "Any text. Press Enter, or the button, to attack it; Shift+Enter begins a line. From"
                " elsewhere on the page, / leads here, and ← and → go through the examples."
            ),
        )
        or ""
    )
    return text, beside.strip()


def put(task: Task, example: Example, turn: str) -> None:
    """Set the text on the page, and what stands beside it."""
    st.session_state[f"{turn}.text"] = example.text
    if task.beside:
        st.session_state[f"{turn}.beside"] = example.beside[:LIMIT]


def ask_answer(
    fold: Any, model: str, known: Mapping[str, str], turn: str
) -> tuple[str | None, Callable[[Example], None]]:
    """The answer that is attacked, drawn where `fold` is open, and what takes an example over."""
    task, key = task_of(model), f"{turn}.label"
    labels = [OWN, *answers_of(model)] if task.named else []
    given = st.session_state.get(key, known.get("label", OWN))
    if labels and given not in labels:
        given = own_name(labels[1:], given) or OWN
    if st.session_state.get(key) != given:
        st.session_state[key] = given

    def use(example: Example) -> None:
        put(task, example, turn)
        answer = example.answer or OWN
        st.session_state[key] = (own_name(labels[1:], answer) or OWN) if labels else answer

    title = _(task.reference.title)
    if fold.open and labels:
        fold.selectbox(
            title,
            labels,
            key=key,
            **KEEP,
            format_func=lambda n: _("not given: the model's own prediction") if n == OWN else n,
            help=_("The attack raises the loss of this class (a targeted one lowers it)."),
        )
    elif fold.open:
        fold.text_input(
            title,
            key=key,
            **KEEP,
            placeholder=_("not given: what the model says itself"),
            help=_("The attack raises the loss of this answer (a targeted one lowers it)."),
        )
    return st.session_state[key].strip() or None, use


def ask_goal(fold: Any, model: str, known: Mapping[str, str], turn: str) -> str:
    """What the attack aims at beside the loss, drawn where `fold` is open; empty: the loss."""
    task = task_of(model)
    if not isinstance(task, Aims):
        return ""
    name, _colon, words = known.get("goal", "").partition(":")
    st.session_state.setdefault(f"{turn}.goal", name if name in task.goals else OWN)
    st.session_state.setdefault(f"{turn}.words", words)
    # once drawn and folded away again, a widget keeps its value only if it is written anew
    for key in (f"{turn}.goal", f"{turn}.words"):
        st.session_state[key] = st.session_state[key]
    chosen = st.session_state[f"{turn}.goal"]
    if fold.open:
        left, right = fold.columns(2)
        chosen = left.selectbox(
            _("Goal"),
            [OWN, *task.goals],
            key=f"{turn}.goal",
            **KEEP,
            format_func=lambda n: (
                _("another answer: the loss is raised") if n == OWN else _goal(task, n)
            ),
            help=_(
                "What the attack works towards. For a whole answer of your own, give it and choose"
                " ‘targeted’ among the attack's settings."
            ),
        )
        if chosen != OWN and task.goals[chosen][1]:
            right.text_input(
                _("Words that are to appear"), key=f"{turn}.words", max_chars=LONGEST - 20, **KEEP
            )
    if chosen == OWN or not task.goals[chosen][1]:
        return chosen
    return f"{chosen}:{st.session_state[f'{turn}.words'].strip()}"


def _goal(task: Aims, name: str) -> str:
    """A goal's meaning, as the list has it."""
    return {
        "other": _("no word of the answer stays in its place"),
        "keyword": _("words of your own appear in the answer"),
    }.get(name, task.goals[name][0])
