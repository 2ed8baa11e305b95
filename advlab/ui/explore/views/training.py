"""The sentence through training: the same attack on the weights of each kept epoch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _
from advlab.pictures import next_look, openings
from advlab.pictures import through_training as timelapse
from advlab.pictures.style import side
from advlab.runs import jobs
from advlab.runs.standing import standing
from advlab.training.epochs import ROOM, kept
from advlab.ui.explore.results import Result
from advlab.ui.models import LOCAL, borrow, weights_of
from advlab.ui.parts import pointed, said, section, table
from advlab.ui.player import player


def through_training(results: Sequence[Result]) -> None:
    """Draw this view."""
    with section(
        _("The sentence through training"),
        _(
            "The same sentence, attack and seed on the weights of each kept epoch; ε "
            "counts in the same raw length throughout. Move the slider or play."
        ),
        "epoch",
        "flip_eps",
    ):
        sides, names, lapses = [], [], []
        place = st.empty()
        for i, result in enumerate(results):
            lapse = _lapse(result, side(i, result.record.model), place)
            if lapse:
                sides.append(i)
                names.append(result.record.model)
                lapses.append(lapse)
        place.empty()
        if not lapses:
            return
        for i, name, lapse in zip(sides, names, lapses, strict=True):
            whole = side(i, name) if len(results) > 1 else name
            said(f"{whole}: {openings.training(lapse)}", large=True)
            said(timelapse.changed_sentence(lapse))
        pointed(next_look.after_training([side(i) for i in sides], lapses))
        player(timelapse.reel(names, lapses, sides), key="timelapse")
        with st.expander(_("Numbers")):
            for i, lapse in zip(sides, lapses, strict=True):
                st.markdown(f"**{side(i)}**")
                table(
                    timelapse.columns(lapse), f"lapse_table{i}", _("The sentence after each epoch")
                )


def _lapse(result: Result, name: str, place: Any) -> list[Any]:
    """The moments of one run; empty, with the reason said, where there are none."""
    try:
        folder = None if result.model.startswith(LOCAL) else jobs.run(result.model).folder.path
    except AdvlabError:
        folder = None
    epochs = [] if folder is None else kept(folder)
    if folder is None or len(epochs) < 2:
        said(
            _(
                "{name} has no saved epochs: it was trained elsewhere, before advlab kept "
                "them, with `history` below 3, or it is too large ({room:,} MiB hold at "
                "most two of it).",
                name=name,
                room=ROOM >> 20,
            )
        )
        return []
    files = f"{weights_of(result.model)}.{epochs[0]}-{epochs[-1]}.{len(epochs)}"
    chosen = standing(jobs.events(result.model).events).best_epoch
    if chosen is not None:
        epochs = sorted({*epochs, chosen})
    memory = _memory(result.key, f"{files}.{chosen}")
    for done, epoch in enumerate(epochs):
        if epoch not in memory:
            place.progress(
                done / len(epochs),
                _("{name}: epoch {epoch} of {epochs} …", name=name, epoch=epoch, epochs=epochs[-1]),
            )
            memory[epoch] = _moment(result, str(folder), epoch, chosen)
    return [memory[epoch] for epoch in epochs]


@st.cache_resource(max_entries=24, ttl="1h", show_spinner=False)
def _memory(key: str, files: str) -> dict[int, Any]:
    """What was found so far: another visit goes on where one was stopped."""
    return {}


def _moment(result: Result, folder: str, epoch: int, chosen: int | None) -> Any:
    from pathlib import Path

    from advlab.attacks import build_attack
    from advlab.explain.through_training import look_at_epoch

    request = json.loads(result.key)
    with borrow(result.model) as victim:
        return look_at_epoch(
            Path(folder),
            victim,
            epoch,
            result.record.text,
            label=result.record.reference,
            beside=result.record.beside,
            attack=build_attack(request["attack"]),
            seed=request["seed"],
            shield=result.record.shield,
            goal=result.record.goal,
            chosen=chosen,
        )
