"""The page that measures: choose models, attacks and ε; everything else is read from the grid."""

from __future__ import annotations

from typing import Any

import streamlit as st

from advlab.attacks import ATTACKS, Attack, attack_settings, build_attack
from advlab.errors import AdvlabError
from advlab.language import N_, _, in_a_row
from advlab.pictures import quoted, robustness, tables
from advlab.records.measured import Grid
from advlab.runs import jobs
from advlab.studies.parts import slices_of
from advlab.studies.report import report
from advlab.ui import KEEP, plain_text
from advlab.ui.compare.grids import Measured, first_look_button, opened, quotes, seconds_for, take
from advlab.ui.compare.measure import Choice, ask, is_of, measured, tell
from advlab.ui.explore import request
from advlab.ui.guide import guide, prefix
from advlab.ui.models import LOCAL
from advlab.ui.parts import chart, said, section, table, titled
from advlab.ui.train.presets import rounded
from advlab.ui.train.run import stand

RADII = "0.05 0.1 0.2 0.3 0.5"  # × mean norm
VIEWS = (N_("Curves"), N_("Differences"), N_("Parts"), N_("Cost"), N_("Texts"))


def robustness_page() -> None:
    """Everything on the page: what was measured first, with the choices folded above it."""
    with st.expander(
        _("Models, texts, attacks, ε"), icon=":material/tune:", key="robustness.controls"
    ):
        choice = ask("robustness", count=400)
        chosen = _attacks(choice) if choice else None
    if choice is None or chosen is None:
        return
    attacks, eps, quote = chosen
    lesson = guide() is not None  # it asks for a measurement itself
    key = choice.key | {"attacks": [attack_settings(a) for a in attacks], "eps": eps}
    key["quote"] = quote
    found: Measured | None = measured(
        "robustness",
        key,
        lambda progress: take(
            choice, attacks, eps, progress, last=None if lesson else key, quote=quote
        ),
        hint=_told(choice, attacks, eps, quote),
        opening=None if lesson else lambda progress: opened(choice, key, progress),
    )
    if not lesson and not is_of("robustness", key):
        first_look_button(choice, key)
    if found is not None:
        _results(found)


def _told(choice: Choice, attacks: list[Attack], eps: list[float], quote: bool) -> str:
    """What Measure will do, and how long that takes."""
    seconds = seconds_for(choice, choice.count, attacks, eps, quote=quote)
    long = _(", at most about {rounded}", rounded=rounded(seconds)) if seconds else ""
    return _(
        "{count:,} texts{long}. Every text is attacked at every ε that it still "
        "stands. Finished work is kept on disk: a second time, or after a stop, it "
        "goes on from there.",
        count=choice.count,
        long=long,
    )


def _attacks(choice: Choice) -> tuple[list[Attack], list[float], bool] | None:
    """Attacks, radii, and whether what is quoted of answers is measured too."""
    by = guide()
    columns = st.columns(2, vertical_alignment="bottom")
    names = columns[0].multiselect(
        _("Attacks"),
        [n for n, cls in ATTACKS.items() if cls.kind != "null"],
        default=["pgd"],
        key=f"{prefix('robustness')}.attacks",
        format_func=lambda n: _(ATTACKS[n].title),
        **KEEP,
    )
    radii = columns[1].text_input(
        _("ε, × mean norm"),
        RADII if by is None else f"{by.eps / 2:g} {by.eps:g} {2 * by.eps:g}",
        key=f"{prefix('robustness')}.eps",
        help=_("Several, apart by spaces. Random noise of each length is measured too."),
        **KEEP,
    )
    if not names:
        st.info(_("Choose at least one attack."), icon=":material/edit:")
        return None
    try:
        eps = sorted({float(v.replace(",", ".")) for v in (radii or "").split()})
        attacks = [build_attack({"name": n, "eps": max(eps, default=0.0)}) for n in names]
        if not eps or len(eps) > 20:
            raise ValueError
    except (ValueError, AdvlabError):
        st.error(
            _(
                "Expected one to twenty values of ε, apart by spaces, got “{radii}”; write "
                "them like 0.1 0.25 0.5.",
                radii=plain_text(radii or "", 60),
            )
        )
        return None
    quote = quotes(choice) and st.checkbox(
        _("Answers too"),
        value=True,
        key="robustness.quote",
        help=_(
            "What people quote of answers (F1, BLEU, perplexity, …): one more attack at each ε."
        ),
        **KEEP,
    )
    return attacks, eps, quote


