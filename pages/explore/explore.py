"""One sentence, attacked: what the perturbation is, where the gradient looks, what it reads as."""

from __future__ import annotations

import json
import traceback

import streamlit as st

from advlab.errors import AdvlabError
from advlab.records import AttackRecord
from advlab.ui import plain_text
from advlab.ui.launch import warm_up
from advlab.ui.state import borrow, load_victim


@st.cache_data(show_spinner=False, ttl="1h", max_size="256MiB")
def explored(
    model: str, weights: str, title: str, text: str, label: str | None, attack: str, seed: int
) -> AttackRecord:
    """One record. `weights` and `title` are in the key: a model may be retrained or renamed."""
    from advlab.attacks import build_attack
    from advlab.lab import explore

    with borrow(model) as victim:
        names = victim.label_names
        return explore(
            victim,
            text,
            label=names.index(label) if label in names else None,
            attack=build_attack(json.loads(attack)),
            seed=seed,
        )


def found(model: str, request: Request) -> AttackRecord | tuple[str, str]:
    """The record of one model; or what went wrong, and a detail to copy."""
    try:
        victim = load_victim(model)
        return explored(
            model, victim.hash, victim.name, request.text, request.label,
            json.dumps(attack_settings(request.attack)), request.seed,
        )  # fmt: skip
    except AdvlabError as error:
        return str(error), ""
    except Exception:  # a page shows no traceback; the detail is there to be copied
        return (
            "Something went wrong while attacking this sentence. Try another model or text.",
            traceback.format_exc(),
        )


st.title("Explore a sentence", anchor=False)
with st.spinner("Starting up …"):
    warm_up()
from advlab.attacks import attack_settings  # noqa: E402  it brings in torch, which is warm now
from advlab.ui.explore_form import Request, ask  # noqa: E402
from advlab.ui.explore_view import explore_view  # noqa: E402

request = ask()
if request is not None:
    if request.cut:
        st.caption(f"The text is long: the last {request.cut:,} characters are left out.")
    place = st.empty()  # always there, so that the picture below keeps its place meanwhile
    with place, st.spinner("Attacking …", show_time=True):
        results = [found(model, request) for model in request.models]
    kept = [result for result in results if isinstance(result, AttackRecord)]
    for problem in [result for result in results if not isinstance(result, AttackRecord)]:
        st.error(plain_text(problem[0]), icon=":material/error:")
        if problem[1]:
            with st.expander("Detail to copy into a report"):
                st.code(problem[1], language=None)
    if kept:
        explore_view(kept)
