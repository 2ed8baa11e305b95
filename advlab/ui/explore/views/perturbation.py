"""Where the perturbation sits, how the search went, and δ itself."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab.pictures import attributions, doubts, sentences, tables
from advlab.pictures.reel import film, sweep
from advlab.pictures.style import side
from advlab.records import Frames, Noise
from advlab.ui.explore.results import Look, analysed
from advlab.ui.explore.shield import locks
from advlab.ui.explore.views.round_trip import said
from advlab.ui.parts import beside, chart, numbers, section, table
from advlab.ui.player import player


def perturbation(looks: Sequence[Look]) -> None:
    """Draw this view."""
    records = [look.record for look in looks]
    with section(
        "Where the perturbation sits",
        "Move ε: the bars are δ on each token, as a length, as its part of the whole, or as how far"
        " the token is on its way to becoming another (100 %: it is one, and is named).",
    ):
        for _, look in beside(looks):
            said(sentences.distance_sentence(look.record))
        frames: list[Frames] = [analysed(look, "sweep") for look in looks]
        noise: list[Noise] = [analysed(look, "noise") for look in looks]
        player(sweep(records, frames, noise), key="sweep_tokens")
        for _ in numbers("norms.numbers", "Numbers at the attack's own ε"):
            for i, look in beside(looks):
                percent = st.column_config.NumberColumn(format="percent")
                table(
                    tables.token_columns(look.record),
                    f"norms_table{i}",
                    "δ per token",
                    **{
                        "share of ‖δ‖²": percent,
                        "share of exit radius": percent,
                        "‖δ‖ ÷ ‖e‖": percent,
                    },
                )
    with section(
        "Attack only some words",
        "Click words to shield them from the attack, or attack nothing else. Everything on this page"
        " follows, and the link keeps it.",
    ):
        locks(records[0])
    with section(
        "The attack as a film",
        "Step by step: the loss of the attacked class, its margin over the strongest rival, its"
        " probability beside that of random noise as long, and δ on each token.",
    ):
        said(
            " ".join(
                side(i, f"{sentences.loss_sentence(r)} {doubts.attack_health(r)}".strip())
                for i, r in enumerate(records)
            )
        )
        shots: list[Frames] = [analysed(look, "film") for look in looks]
        player(film(records, shots, noise), key="film")
        for _ in numbers("steps.numbers"):
            for i, look in beside(looks):
                table(
                    tables.step_columns(look.record, shots[i]),
                    f"steps_table{i}",
                    "Loss, margin and δ per step",
                )
    with section(
        "δ, dimension by dimension",
        f"The {attributions.TOP} dimensions that hold most of δ, largest first, one colour range for"
        " all models; on the right what they leave out. A dimension by itself means nothing, but a"
        " perturbation of few dimensions looks unlike one of many.",
    ):
        limit = max(attributions.delta_limit(r) for r in records)
        for i, look in beside(looks):
            chart(
                attributions.delta(look.record, limit),
                f"delta{i}",
                f"δ by token and dimension. {attributions.delta_sentence(look.record)}",
            )
            said(
                f"{attributions.delta_sentence(look.record)} Colours: ±{sentences.number(limit)} raw."
            )
            for _ in numbers(f"delta{i}.numbers"):
                table(attributions.delta_columns(look.record), f"delta_table{i}", "δ by dimension")
