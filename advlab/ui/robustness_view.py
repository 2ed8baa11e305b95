"""The page that measures: choose models, attacks and ε; everything else is read from the grid."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import streamlit as st

from advlab import jobs, robustness, tables
from advlab.attacks import ATTACKS, build_attack
from advlab.config import home
from advlab.curves import standing
from advlab.errors import AdvlabError
from advlab.grid import Grid, grid
from advlab.outcomes import Outcomes
from advlab.records import Dataset, Example
from advlab.report import report
from advlab.settings import plain
from advlab.ui import plain_text
from advlab.ui.explore_examples import dataset_of, sources_for
from advlab.ui.explore_form import TITLES
from advlab.ui.round_trip import said
from advlab.ui.run_view import diary
from advlab.ui.state import LOCAL, borrow, model_choices
from advlab.ui.views.parts import chart, section, table

MOST_MODELS, MOST_TEXTS = 6, 2000
_KEPT = "robustness.kept"  # (settings, grid, examples, class names, alarms) of this session


def robustness_page() -> None:
    """Everything on the page."""
    titles = model_choices()
    if not titles:
        st.info("There is no trained model yet. Train the starter pair on the first page.")
        return
    asked = _controls(titles)
    if asked is None:
        return
    key = json.dumps(asked["key"], sort_keys=True)
    kept = st.session_state.get(_KEPT)
    if st.button("Measure", type="primary", icon=":material/science:"):
        kept = _measured(asked, key)
        st.session_state[_KEPT] = kept
    if kept is None:
        said("Every text is attacked at every ε that it still stands. Finished work is kept on disk:"
             " a second time, or after a stop, it goes on from there.")  # fmt: skip
        return
    if kept[0] != key:
        st.caption("The settings have changed since this was measured.")
    _results(*kept[1:])


def _controls(titles: dict[str, str]) -> dict[str, Any] | None:
    newest = list(titles)[:2]
    models = st.multiselect(
        "Models", list(titles), default=newest, format_func=titles.__getitem__,
        max_selections=MOST_MODELS, key="robustness.models",
    )  # fmt: skip
    columns = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    names = columns[0].multiselect(
        "Attacks", [n for n in ATTACKS if n != "noise"], default=["pgd"], key="robustness.attacks",
        format_func=lambda n: str(TITLES.get(n, n)),
    )  # fmt: skip
    radii = columns[1].text_input(
        "ε, × mean norm", "0.05 0.1 0.2 0.3 0.5", key="robustness.eps",
        help="Several, apart by spaces. Random noise of each length is measured too.",
    )  # fmt: skip
    count = columns[2].number_input(
        "Texts", min_value=10, max_value=MOST_TEXTS, value=200, step=50, key="robustness.count",
        help="Drawn at random from the test texts, the same ones each time.",
    )  # fmt: skip
    seed = columns[3].number_input("Seed", min_value=0, value=0, step=1, key="robustness.seed")
    if not models or not names:
        st.info("Choose at least one model and one attack.", icon=":material/edit:")
        return None
    sources = sources_for(models[0])
    source = st.selectbox("Data", list(sources), key="robustness.data")
    try:
        eps = sorted({float(v.replace(",", ".")) for v in radii.split()})
        attacks = [build_attack({"name": n, "eps": max(eps, default=0.0)}) for n in names]
        if not eps or len(eps) > 20:
            raise ValueError
    except (ValueError, AdvlabError):
        st.error(
            f"Expected one to twenty values of ε, apart by spaces, got “{plain_text(radii, 60)}”;"
            " write them like 0.1 0.25 0.5."
        )
        return None
    return {
        "models": models, "attacks": attacks, "eps": eps, "data": sources[source],
        "count": int(count), "seed": int(seed), "titles": titles,
        "key": {
            "models": models, "attacks": names, "eps": eps, "data": plain(sources[source]),
            "count": int(count), "seed": int(seed),
        },
    }  # fmt: skip


def _measured(asked: dict[str, Any], key: str) -> tuple[Any, ...] | None:
    """The grid, model by model, with progress; any control stops it and loses no finished batch."""
    from advlab.alarms import alarms_of

    place = st.empty()
    try:
        data: Dataset = dataset_of(json.dumps(plain(asked["data"])))
        examples = [e for e in data.test if e.label is not None]
        random.Random(0).shuffle(examples)
        examples = examples[: asked["count"]]
        kept = Outcomes(home() / "outcomes")
        rows: list[Any] = []
        found: Grid | None = None
        alarms: list[Any] = []
        for k, model in enumerate(asked["models"]):
            title = asked["titles"][model]
            with borrow(model) as victim:
                if tuple(victim.label_names) != tuple(data.label_names):
                    st.warning(
                        f"{plain_text(title)} has other classes than this data"
                        f" ({plain_text(', '.join(data.label_names))}) and is left out."
                    )
                    continue

                def going(k: int = k, title: str = title) -> bool:
                    done = f"{kept.made} batches attacked, {kept.read} read back"
                    place.progress(k / len(asked["models"]), f"{title}: {done} …")
                    return False

                found = grid(
                    [victim], examples, asked["attacks"], asked["eps"], seed=asked["seed"],
                    data=data.name, outcomes=kept, cancelled=going,
                )  # fmt: skip
                rows += found.rows
                alarms += alarms_of(found, [victim], examples, asked["attacks"])
        place.empty()
    except AdvlabError as error:
        place.empty()
        st.error(plain_text(str(error)), icon=":material/error:")
        return None
    if found is None:
        return None
    from dataclasses import replace

    whole = replace(found, rows=tuple(rows))
    models = {r.model_hash: m for m in asked["models"] for r in rows if _is(m, r)}
    return key, whole, examples, data.label_names, alarms, models


def _is(model: str, row: Any) -> bool:
    with borrow(model) as victim:
        return victim.hash == row.model_hash


def _results(
    found: Grid,
    examples: Sequence[Example],
    names: tuple[str, ...],
    alarms: Sequence[Any],
    models: dict[str, str],
) -> None:
    texts = [e.text for e in examples]
    with section(
        "How much is left",
        "Share read right against ε, bands are 95 % intervals (Wilson). Thin dotted lines are random"
        " noise as long, the dashed grey line is always answering the most frequent class.",
    ):
        chart(
            robustness.curves(found), "robustness.curves", "Accuracy under attack against ε",
        )  # fmt: skip
        table(robustness.columns(found), "robustness.table", "Accuracy with intervals")
    with section(
        "Can it be believed?",
        "Signs that a figure is not what it seems: each with its evidence and what to do.",
    ):
        if not alarms:
            said("No alarm: none of the checks found anything.")
        for alarm in alarms:
            st.warning(
                plain_text(f"{alarm.model}: {alarm.name}. {alarm.evidence}. {alarm.advice}"),
                icon=":material/warning:",
            )
    with st.container(horizontal=True):
        for name, kind in (("report.html", "text/html"), ("report.md", "text/markdown"),
                           ("report.json", "application/json")):  # fmt: skip
            st.download_button(
                f"Report ({name.rpartition('.')[2].upper()})",
                lambda name=name: report(found, texts, names, alarms)[name],
                f"advlab-{name}", kind, key=f"robustness.{name}", on_click="ignore",
            )  # fmt: skip
    eps = found.rows[0].eps
    e = st.selectbox(
        "At ε", [-1, *range(len(eps))], index=1 + len(eps) // 2, key="robustness.at",
        format_func=lambda k: "0: clean" if k < 0 else f"{eps[k]:g}",
    )  # fmt: skip
    if len(found.rows) > 1:
        with section(
            "Is the difference real?",
            "The same texts under two models or attacks: only those on which they differ count"
            " (McNemar's exact test, paired bootstrap).",
        ):
            table(robustness.paired(found, e), "robustness.paired", "Paired differences")
    with section("Where is it weak?", "The same on parts of the texts, with intervals."):
        table(robustness.slices(found, texts, names, e), "robustness.slices", "Accuracy by slice")
    _costs(found, models, max(e, 0))
    _examples(found, texts, names, models)


def _costs(found: Grid, models: dict[str, str], e: int) -> None:
    first = found.rows[0].attack["name"]
    rows = [r for r in found.rows if r.attack["name"] == first]
    seconds = []
    for row in rows:
        model = models.get(row.model_hash, LOCAL)
        try:
            now = None if model.startswith(LOCAL) else standing(diary(jobs.run(model).id))
        except AdvlabError:
            now = None
        seconds.append(float((now.seconds if now else 0) or 0.0))
    if len(rows) > 1:
        with section(
            "What does robustness cost?",
            f"Clean against robust accuracy at ε = {rows[0].eps[e]:g}; larger marks took longer to"
            " train (0 s: not known). Right and up is better.",
        ):
            chart(
                robustness.frontier(
                    [r.model for r in rows], seconds, [r.clean for r in rows],
                    [r.robust[e] for r in rows],
                ),
                "robustness.frontier", "Clean against robust accuracy, with training time",
            )  # fmt: skip


def _examples(
    found: Grid, texts: Sequence[str], names: tuple[str, ...], models: dict[str, str]
) -> None:
    with section("Every text", "The smallest ε that breaks it. Tick a row to open it in Explore."):
        columns = robustness.outcomes(found, texts, names)
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        search = left.text_input("Search", key="robustness.search")
        right.download_button(
            "Table (CSV)", tables.to_csv(columns), "advlab-robustness.csv", "text/csv",
            on_click="ignore", width="stretch",
        )  # fmt: skip
        rows = [k for k, text in enumerate(texts) if search.casefold() in text.casefold()]
        state: Any = st.dataframe(
            {name: [values[k] for k in rows] for name, values in columns.items()},
            key=f"robustness.texts.{search}", hide_index=True, on_select="rerun",
            selection_mode="single-row", alt="The smallest ε that breaks each text",
            column_config={"text": st.column_config.TextColumn(width="large")},
        )  # fmt: skip
        picked = state["selection"]["rows"]
        if picked and picked[0] < len(rows):
            k = rows[picked[0]]
            ids = list(dict.fromkeys(models.values()))
            row = found.rows[0]
            settings: dict[str, Any] = dict(row.attack)
            broken = int(row.broken[k])
            settings["eps"] = row.eps[min(max(broken, 0), len(row.eps) - 1)]
            label = found.labels[k]
            st.switch_page(
                "pages/explore/explore.py",
                query_params={
                    "a": ids[0], "b": ids[1] if len(ids) > 1 else "", "text": texts[k],
                    "label": names[label] if label is not None else "",
                    "attack": str(settings.pop("name")), **{n: str(v) for n, v in settings.items()},
                },
            )  # fmt: skip
