"""Choosing a sentence from a data set: browse, filter by words, answer and outcome, take one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from advlab.attacks import Attack
from advlab.errors import AdvlabError
from advlab.language import N_, _
from advlab.records import Dataset, Example
from advlab.records.measured import OUTCOMES, Finding
from advlab.runs.config import DataConfig
from advlab.runs.folder import RUN_ID, RunFolder
from advlab.settings import build, plain
from advlab.ui import KEEP, plain_text
from advlab.ui.explore.findings import Question, attack_all, findings
from advlab.ui.explore.keys import NEXT, PREVIOUS
from advlab.ui.explore.results import Result
from advlab.ui.models import task_of

# sentences that show something, with what to look for
PRESETS = {
    "The soup was hot, but I would never eat there again.": N_("which half of a contrast decides"),
    "The staff were not unkind.": N_("a double negation"),
    "I was never bored.": N_("one word turns the meaning: does the model look at it?"),
    "The plot was slow, but I would see it again.": N_("praise after blame"),
    "Fine.": N_("one word: all of δ has to go there"),
    "The room was small and the bed was hard and the street was loud and I loved every minute of"
    " it.": N_("a long way to the word that counts"),
    "The film starts at eight.": N_("no opinion at all: is the model sure all the same?"),
    "An exquisite, sublime, ineffable soufflé.": N_("rare words, split into pieces"),
    "Great, another hour in the queue.": N_("irony"),
    "Congratulations, you have won a prize. Call now to claim it.": N_(
        "a spam filter's daily bread"
    ),
}
TURNING = {"en": "not, but, never …", "zh": "不, 但, 从不 …"}  # by the language of the texts
SHOWN = 300  # rows; a filter narrows further
ANY = N_("any")  # no filter by outcome


def pick_example(
    model: str, use: Callable[[Example], None], attack: Attack | None, seed: int, *, key: str
) -> None:
    """A folded table of test texts; choosing a row calls `use(example)`.

    The texts can be attacked as they stand there, and then be told apart by what came of it.
    """
    fold = st.expander(
        _("Choose an example"), icon=":material/list:", key=f"{key}.open", on_change="rerun"
    )
    if not fold.open:  # nothing is read from disk for a folded table
        return
    with fold:
        if task_of(model).named and written_in(model) == "en":  # they are opinions
            _presets(use, key)
        sources = sources_for(model)
        left, middle, right = st.columns([2, 2, 1])
        title = left.selectbox(_("Data"), list(sources), key=f"{key}.data", **KEEP)
        words = (
            middle.text_input(
                _("Contains"), key=f"{key}.words", placeholder=words_of(model), **KEEP
            )
            or ""
        )
        try:
            data = dataset_of(json.dumps(plain(sources[title])))
        except AdvlabError as error:
            st.error(plain_text(str(error)))
            return
        wanted = ANY
        if data.head:
            wanted = right.selectbox(
                _("Class"),
                [ANY, *data.head],
                key=f"{key}.class",
                format_func=lambda name: _(ANY) if name == ANY else name,
                **KEEP,
            )
        found = [
            e
            for e in data.test
            if words.casefold() in f"{e.beside} {e.text}".casefold() and wanted in (ANY, e.answer)
        ]
        outcome, known = _by_outcome(model, found, attack, seed, key)
        fitting = [
            e for e in found if outcome == ANY or _outcome(known.get(Question.of(e))) == outcome
        ]
        st.caption(
            _("{n_fitting} of {n_test} test texts", n_fitting=len(fitting), n_test=len(data.test))
            + (_(", the first {shown} shown", shown=SHOWN) if len(fitting) > SHOWN else "")
            + _(". Tick a row to take it.")
        )
        table = f"{key}.table.{title}.{wanted}.{words}.{outcome}"
        _table(fitting[:SHOWN], known, use, table)


def step_buttons(model: str, now: Example, use: Callable[[Example], None]) -> None:
    """The example before and the one after: of the data that model A was trained on."""
    for key, icon, step, name, words in (
        (PREVIOUS, "chevron_left", -1, _("Previous"), _("The example before this one (←)")),
        (NEXT, "chevron_right", 1, _("Next"), _("The example after this one (→)")),
    ):
        st.button(
            name,
            key=key,
            icon=f":material/{icon}:",
            help=words,
            on_click=_step,
            args=(model, now, step, use),
        )


def _step(model: str, now: Example, step: int, use: Callable[[Example], None]) -> None:
    try:
        source = next(iter(sources_for(model).values()))
        texts = dataset_of(json.dumps(plain(source))).test
    except AdvlabError as error:
        st.toast(plain_text(str(error)), icon=":material/error:")
        return
    if texts:
        use(neighbour(texts, now, step))


def neighbour(texts: Sequence[Example], now: Example, step: int) -> Example:
    """The example `step` places from the one looked at; from a text of one's own the first or last."""
    asked = [Question.of(e)[::2] for e in texts]
    here = (now.text.strip(), now.beside)
    if here not in asked:
        return texts[0 if step > 0 else -1]
    return texts[(asked.index(here) + step) % len(texts)]


def _presets(use: Callable[[Example], None], key: str) -> None:
    """Sentences that show something, and what to look for in the chosen one."""
    preset = st.selectbox(
        _("A sentence that shows something"),
        list(PRESETS),
        index=None,
        key=f"{key}.preset",
        **KEEP,
        format_func=lambda text: f"{text} ({_(PRESETS[text])})",
        placeholder=_("choose one …"),
        on_change=lambda: _preset(f"{key}.preset", use),
    )
    if preset:
        st.caption(_("To look for: {presets}.", presets=_(PRESETS[preset])))


