"""The card of a lesson's step: its text, what it asks, what it reveals."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from advlab.language import _
from advlab.lessons import progress
from advlab.lessons.blocks import Check, Do, Lesson, Predict, Reveal, Step
from advlab.lessons.course import filled, shown
from advlab.pictures.style import NEUTRAL
from advlab.pictures.training import frame
from advlab.ui import plain_text
from advlab.ui.learn.pointer import pointer
from advlab.ui.learn.sketch import sketch
from advlab.ui.token_strip import Token, token_strip


@dataclass(frozen=True)
class Card:
    """A step with what it takes to draw it. `facts` measures when it is called, None: not yet."""

    lesson: Lesson
    step: Step
    facts: Callable[[], Any] | None
    go: Callable[[int], None]  # to another step

    @property
    def key(self) -> str:
        """What its widgets' keys begin with."""
        return f"lesson.{self.lesson.name}.{self.step.number}"


def body(card: Card) -> None:
    """Everything of the step, in its order."""
    facts = None
    if shown(card.step):
        missed = _unpredicted(card)
        if missed is not None:
            st.info(_("Here is what was measured. First say what you expect."))
            st.button(
                _("Predict first"),
                key=f"{card.key}.predict",
                type="primary",
                on_click=card.go,
                args=(missed,),
            )
            return
        if card.facts is None:
            st.info(_("This step shows what is measured, once the models are trained."))
            return
        with st.spinner(_("Measuring …")):
            facts = card.facts()
    for part in card.step.parts:
        if isinstance(part, str):
            st.markdown(_told(part, facts))
        elif isinstance(part, Predict):
            _predict(card, part)
        elif isinstance(part, Do):
            _do(card, part, facts)
        elif isinstance(part, Reveal):
            _reveal(card, part, facts)
        elif isinstance(part, Check):
            _check(card, part, facts)


def _unpredicted(card: Card) -> int | None:
    """The first step before this one whose prediction is not made."""
    before = [s for s in card.lesson.steps[: card.step.number - 1] if s.first(Predict)]
    said = (progress.predicted(card.lesson.name, s.number) for s in before)
    return next((s.number for s, one in zip(before, said, strict=True) if one is None), None)


def _told(text: str, facts: Any) -> str:
    return filled(text, facts, plain_text)


# ---- predict and reveal ----------------------------------------------------------------------------


def _predict(card: Card, asked: Predict) -> None:
    st.markdown(f"**{asked.ask}**")
    said = progress.predicted(card.lesson.name, card.step.number)
    if said is not None:
        st.success(
            _("You said: {said}. It is kept as you said it.", said=plain_text(spoken(asked, said))),
            icon=":material/lock:",
        )
        return
    value = ASKED[asked.kind](card, asked)
    if st.button(
        _("Keep my prediction"),
        key=f"{card.key}.keep",
        type="primary",
        icon=":material/lock:",
        disabled=value is None,
    ):
        progress.note(card.lesson.name, card.step.number, "predict", value)
        st.rerun()


def _choice(card: Card, asked: Predict) -> str | None:
    return st.radio(
        asked.ask,
        list(asked.options),
        index=None,
        format_func=asked.options.__getitem__,
        key=f"{card.key}.choice",
        label_visibility="collapsed",
    )


def _number(card: Card, asked: Predict) -> float | None:
    return st.number_input(
        f"{asked.ask} ({asked.unit})" if asked.unit else asked.ask,
        min_value=asked.low,
        max_value=asked.high,
        value=None,
        placeholder=f"{asked.low:g} – {asked.high:g} {asked.unit}",
        format="%g",
        key=f"{card.key}.number",
        label_visibility="collapsed",
    )


def _word(card: Card, asked: Predict) -> str | None:
    words = words_of(card.lesson.text)
    slot = f"{card.key}.word"
    chosen = st.session_state.get(slot)

    def choose(index: int) -> None:
        st.session_state[slot] = words[index]

    token_strip(
        [Token(word) for word in words],
        label=asked.ask,
        key=f"{slot}.strip",
        selected=words.index(chosen) if chosen in words else None,
        on_select=choose,
    )
    if chosen:
        st.caption(_("Your word: “{word}”", word=plain_text(chosen)))
    return chosen


def _curve(card: Card, asked: Predict) -> list[float] | None:
    st.caption(_("Draw with the pointer, or move each slider; then keep it."))
    return sketch(asked.at, asked.low, asked.high, key=f"{card.key}.curve")


ASKED: dict[str, Callable[[Card, Predict], Any]] = {
    "choice": _choice,
    "number": _number,
    "word": _word,
    "curve": _curve,
}


