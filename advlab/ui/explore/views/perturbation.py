"""Where the perturbation sits, how the search went, and δ itself."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab.language import _, in_a_row
from advlab.pictures import dimensions, doubts, next_look, openings, sentences, tables
from advlab.pictures.reel import film, sweep
from advlab.pictures.style import side
from advlab.records import AttackRecord, Frames, Noise
from advlab.ui.explore.results import Result, analysed, written_of
from advlab.ui.explore.shield import locks
from advlab.ui.parts import beside, chart, folded, pointed, said, section, table
from advlab.ui.player import player


def perturbation(results: Sequence[Result]) -> None:
    """Draw this view."""
    records = [result.record for result in results]
    with section(
        _("Where the perturbation sits"),
        _(
            "Move ε: the bars are δ on each token, as a length, as its part of the "
            "whole, or as how far the token is on its way to becoming another (100 %: "
            "it is one, and is named)."
        ),
        *("delta", "eps", "units", "norm", "ball", "exit_radius"),
    ):
        for __, result in beside(results):
            record = result.record
            said(openings.perturbation(record), large=True, hover=_length(record))
            said(sentences.distance_sentence(record))
        pointed(next_look.after_perturbation(records))
        frames: list[Frames] = [analysed(result, "sweep") for result in results]
        noise: list[Noise] = [analysed(result, "noise") for result in results]
        written = [written_of(result) for result in results]
        player(sweep(records, frames, noise, written), key="sweep_tokens")
        _lengths(results)
    with section(
        _("Attack only some words"),
        _(
            "Click words to shield them from the attack, or attack nothing else. "
            "Everything on this page follows, and the link keeps it."
        ),
        "shield",
    ):
        locks(records[0])
    with section(
        _("The attack as a film"),
        _(
            "Step by step: the loss of the attacked answer, its margin over the "
            "strongest rival, its probability beside that of random noise as long, and "
            "δ on each token."
        ),
        *("film", "loss", "margin", "noise_band", "ball_projection", "flip"),
    ):
        said(
            in_a_row(
                *(
                    side(i, in_a_row(sentences.loss_sentence(r), doubts.attack_health(r)))
                    for i, r in enumerate(records)
                )
            )
        )
        shots: list[Frames] = [analysed(result, "film") for result in results]
        written = [written_of(result, along="steps") for result in results]
        player(film(records, shots, noise, written), key="film")
        if fold := folded("steps.numbers"):
            with fold:
                for i, result in beside(results):
                    table(
                        tables.step_columns(result.record, shots[i]),
                        f"steps_table{i}",
                        _("Loss, margin and δ per step"),
                    )
    with section(
        _("δ, dimension by dimension"),
        _(
            "The {top} dimensions that hold most of δ, largest first, one colour range "
            "for all models; on the right what they leave out. A dimension by itself "
            "means nothing, but a perturbation of few dimensions looks unlike one of "
            "many.",
            top=dimensions.TOP,
        ),
        "dimension",
    ):
        _dimensions(results)


def _length(record: AttackRecord) -> str:
    """How long δ is on its longest token, in all three units, for the pointer."""
    return _(
        "longest ‖δ‖ = {length}",
        length=sentences.units(float(record.delta_norm.max()), record.scale),
    )


def _lengths(results: Sequence[Result]) -> None:
    """The numbers behind the bars, folded away."""
    if fold := folded("norms.numbers", _("Numbers at the attack's own ε")):
        with fold:
            for i, result in beside(results):
                percent = st.column_config.NumberColumn(format="percent")
                table(
                    tables.token_columns(result.record),
                    f"norms_table{i}",
                    _("δ per token"),
                    **{
                        "share of ‖δ‖²": percent,
                        "share of exit radius": percent,
                        "‖δ‖ ÷ ‖e‖": percent,
                    },
                )


def _dimensions(results: Sequence[Result]) -> None:
    """δ by token and dimension, in one colour range."""
    limit = max(dimensions.delta_limit(result.record) for result in results)
    for i, result in beside(results):
        chart(
            dimensions.delta(result.record, limit),
            f"delta{i}",
            _(
                "δ by token and dimension. {delta_sentence}",
                delta_sentence=dimensions.delta_sentence(result.record),
            ),
        )
        colours = _("Colours: ±{limit} raw.", limit=sentences.number(limit))
        said(in_a_row(dimensions.delta_sentence(result.record), colours))
        if fold := folded(f"delta{i}.numbers"):
            with fold:
                table(
                    dimensions.delta_columns(result.record), f"delta_table{i}", _("δ by dimension")
                )
