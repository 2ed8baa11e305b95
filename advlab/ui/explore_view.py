"""How the Explore page draws its records: six tabs, models side by side, a table beside each chart.

Only the open tab is drawn, in a fragment, so that changing tabs or tokens does not attack again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import streamlit as st

from advlab import planes, plots, scrubber, story, tables
from advlab.records import AttackRecord
from advlab.ui import plain_text
from advlab.ui.round_trip import round_trip_html, said
from advlab.ui.tokens import Token, token_strip

CONFIG = {"displayModeBar": False, "responsive": True}
METRICS = {
    "l2": "L2: the distance in which δ is measured",
    "cosine": "Cosine: the angle alone, blind to length",
    "dot": "Dot product: favours long vectors; not a distance",
}
Pick = Callable[[AttackRecord], Any]


@st.fragment
def explore_view(records: Sequence[AttackRecord]) -> None:
    """Everything that was found about one sentence under one or two models."""
    records = list(records)
    views: dict[str, Callable[[list[AttackRecord]], None]] = {
        "Overview": _overview,
        "Perturbation": _perturbation,
        "Saliency": _saliency,
        "Nearest tokens": _nearest,
        "Geometry": _geometry,
        "Data": _data,
    }
    tabs = st.tabs(list(views), key="view", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, views.values(), strict=True):
        if tab.open:
            with tab:
                draw(records)


@contextmanager
def _section(title: str, how: str) -> Iterator[None]:
    """A heading, and one sentence on how to read what follows."""
    st.subheader(title, anchor=False)
    st.caption(how)
    yield


def _chart(figure: Any, key: str, alt: str) -> None:
    st.plotly_chart(figure, key=key, alt=alt, config=CONFIG)


def _table(columns: tables.Columns, key: str, alt: str, **column_config: Any) -> None:
    st.dataframe(
        columns, key=key, alt=alt, hide_index=True, column_config=column_config or None
    )  # fmt: skip


def _beside(records: list[AttackRecord]) -> Iterator[tuple[int, AttackRecord]]:
    """One column a model, named; stacked where the screen is narrow."""
    columns = st.columns(len(records)) if len(records) > 1 else [st.container()]
    for i, (record, column) in enumerate(zip(records, columns, strict=True)):
        with column:
            if len(records) > 1:
                st.markdown(f"**{'AB'[i]}: {plain_text(record.model, 60)}**")
            yield i, record


def _overview(records: list[AttackRecord]) -> None:
    for _, record in _beside(records):
        said(story.headline(record), large=True)
        said(f"{story.noise_sentence(record)} ε = {story.units(record.eps, record.scale)}.")
        for note in record.notes:
            said(note)
    for i, record in _beside(records):  # apart from the words, so that the charts stand level
        _chart(
            plots.predictions(record),
            f"predictions{i}",
            f"Class probabilities of five versions of the sentence. {story.headline(record)}",
        )
        with st.expander("Numbers"):
            names = tables.distinct(record.label_names)
            percent = st.column_config.NumberColumn(format="percent")
            _table(
                tables.prediction_columns(record), f"predictions_table{i}",
                "Class probabilities", **dict.fromkeys(names, percent),
            )  # fmt: skip
    st.caption(
        "How to read it: each row is one version of the sentence, each mark a class, the large mark"
        f" the prediction. {_draws([len(r.random) for r in records])} The last two rows read the"
        " perturbed vectors as words."
    )
    with _section(
        "Drag ε",
        "Lines are the attack, a cross marks where the prediction flips."
        f" {_draws([r.curve.draws for r in records])} Drag the slider: the bars below are ‖δ‖ per"
        " token (× mean norm) at that ε.",
    ):
        found = "; ".join(
            f"{plots.side(i, r)}: {story.attack_sentence(r)}" for i, r in enumerate(records)
        )
        _chart(scrubber.scrubber(records), "scrubber", f"Probability against ε. {found}")
        with st.expander("Numbers"):
            for i, record in _beside(records):
                _table(tables.curve_columns(record), f"curve_table{i}", "Probability against ε")


def _draws(counts: list[int]) -> str:
    """What the bands are, with how many draws where that is recorded."""
    known = sorted({n for n in counts if n})
    many = f"{' and '.join(map(str, known))} " if known else ""
    return f"Bands are the range of {many}random perturbations of the same length."


def _perturbation(records: list[AttackRecord]) -> None:
    limit = max(float(r.delta_norm.max()) / r.scale.mean_norm for r in records)
    with _section(
        "Where the perturbation sits",
        "Each bar is the length of δ on one token. The percentage is how far that token is on its"
        " way to becoming another token; at 100 % it would. Same scale for both models.",
    ):
        for i, record in _beside(records):
            said(story.distance_sentence(record))
            _chart(
                plots.token_norms(record, limit, i), f"norms{i}",
                f"Length of δ per token. {story.distance_sentence(record)}",
            )  # fmt: skip
            with st.expander("Numbers"):
                percent = st.column_config.NumberColumn(format="percent")
                _table(
                    tables.token_columns(record), f"norms_table{i}", "δ per token",
                    **{"share of ‖δ‖²": percent, "share of exit radius": percent,
                       "‖δ‖ ÷ ‖e‖": percent},
                )  # fmt: skip
    with _section(
        "Is it text?",
        "Top to bottom: the sentence, the perturbed vectors (+: ‖δ‖ of each), the tokens nearest to"
        " them, and the text that these spell, tokenised again. A model reads all four; a vector is"
        " no word.",
    ):
        for _, record in _beside(records):
            st.html(round_trip_html(record))
    with _section(
        "How the attack searched",
        "The star is the step that was kept, the cross the first one that changed the prediction.",
    ):
        said(" ".join(f"{'AB'[i]}: {story.loss_sentence(r)}" for i, r in enumerate(records)))
        found = " ".join(story.loss_sentence(r) for r in records)
        _chart(plots.losses(records), "losses", f"Loss against attack step. {found}")
        with st.expander("Numbers"):
            for i, record in _beside(records):
                _table(tables.step_columns(record), f"steps_table{i}", "Loss per step")


def _saliency(records: list[AttackRecord]) -> None:
    with _section(
        "Where the gradient looks",
        "Blue words speak for the explained class, orange ones against it; saliency (left) has no"
        " sign: it is how sensitive the model is, not what a word contributes.",
    ):
        shared = len(records) > 1 and st.toggle(
            "Same colour scale for both models", value=True, key="shared_scale"
        )
        common = plots.saliency_limits(records)
        for i, record in _beside(records):
            limits = common if shared else plots.saliency_limits([record])
            said(story.completeness_sentence(record))
            target = next((s.target for s in record.saliency.values()), "the prediction")
            _chart(
                plots.saliency(record, limits), f"saliency{i}",
                f"Saliency per word of the {target}, clean and perturbed",
            )  # fmt: skip
            ranges = ", ".join(
                f"{story.METHOD_NAMES.get(m, m)} {'±' if record.saliency[m].signed else 'up to '}"
                f"{story.number(v)}"
                for m, v in limits.items()
                if m in record.saliency
            )
            said(f"Explained: {target}. Colour ranges: {ranges}. Sub-words are added up to words.")
            said(story.remainder_sentence(record))
            with st.expander("Numbers"):
                _table(tables.saliency_columns(record), f"saliency_table{i}", "Saliency per word")


def _nearest(records: list[AttackRecord]) -> None:
    with _section(
        "What the perturbed vectors are nearest to",
        "Own rank 1 means that the token is still nearest to its own vector, so it reads as before."
        " The margin is the gap between the nearest and the second nearest.",
    ):
        metric = st.segmented_control(
            "Metric", list(METRICS), default="l2", required=True, key="metric",
            format_func={"l2": "L2", "cosine": "cosine", "dot": "dot"}.__getitem__,
        ) or "l2"  # fmt: skip
        st.caption(METRICS[metric])
        for i, record in _beside(records):
            found = record.neighbours.get(metric)
            if found is None:
                said("Not computed for this metric.")
                continue
            moved = int(((found.own_rank > 1) & record.perturbable).sum())
            said(
                f"{moved} of {int(record.perturbable.sum())} tokens are nearest to another one."
                f" {found.excluded} special and unused vocabulary rows are left out; a token's own"
                " row always takes part. Exit radius: how long δ must be, in its direction, for"
                " another token to be nearer (L2); empty where none lies that way."
            )
            _table(
                tables.neighbour_columns(record, metric), f"nearest_table{i}", "Nearest tokens"
            )  # fmt: skip


def _geometry(records: list[AttackRecord]) -> None:
    first = records[0]
    alike = [r for r in records if r.tokens == first.tokens]
    choices = sorted({int(p.token) for r in alike for p in r.planes})
    if not choices:
        said("There is no perturbed token to look at.")
        return
    longest = max(choices, key=lambda t: float(first.delta_norm[t]))
    if st.session_state.get("token") not in choices:
        st.session_state["token"] = longest

    def choose(index: int) -> None:
        if index in choices:
            st.session_state["token"] = index

    with _section(
        "One token's neighbourhood",
        "The arrow is δ, exact. Each shade is where another token would be nearest, measured in all"
        " dimensions; grey is the token's own cell, the dotted mark its exit radius. Faint"
        " points lie far out of this plane.",
    ):
        token_strip(
            _strip(first, choices), label="Choose a token", key="strip",
            selected=st.session_state["token"], on_select=choose,
        )  # fmt: skip
        token = st.selectbox(
            "Token", choices, key="token",
            format_func=lambda t: f"{t}: {first.tokens[t]}",
            help="The tokens with the largest δ.",
        )  # fmt: skip
        lens = st.segmented_control(
            "Scale", [False, True], default=False, required=True, key="lens",
            format_func={False: "True scale", True: "Lens on δ"}.__getitem__,
        ) or False  # fmt: skip
        for i, record in _beside(records):
            plane = _plane_for(first, record, token)
            if plane is None:
                said("No picture: they are made for the tokens with this model's largest δ.")
                continue
            said(
                f"‖δ‖ = {story.number(plane.delta)} raw, exit radius"
                f" {story.number(plane.exit_radius)} raw. The lens magnifies"
                f" {story.number(planes.magnification(plane))} ×."
            )
            _chart(
                planes.plane_figure(record, plane, lens=lens), f"plane{i}",
                f"{'Lens' if lens else 'True scale'}: δ of one token, length"
                f" {story.number(plane.delta)}, and its nearest vocabulary vectors",
            )  # fmt: skip


def _strip(record: AttackRecord, choices: list[int]) -> list[Token]:
    top = float(record.delta_norm.max()) or 1.0
    return [
        Token(
            text=t,
            value=story.number(float(record.delta_norm[k])) if record.perturbable[k] else "special",
            weight=float(record.delta_norm[k]) / top,
            title=f"{t}: ‖δ‖ = {story.number(float(record.delta_norm[k]))} raw",
            off=k not in choices,
        )
        for k, t in enumerate(record.tokens)
    ]


def _plane_for(first: AttackRecord, record: AttackRecord, token: int) -> Any:
    """The plane of the same token; where tokenizers differ, of the first token of the same word."""
    if record.tokens != first.tokens:
        word = int(first.word_of[token])
        rows = np.flatnonzero(record.word_of == word) if record.words == first.words else []
        token = int(rows[0]) if len(rows) else -1
    return next((p for p in record.planes if p.token == token), None)


def _data(records: list[AttackRecord]) -> None:
    with _section(
        "Settings and downloads",
        "Everything needed to repeat this: model, text, attack, seed. JSON holds every number.",
    ):
        for i, record in _beside(records):
            _table(
                {
                    "setting": ["text", "model", "weights", "seed", "ε", "seconds", *record.attack],
                    "value": [
                        record.text, record.model, record.model_hash, str(record.seed),
                        story.units(record.eps, record.scale), story.number(record.seconds),
                        *(str(v) for v in record.attack.values()),
                    ],
                },
                f"settings{i}", "Settings of this attack",
            )  # fmt: skip
            name = f"advlab-{record.model_hash[:12]}"
            with st.container(horizontal=True):
                st.download_button(
                    "Record (JSON)", lambda r=record: tables.to_json(r), f"{name}.json",
                    "application/json", key=f"json{i}", on_click="ignore",
                )  # fmt: skip
                for title, columns in (
                    ("Tokens", tables.token_columns),
                    ("Saliency", tables.saliency_columns),
                    ("ε curve", tables.curve_columns),
                ):
                    st.download_button(
                        f"{title} (CSV)", tables.to_csv(columns(record)), f"{name}-{title}.csv",
                        "text/csv", key=f"csv{i}{title}", on_click="ignore",
                    )  # fmt: skip