def words_of(text: str) -> list[str]:
    """The words and signs of a sentence that one may click: a full stop may be what matters."""
    return re.findall(r"[\w'’-]+|[^\w\s]", text)


def spoken(asked: Predict, value: Any) -> str:
    """A prediction, or what was measured, as people read it."""
    if asked.kind == "choice":
        return asked.options.get(str(value), str(value))
    if asked.kind == "word":  # a full stop may be meant
        return _("“{word}”", word=value)
    if asked.kind == "number" and isinstance(value, int | float):
        return f"{value:.3g} {asked.unit}".strip()
    if asked.kind == "curve" and isinstance(value, list | tuple):
        return " → ".join(f"{v:.2g}" for v in value)
    return str(value)


def measured(asked: Predict, facts: Any) -> Any:
    """What a prediction is compared with, in its own unit, as JSON has it."""
    value = getattr(facts, asked.fact)
    if asked.kind == "number":
        return round(float(value) * (100 if asked.unit == "%" else 1), 4)
    return [round(float(v), 4) for v in value] if asked.kind == "curve" else str(value)


def agrees(asked: Predict, said: Any, found: Any) -> bool | None:
    """Whether a prediction was right; None where it is not a matter of right or wrong."""
    if asked.kind == "curve":
        return None
    if asked.kind == "number":
        return abs(float(said) - float(found)) <= asked.within
    return str(said).casefold() == str(found).casefold()


def _reveal(card: Card, reveal: Reveal, facts: Any) -> None:
    asked = card.lesson.steps[reveal.of - 1].first(Predict)
    said = progress.predicted(card.lesson.name, reveal.of)
    if isinstance(asked, Predict) and said is not None:
        found = measured(asked, facts)
        progress.note(card.lesson.name, reveal.of, "done", said, found)
        right = agrees(asked, said, found)
        with st.container(border=True, key=f"{card.key}.reveal"):
            st.markdown(f"*{asked.ask}*")
            mark = {True: " ✓", False: " ✗", None: ""}[right]
            st.markdown(
                _("You said: **{said}**{mark}", said=plain_text(spoken(asked, said)), mark=mark)
            )
            st.markdown(_("Measured just now: **{found}**", found=plain_text(spoken(asked, found))))
            if asked.kind == "curve":
                _curves(card, asked, said, found)
    st.markdown(_told(reveal.cases[str(getattr(facts, reveal.by))], facts))


def _curves(card: Card, asked: Predict, said: list[float], found: list[float]) -> None:
    figure = frame("", asked.unit)
    for name, values, dash in ((_("you"), said, "dot"), (_("measured"), found, "solid")):
        figure["data"].append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": list(asked.at),
                "y": values,
                "line": {"width": 3, "dash": dash, "color": NEUTRAL},
            }
        )
    figure["layout"]["height"] = 260
    figure["layout"]["yaxis"]["range"] = [asked.low, asked.high]
    alt = _("What you drew, and what was measured")
    st.plotly_chart(figure, key=f"{card.key}.curves", alt=alt, config={"displayModeBar": False})


# ---- do and check ----------------------------------------------------------------------------------


def _do(card: Card, do: Do, facts: Any) -> None:
    done = card.step.number in progress.finished(card.lesson.name)
    icon = ":material/check_circle:" if done else ":material/touch_app:"
    box = st.success if done else st.info
    box(_told(do.ask, facts), icon=icon)
    if do.point and not done and card.facts is not None:  # else nothing stands beside the card yet
        pointer(do.point)


def _check(card: Card, check: Check, facts: Any) -> None:
    st.markdown(f"**{_told(check.ask, facts)}**")
    name, number = card.lesson.name, card.step.number
    given = [
        m.said for m in progress.lines() if (m.lesson, m.step, m.kind) == (name, number, "check")
    ]
    options = list(check.options)
    answer = st.radio(
        check.ask,
        options,
        index=options.index(given[-1]) if given and given[-1] in options else None,
        format_func=lambda o: _told(check.options[o], facts),
        key=f"{card.key}.check",
        label_visibility="collapsed",
    )
    if st.button(_("Check"), key=f"{card.key}.go", type="primary", disabled=answer is None):
        progress.note(name, number, "check", answer, check.answer)
        st.rerun()
    if not given:
        return
    if given[-1] == check.answer:
        st.success(_told(check.because, facts), icon=":material/check_circle:")
    else:
        st.warning(_("Not this one. Look again, and choose another."), icon=":material/replay:")