def _table(
    rows: list[Example], known: Mapping[Question, Finding], use: Callable[[Example], None], key: str
) -> None:
    """The texts with their answers and outcomes; a ticked one is taken."""

    def chosen() -> None:
        picked = st.session_state[key]["selection"]["rows"]
        if picked and picked[0] < len(rows):
            use(rows[picked[0]])

    seen = [known.get(Question.of(e)) for e in rows]
    st.dataframe(
        ({_("outcome"): [_(_outcome(f)) for f in seen]} if any(seen) else {})  # first: it is narrow
        | {
            _("text"): [e.text for e in rows],
            **({_("beside it"): [e.beside for e in rows]} if any(e.beside for e in rows) else {}),
            _("answer"): [e.answer or "" for e in rows],
            _("flips at ε"): [None if f is None else f.flip for f in seen],
        },
        key=key,
        on_select=chosen,
        selection_mode="single-row",
        hide_index=True,
        height=260,
        column_config={
            _("text"): st.column_config.TextColumn(width="large"),
            _("flips at ε"): st.column_config.NumberColumn(format=_("%.3f × mean norm")),
        },
        placeholder="–",
        alt=_("Test texts with their answers and what the attack does to them"),
    )


def _by_outcome(
    model: str, found: list[Example], attack: Attack | None, seed: int, key: str
) -> tuple[str, Mapping[Question, Finding]]:
    """The filter by outcome, the button that fills it, and what is known of the texts so far."""
    known: Mapping[Question, Finding] = {}
    if attack is not None:
        try:
            known = findings(model, attack, seed)
        except AdvlabError as error:
            st.error(plain_text(str(error)))
            return ANY, {}
    questions = [Question.of(e) for e in found]
    done = sum(one in known for one in questions)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    outcome = (
        left.segmented_control(
            _("Outcome under the attack above, model A"),
            [ANY, *OUTCOMES],
            default=ANY,
            format_func=_,
            required=True,
            key=f"{key}.outcome",
            help=_("Wrong: the model disagrees with the known answer before any attack."),
            **KEEP,
        )
        or ANY
    )
    todo = [one for one in questions[:SHOWN] if one not in known]
    if (
        right.button(
            _("Attack the shown {n_questions}", n_questions=len(questions[:SHOWN]))
            if todo
            else _("{done} attacked", done=done),
            key=f"{key}.attack_all",
            icon=":material/bolt:",
            width="stretch",
            disabled=attack is None or not todo,
            help=_(
                "Attacks each text above with model A, so that they can be told apart by outcome."
            ),
        )
        and attack is not None
    ):
        place = st.empty()

        def told(share: float, what: str) -> None:
            place.progress(share, _("{what}; any change stops it …", what=what))

        made = attack_all(model, todo, attack, seed, told)
        place.empty()
        for message in dict.fromkeys(p.message for p in made if not isinstance(p, Finding)):
            st.warning(plain_text(message))
        if any(isinstance(f, Finding) for f in made):
            st.rerun()  # the button says what is left now
    if outcome != ANY and done < len(questions):
        st.caption(
            _(
                "{done} of these {n_questions} texts were attacked so far; the others are hidden.",
                done=done,
                n_questions=len(questions),
            )
        )
    return outcome, known


def _outcome(found: Finding | None) -> str:
    return "" if found is None else found.outcome


def _preset(key: str, use: Callable[[Example], None]) -> None:
    if text := st.session_state.get(key):
        use(Example("preset", text))


def words_of(model: str) -> str:
    """What a filter by words suggests: opinions turn on such words, other texts do not."""
    return TURNING[written_in(model)] if task_of(model).named else _("a word, a name …")


def written_in(model: str) -> str:
    """The language of the texts that a model was trained on: English where that is not known."""
    from advlab.data.corpora import CORPORA

    corpus = CORPORA.get(next(iter(sources_for(model).values())).source)
    return "en" if corpus is None else corpus.language


def sources_for(model: str) -> dict[str, DataConfig]:
    """Title -> data: first what model A was trained on, then the built-in corpora."""
    from advlab.data import fitted
    from advlab.data.corpora import CORPORA

    sources: dict[str, DataConfig] = {}
    if RUN_ID.fullmatch(model):
        try:
            data = RunFolder.at(model).config().data
            if data.source not in CORPORA:
                sources["data of model A"] = data
            else:
                sources[_(CORPORA[data.source].title)] = data
        except AdvlabError:
            pass  # the corpora remain
    task = task_of(model).name
    for name, corpus in CORPORA.items():
        if corpus.task == task:
            sources.setdefault(_(corpus.title), fitted(DataConfig(source=name)))
    return sources


def alignment_told(result: Result) -> str:
    """The true alignment of a result's answer, where the data of its model know it; else empty."""
    record, sources = result.record, list(sources_for(result.model).values())
    try:
        data = dataset_of(json.dumps(plain(sources[0]))) if sources else None
    except AdvlabError:  # the data are gone
        data = None
    for e in (*data.test, *data.validation, *data.train) if data else ():
        if e.text.strip() == record.text and record.reference in e.answers:
            return dict(e.more).get("alignment", "")
    return ""


def dataset_of(config: str) -> Dataset:
    """A data set by its settings as JSON; DataError as `load_data` raises it."""
    from advlab.data import check_sources

    check_sources(build(DataConfig, json.loads(config)))  # before the cache, which all share
    return _dataset_of(config)


@st.cache_resource(max_entries=4, ttl="1h", show_spinner=False)
def _dataset_of(config: str) -> Dataset:
    from advlab.data import load_data

    return load_data(build(DataConfig, json.loads(config)))
