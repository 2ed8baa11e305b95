"""Whether what a step asks for really happened, read off the pages themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from advlab.lessons.blocks import Do
from advlab.ui.learn.looks import Beside


def mark(lesson: str, step: int) -> None:
    """Remember that a page told of the act (a player that reached its frame)."""
    st.session_state[_told(lesson, step)] = True


def happened(do: Do, beside: Beside, step: int) -> bool:
    """Whether the act of a step is done by now."""
    return ACTS[do.act](do, beside, step)


def _told(lesson: str, step: int) -> str:
    return f"lesson.told.{lesson}.{step}"


def _drag(do: Do, beside: Beside, step: int) -> bool:
    return bool(st.session_state.get(_told(beside.lesson.name, step)))


def _run(do: Do, beside: Beside, step: int) -> bool:
    return all(st.session_state.get(f"{do.key}.{cast}.said") for cast in (False, True))


def _shield(do: Do, beside: Beside, step: int) -> bool:
    """Some word, or the one named, is shielded; `only`: more is shielded than one word."""
    from advlab.ui.explore.shield import shielded

    text = beside.lesson.text
    spans = shielded(text)
    covered = sum(end - start for start, end in spans)
    if do.only:
        return covered > len(text) / 2
    named = [text.find(word) for word in do.words]
    return bool(spans) and all(any(s <= at < e for s, e in spans) for at in named)


def _scale(do: Do, beside: Beside, step: int) -> bool:
    """δ was made so long that some token reads otherwise, or as long as it can be made."""
    from advlab.ui.explore.results import analysed

    for i, result in enumerate(beside.results):
        at = [k for k in st.session_state if str(k).startswith(f"factor{i}.")]
        whole = bool(st.session_state.get("projection.whole", False))
        changed = analysed(result, "scaled", whole=whole).changed if at else ()
        for key in at:
            place = int(st.session_state[key])
            if place == len(changed) - 1 or (place < len(changed) and changed[place].any()):
                return True
    return False


def _choose(do: Do, beside: Beside, step: int) -> bool:
    chosen = st.session_state.get(do.key)
    return do.value in chosen if isinstance(chosen, list | tuple) else str(chosen) == do.value


def _measure(do: Do, beside: Beside, step: int) -> bool:
    return _found(do, beside) is not None


def _found(do: Do, beside: Beside) -> Any:
    """What was measured of the lesson's models; None before that. A first look is no measurement."""
    kept = st.session_state.get(f"{do.key}.lesson.found")
    if not kept or not kept[0] or json.loads(kept[0])["models"] != list(beside.models):
        return None
    return kept[1]


def _train(do: Do, beside: Beside, step: int) -> bool:
    from advlab.ui.learn.own import started

    run = started()
    return run is not None and run.status == "done"


def _alarm(do: Do, beside: Beside, step: int) -> bool:
    """What was measured raised an alarm."""
    found = _found(do, beside)
    return bool(found is not None and found.alarms)


# what `Do.act` names -> whether it happened
ACTS: dict[str, Callable[[Do, Beside, int], bool]] = {
    "run": _run,
    "drag": _drag,
    "shield": _shield,
    "scale": _scale,
    "choose": _choose,
    "measure": _measure,
    "train": _train,
    "alarm": _alarm,
}