def _results(found: Measured) -> None:
    tell(found.alarms or ())
    if found.alarms is None:
        st.caption(_("A first look: the checks for misleading figures are made when you measure."))
    elif not found.alarms:
        said(
            _(
                "No alarm: none of the checks of the attack, the models and the outcomes "
                "found anything."
            )
        )
    eps = found.grid.rows[0].eps
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    view = (
        left.segmented_control(
            _("View"),
            VIEWS,
            default=VIEWS[0],
            required=True,
            key="robustness.view",
            format_func=_,
            label_visibility="collapsed",
            **KEEP,
        )
        or VIEWS[0]
    )
    e = 0
    if view not in ("Curves", "Texts"):
        e = right.selectbox(
            _("At ε"),
            [-1, *range(len(eps))],
            index=1 + len(eps) // 2,
            key="robustness.at",
            format_func=lambda k: _("ε = 0: clean") if k < 0 else f"ε = {eps[k]:g}",
            label_visibility="collapsed",
            **KEEP,
        )
    {
        "Curves": lambda: _curves(found),
        "Differences": lambda: _differences(found, e),
        "Parts": lambda: _parts(found, e),
        "Cost": lambda: _costs(found, max(e, 0)),
        "Texts": lambda: _examples(found),
    }[view]()
    for sentence in found.told:
        st.caption(plain_text(sentence))


def _curves(found: Measured) -> None:
    with section(
        _("How much is left"),
        _(
            "Share read right against ε, bands are 95 % intervals (Wilson). Thin "
            "dotted lines are random noise as long, the dashed grey line is always "
            "giving the most frequent answer."
        ),
        *("measure.clean_accuracy", "measure.robust_accuracy", "noise", "interval"),
    ):
        chart(
            robustness.curves(found.grid), "robustness.curves", _("Accuracy under attack against ε")
        )
        table(robustness.columns(found.grid), "robustness.table", _("Accuracy with intervals"))
    answer_curves(found.grid, "robustness")
    seeds = robustness.over_seeds(found.grid, found.groups)
    if seeds["setting"]:
        with section(
            _("Over seeds"), _("Runs that differ in their seed alone: mean (lowest–highest).")
        ):
            table(seeds, "robustness.seeds", _("Accuracy over seeds"))
    with st.container(horizontal=True):
        for name, kind in (
            ("report.html", "text/html"),
            ("report.md", "text/markdown"),
            ("report.json", "application/json"),
        ):
            st.download_button(
                _("Report ({format})", format=name.rpartition(".")[2].upper()),
                lambda name=name: report(
                    found.grid,
                    found.examples,
                    found.alarms or (),
                    known=found.known,
                    used={_("texts used"): in_a_row(*found.told)},
                    more=[(_("Over seeds"), seeds, _("Mean, lowest and highest."))]
                    if seeds["setting"]
                    else (),
                )[name],
                f"advlab-{name}",
                kind,
                key=f"robustness.{name}",
                on_click="ignore",
            )


def answer_curves(grid: Grid, page: str) -> None:
    """What people quote of the answers, one figure at a time as curves and all of them as a table."""
    names = quoted.names(grid)
    if not names:
        return
    with section(_("How good are the answers?"), quoted.sentence(names)):
        if len(grid.rows[0].eps) > 1:
            name = st.segmented_control(
                _("Figure"),
                names,
                default=names[0],
                required=True,
                key=f"{page}.figure",
                label_visibility="collapsed",
            )
            name = name if name in names else names[0]
            chart(quoted.curve(grid, name), f"{page}.answers", _("{name} against ε", name=name))
        table(quoted.columns(grid), f"{page}.quoted", _("Figures of the answers, with intervals"))


