"""Five questions, one at a time: what is measured, the answer in a sentence, then the pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from advlab.attacks import PGD
from advlab.language import N_, _, speak
from advlab.pictures import convergence as pictures
from advlab.pictures import questions
from advlab.runs import jobs
from advlab.runs.starters import shown_name
from advlab.studies import convergence
from advlab.studies.alarms import of_outcomes
from advlab.studies.grid import grid
from advlab.studies.kept import Progress
from advlab.ui import KEEP, plain_text
from advlab.ui.compare.measure import Choice, ask, measured, outcomes, tell, victims_for
from advlab.ui.compare.robustness import answer_curves, trained
from advlab.ui.compare.sweep import sweep_question
from advlab.ui.guide import guide, prefix
from advlab.ui.language import heard
from advlab.ui.parts import chart, said, section, table
from advlab.ui.train.run import diary


def questions_page() -> None:
    """Choose a question; below it stands how it is answered."""
    heard("questions.which", {name: name for name in QUESTIONS})
    name = st.segmented_control(
        _("Question"),
        list(QUESTIONS),
        default=next(iter(QUESTIONS)),
        required=True,
        key="questions.which",
        format_func=_,
        label_visibility="collapsed",
        bind="query-params",
    )
    QUESTIONS[name or next(iter(QUESTIONS))]()


# ---- does training converge? -----------------------------------------------------------------


def converge() -> None:
    """From the diaries of runs, at once."""
    st.caption(
        _(
            "Training is a game: the weights lower the loss, δ raises it. It has "
            "converged when both losses, and the gap between them, stand still at full "
            "ε. Read from the run's own diary."
        )
    )
    runs = {info.id: info for info in jobs.runs() if info.status not in ("queued",) and diary(info)}
    if not runs:
        st.info(_("There is no run yet. Train the starter pair on the first page."))
        return
    adversarial = [i for i, r in runs.items() if r.config.method.get("name") != "plain"]
    chosen = st.selectbox(
        _("Run"),
        list(runs),
        index=list(runs).index(adversarial[0]) if adversarial else 0,
        format_func=lambda i: shown_name(runs[i].name),
        key="questions.run",
        **KEEP,
    )
    events = diary(runs[chosen])
    found = convergence.convergence(events)
    said(found.sentence)
    left, right = st.columns(2)
    with (
        left,
        section(
            _("Both players"),
            _("Smoothed losses, in nats; the dotted line is their gap."),
            "min_max",
            "players",
        ),
    ):
        chart(pictures.players(events), "questions.players", _("Losses of both players by step"))
    with (
        right,
        section(
            _("Gradient norm"),
            _("Before clipping: how hard the weights are still pulled."),
            "gradient_norm",
        ),
    ):
        chart(pictures.gradients(events), "questions.gradients", _("Gradient norm by step"))
    table(
        {
            _("figure"): [_(t.name) for t in found.trends],
            _("third quarter at full ε"): [round(t.before, 4) for t in found.trends],
            _("last quarter"): [round(t.after, 4) for t in found.trends],
            _("± (standard error)"): [round(t.error, 4) for t in found.trends],
            _("verdict"): [_(t.verdict) for t in found.trends],
        },
        "questions.trends",
        _("Trends over the last quarters"),
    )


# ---- do attacks stick in local optima? -------------------------------------------------------


def stick() -> None:
    """The same ascent from many random starts."""
    st.caption(
        _(
            "If the loss had many separate peaks inside the ball, one ascent could "
            "stop on a low one and robustness would be overstated. So: the same PGD "
            "from many random starts, and how its ends differ."
        )
    )
    choice = ask("optima", most=3, count=50)
    eps, starts = _numbers("optima", (N_("Starts"), 2, 50, 10))
    if choice is None:
        return
    found = measured(
        "optima",
        choice.key | {"eps": eps, "starts": starts},
        lambda progress: _climb(choice, eps, int(starts), progress),
        choice=choice,
        hint=_(
            "PGD, 20 steps, random starts in the ball, on each text that the model reads right."
        ),
    )
    if not found:
        return
    rows, texts = found
    for one in rows:
        said(questions.optima_sentence(one))
    left, right = st.columns(2)
    with (
        left,
        section(
            _("Do more starts break more?"),
            _("At least one of the first k starts flips it."),
            "restarts",
            "local_optima",
        ),
    ):
        chart(
            questions.more_starts(rows),
            "optima.more",
            _("Share broken against the number of starts"),
        )
    with (
        right,
        section(
            _("How far apart do they end?"),
            _("Mean L2 distance of two ends, × ε: 0 is one peak; opposite sides are 2 apart."),
        ),
    ):
        chart(
            questions.apart(rows), "optima.apart", _("Distance between two ends, by share of texts")
        )
    for k, one in enumerate(rows):
        with section(
            _("Text by text: {model}", model=plain_text(one.model, 60)),
            _(
                "Each mark is the highest loss of one ascent; a tall column is a text on "
                "which the start decides."
            ),
        ):
            chart(
                questions.ends(one), f"optima.ends.{k}", _("Highest losses of the ascents, by text")
            )
            with st.expander(_("The numbers")):
                table(questions.optima_columns(one, texts), f"optima.table.{k}", _("Ends by text"))


def _climb(choice: Choice, eps: float, starts: int, progress: Progress) -> Any:
    from advlab.studies.optima import optima

    data, examples = choice.texts()
    victims = victims_for(choice, data)
    rows = []
    for victim in victims.values():
        one = optima(
            victim,
            examples,
            eps,
            starts=starts,
            seed=choice.seed,
            outcomes=outcomes(),
            progress=progress,
        )
        rows.append(one)
    return (rows, {e.id: e.text for e in examples}) if rows else None


# ---- what does robustness cost? --------------------------------------------------------------


def cost() -> None:
    """Clean accuracy and time paid, robust accuracy gained, against the first model."""
    st.caption(
        _(
            "Paid: clean accuracy and training time. Gained: accuracy under PGD-20. "
            "Both against the first model, on the same texts, so that only the texts "
            "on which they differ count."
        )
    )
    choice = ask("cost")
    [eps] = _numbers("cost")
    if choice is None:
        return
    found = measured(
        "cost", choice.key | {"eps": eps}, lambda p: _price(choice, eps, p), choice=choice
    )
    if not found:
        return
    whole, models = found
    # a model that always gives one answer loses nothing under attack: that is no gain
    with speak("en"):
        alarms = of_outcomes(whole, precision=1.0)
    tell(alarms)
    times = [trained(m) for m in models]
    seconds, costs = [t for t, __ in times], [c for __, c in times]
    said(questions.cost_sentence(whole, costs))
    with section(
        _("Clean against robust"),
        _(
            "Right and up is better; larger marks took longer to train (0 s: not "
            "known). Bars are 95 % intervals."
        ),
        "measure.clean_accuracy",
        "measure.robust_accuracy",
    ):
        from advlab.pictures import robustness

        chart(
            robustness.frontier(
                [r.model for r in whole.rows],
                [s or 0.0 for s in seconds],
                [r.clean for r in whole.rows],
                [r.robust[-1] for r in whole.rows],
            ),
            "cost.frontier",
            _("Clean against robust accuracy, with training time"),
        )
        table(
            questions.cost_columns(whole, seconds, costs), "cost.table", _("What each model pays")
        )
    answer_curves(whole, "cost")


def _price(choice: Choice, eps: float, progress: Progress) -> Any:
    data, examples = choice.texts()
    victims = victims_for(choice, data)
    if not victims:
        return None
    whole = grid(
        list(victims.values()),
        examples,
        [PGD(eps, steps=20, step_size=0.2)],
        [eps],
        seed=choice.seed,
        data=data.name,
        outcomes=outcomes(),
        progress=progress,
    )
    return whole, list(victims)


# ---- does it carry over? ---------------------------------------------------------------------


def carry() -> None:
    """Kinds of attack, and attacks made on other models."""
    st.caption(
        _(
            "Trained against one attack, tried with others: every δ may be as long as "
            "ε on a text of median length, whatever its kind; below them words are "
            "replaced. Then attacks made on one model are tried on the others."
        )
    )
    choice = ask("carry", count=100)
    [eps] = _numbers("carry")
    if choice is None:
        return
    found = measured(
        "carry", choice.key | {"eps": eps}, lambda p: _carried(choice, eps, p), choice=choice
    )
    if not found:
        return
    kinds, delta, words, alarms = found
    said(questions.carry_sentence(kinds))
    with section(
        _("Trained against × attacked with"),
        _("Share read right. {letters}.", letters=plain_text(questions.letters(kinds.models))),
        "carry_over",
    ):
        chart(questions.kinds_map(kinds), "carry.kinds", _("Accuracy by kind of attack and model"))
        table(
            questions.kinds_columns(kinds),
            "carry.table",
            _("Accuracy by kind of attack, intervals"),
        )
    tell(alarms)
    left, right = st.columns(2)
    for side, one, title, how in (
        (
            left,
            delta,
            _("δ made on one, tried on another"),
            _("PGD-20's δ, row by row; models with other vectors cannot share it."),
        ),
        (
            right,
            words,
            _("One word replaced on one, read by another"),
            _("HotFlip's worst replacement, written out as text and read by every model."),
        ),
    ):
        with side, section(title, how):
            said(questions.transfer_sentence(one))
            chart(questions.transfer_map(one), f"carry.{one.kind}", title)
            with st.expander(_("The numbers")):
                table(questions.transfer_columns(one), f"carry.{one.kind}.table", title)


def _carried(choice: Choice, eps: float, progress: Progress) -> Any:
    from advlab.studies.alarms import of_transfer
    from advlab.studies.carryover import carry_over, transfer

    data, examples = choice.texts()
    found = victims_for(choice, data)
    victims = list(found.values())
    if not victims:
        return None
    common: dict[str, Any] = {"seed": choice.seed, "outcomes": outcomes(), "progress": progress}
    kinds = carry_over(victims, examples, eps, fitting=data.validation[:400], **common)
    delta = transfer(victims, examples, eps, "delta", **common)
    words = transfer(victims, examples, eps, "words", **common)
    with speak("en"):  # they are kept, and told anew to each reader
        alarms = [*of_transfer(delta), *of_transfer(words)]
    return kinds, delta, words, alarms


def _numbers(page: str, *more: tuple[str, int, int, int]) -> list[float]:
    """ε, and whole numbers given as (label, lowest, highest, default)."""
    by = guide()
    columns = st.columns([2] * (1 + len(more)) + [6 - 2 * len(more)], vertical_alignment="bottom")
    found = [
        float(
            columns[0].number_input(
                _("ε, × mean norm"),
                min_value=0.01,
                max_value=10.0,
                value=0.25 if by is None else by.eps,
                step=0.05,
                format="%g",
                key=f"{prefix(page)}.eps",
                **KEEP,
            )
        )
    ]
    for column, (name, low, high, default) in zip(columns[1:], more, strict=False):
        found.append(
            float(
                column.number_input(
                    _(name),
                    min_value=low,
                    max_value=high,
                    value=default,
                    step=1,
                    key=f"{page}.{name}",
                    **KEEP,
                )
            )
        )
    return found


QUESTIONS: dict[str, Callable[[], None]] = {
    N_("Does training converge?"): converge,
    N_("Do attacks stick?"): stick,
    N_("What does it cost?"): cost,
    N_("Does it carry over?"): carry,
    N_("Which settings?"): sweep_question,
}
