"""Looking at a sentence: records and what is made of them, computed once and kept in bounded caches.

A `Result` is a record with what it takes to ask its model for more. Every key holds the hash of the
weights, so a model that was trained again is looked at again.
"""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _, language
from advlab.pictures.wording import written
from advlab.records import AttackRecord, Written
from advlab.runs.limits import check_text
from advlab.ui.models import borrow, load_victim
from advlab.ui.turns import check_work

if TYPE_CHECKING:
    from advlab.ui.explore.request import Request


@dataclass(frozen=True)
class Result:
    """One model's record of the sentence. `key` is everything that the record depends on."""

    record: AttackRecord
    model: str  # id
    key: str


@dataclass(frozen=True)
class Problem:
    """Why there is no record, and a detail to copy (empty when the message says it all)."""

    message: str
    detail: str = ""


def attacked(model: str, request: Request) -> Result | Problem:
    """The request's sentence under one model."""
    from advlab.attacks import attack_settings

    try:
        check_work(request.attack, request.text, len(request.models))
        check_text(request.beside)
        victim = load_victim(model)
        key = json.dumps(
            {
                "model": model,
                "weights": victim.hash,
                "names": victim.head,
                "tokenizer": victim.tokenizer_hash,
                "title": victim.name,
                "text": request.text,
                "label": request.label,
                "attack": attack_settings(request.attack),
                "seed": request.seed,
                "shield": request.shield,
                "beside": request.beside,
                "goal": request.goal,
                "language": language(),  # a record has sentences of its own
            }
        )
        return Result(_record(key), model, key)
    except AdvlabError as error:
        return Problem(str(error))
    except Exception:  # a page shows no traceback; the detail is there to be copied
        return Problem(
            _("Something went wrong while attacking this sentence. Try another model or text."),
            traceback.format_exc(),
        )


def analysed(result: Result, name: str, **options: Any) -> Any:
    """One of `explore.ANALYSES` of a result, once; options must fit JSON. Raises AdvlabError."""
    return _analysis(result.key, name, json.dumps(options, sort_keys=True), result)


def written_of(result: Result, along: str = "eps") -> Written | None:
    """The tokens of the answers along a series of δ; None where answers are not written."""
    return analysed(result, "written", along=along) if written(result.record) else None


@st.cache_data(show_spinner=False, ttl="1h", max_size="256MiB")
def _record(key: str) -> AttackRecord:
    from advlab.attacks import build_attack
    from advlab.explain.explore import explore
    from advlab.tasks.names import own_name

    request = json.loads(key)
    with borrow(request["model"]) as victim:
        return explore(
            victim,
            request["text"],
            label=own_name(victim.head, request["label"] or "")
            if victim.head
            else request["label"],
            beside=request["beside"],
            goal=request["goal"],
            attack=build_attack(request["attack"]),
            seed=request["seed"],
            shield=[(start, end) for start, end in request["shield"]],
        )


@st.cache_data(show_spinner=False, ttl="1h", max_size="256MiB")
def _analysis(key: str, name: str, options: str, _result: Result) -> Any:
    from advlab.explain.explore import analyse

    with borrow(_result.model) as victim:
        return analyse(victim, _result.record, name, **json.loads(options))