def _differences(found: Measured, e: int) -> None:
    if len(found.grid.rows) < 2:
        st.info(
            _("Choose a second model or attack: a difference needs two."), icon=":material/edit:"
        )
        return
    with section(
        _("Is the difference real?"),
        _(
            "The same texts under two models or attacks: only those on which they "
            "differ count (McNemar's exact test, paired bootstrap)."
        ),
        "paired",
    ):
        table(robustness.paired(found.grid, e), "robustness.paired", _("Paired differences"))
    if quoted.names(found.grid):
        with section(
            _("Of the answers"),
            _("The same draws of texts for both; an interval without 0 differs."),
        ):
            table(
                quoted.paired(found.grid, e),
                "robustness.answers.paired",
                _("Paired differences of answers"),
            )


def _parts(found: Measured, e: int) -> None:
    with section(
        _("Where is it weak?"),
        _(
            "The same on parts of the texts, with intervals: length, negation, rare "
            "words, answer, further columns of the data, and each model's own "
            "confidence."
        ),
        "parts",
    ):
        columns = robustness.slices(found.grid, slices_of(found.examples, found.known), e)
        table(columns, "robustness.slices", _("Accuracy by part of the data"))


def _costs(found: Measured, e: int) -> None:
    first = found.grid.rows[0].attack["name"]
    rows = [r for r in found.grid.rows if r.attack["name"] == first]
    if len(rows) < 2:
        st.info(_("Choose a second model: a price needs two."), icon=":material/edit:")
        return
    seconds = [trained(found.models.get(row.model_hash, LOCAL))[0] or 0.0 for row in rows]
    with section(
        _("What does robustness cost?"),
        _(
            "Clean against robust accuracy at ε = {eps:g}; larger marks took longer to train (0 s:"
            " not known). Right and up is better.",
            eps=rows[0].eps[e],
        ),
        "measure.cost",
        "measure.robust_accuracy",
    ):
        chart(
            robustness.frontier(
                [r.model for r in rows],
                seconds,
                [r.clean for r in rows],
                [r.robust[e] for r in rows],
            ),
            "robustness.frontier",
            _("Clean against robust accuracy, with training time"),
        )


def trained(model: str) -> tuple[float | None, float | None]:
    """Seconds that a run was trained, and what a step cost in plain steps; None where not known."""
    if model.startswith(LOCAL):
        return None, None
    try:
        now = stand(jobs.run(model))
    except AdvlabError:
        return None, None
    return now.seconds, now.cost


def _examples(found: Measured) -> None:
    with section(
        _("Every text"),
        _("The smallest ε that breaks it. Click a cell to open it in Explore."),
        "flip_eps",
    ):
        columns = robustness.outcomes(found.grid, found.examples)
        texts = columns["text"]
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        search = left.text_input(_("Search"), key="robustness.search") or ""
        right.download_button(
            _("Table (CSV)"),
            lambda: tables.to_csv(columns),
            "advlab-robustness.csv",
            "text/csv",
            on_click="ignore",
            width="stretch",
        )
        rows = [k for k, text in enumerate(texts) if search.casefold() in text.casefold()]
        state: Any = st.dataframe(
            titled({name: [values[k] for k in rows] for name, values in columns.items()}),
            key=f"robustness.texts.{search}",
            hide_index=True,
            on_select="rerun",
            selection_mode="single-cell",
            placeholder="–",
            alt=_("The smallest ε that breaks each text"),
            column_config={_("text"): st.column_config.TextColumn(width="large")},
        )
        picked = state["selection"]["cells"]
        if picked and picked[0][0] < len(rows):
            st.switch_page(
                "pages/explore/explore.py",
                query_params=link(found, rows[picked[0][0]], str(picked[0][1])),
            )


def link(found: Measured, n: int, column: str) -> dict[str, str]:
    """The address of text n in Explore: the model and attack of the cell's column, at its ε."""
    rows = found.grid.rows
    names = [robustness.name_of(found.grid, row) for row in rows]
    row = rows[names.index(column)] if column in names else rows[0]
    broken = int(row.broken[n])
    eps = row.eps[min(max(broken, 0), len(row.eps) - 1)]
    first = found.models[row.model_hash]
    others = [m for m in found.models.values() if m != first]
    return request.link(
        [first, *others[:1]],
        {**row.attack, "eps": eps},
        found.examples[n].text,
        label=found.grid.answers[n] or "",
        beside=found.examples[n].beside,
    )
