"""What the measuring pages share: choosing models and texts, and work that goes on where it stopped."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import N_, _, in_a_row, listing, retold
from advlab.records import Dataset, Example
from advlab.records.measured import Alarm
from advlab.runs import jobs
from advlab.runs.config import DataConfig, home
from advlab.runs.limits import check_most, limits
from advlab.settings import plain
from advlab.studies.kept import Outcomes, Progress
from advlab.ui import KEEP, plain_text
from advlab.ui.explore.examples import dataset_of, sources_for
from advlab.ui.guide import guide, prefix
from advlab.ui.models import LOCAL, borrow, fitting_pair, model_choices
from advlab.ui.terms import explained
from advlab.ui.turns import TURNS, goes_on, under_way

if TYPE_CHECKING:
    from advlab.model.victim import Victim

MOST_MODELS, MOST_TEXTS = 6, 2000


@dataclass(frozen=True)
class Choice:
    """Models and texts as chosen on a page."""

    models: tuple[str, ...]
    titles: dict[str, str]
    source: DataConfig
    count: int
    seed: int

    @property
    def key(self) -> dict[str, Any]:
        """The choice as JSON."""
        return {
            "models": list(self.models),
            "data": plain(self.source),
            "count": self.count,
            "seed": self.seed,
        }

    def texts(self) -> tuple[Dataset, list[Example]]:
        """The data, and the test texts with answers drawn from it: the same ones each time."""
        bounds = limits()
        if bounds is not None:
            check_most(_("texts"), self.count, bounds.measured)
        data = dataset_of(json.dumps(plain(self.source)))
        found = [e for e in data.test if e.answers]
        random.Random(0).shuffle(found)
        return data, found[: self.count]

    def told(self) -> tuple[str, ...]:
        """Which texts these are, and how many of them each model knows from training: sentences."""
        from advlab.data.evaluation import Trained, own_told, seen_in_training, told_of

        data, examples = self.texts()
        models = []
        for model in self.models:
            own = None if model.startswith(LOCAL) else jobs.run(model).config.data
            models.append(Trained(self.titles[model], data.head, own))
        of = next((own_told(m, data) for m in models if m.data == self.source), told_of(data))
        drawn = (
            ""
            if len(examples) == len(data.test)
            else _("{n_examples:,}, drawn at random, of ", n_examples=len(examples))
        )
        seen = seen_in_training(examples, models)
        return _("Texts: {drawn}{of}.", drawn=drawn, of=of), *(one.sentence for one in seen)


def ask(page: str, *, most: int = MOST_MODELS, count: int = 200) -> Choice | None:
    """The controls that every measurement has; None (and a hint) while something is missing."""
    titles = model_choices()
    if not titles:
        st.info(_("There is no trained model yet. Train the starter pair on the first page."))
        return None
    by = guide()
    key = prefix(page)
    models = st.multiselect(
        _("Models"),
        list(titles),
        default=fitting_pair(list(titles)) if by is None else list(by.models),
        format_func=titles.__getitem__,
        max_selections=most,
        key=f"{key}.models",
        help=_("Differences are told against the first."),
        **KEEP,
    )
    if not models:
        st.info(_("Choose at least one model."), icon=":material/edit:")
        return None
    sources = sources_for(models[0])
    columns = st.columns([4, 2, 2], vertical_alignment="bottom")
    source = columns[0].selectbox(  # another first model brings its own data
        _("Data"),
        list(sources),
        key=f"{key}.data.{models[0]}",
        **KEEP,
        format_func=lambda s: s.replace(_("model A"), _("the first model")),
    )
    texts = columns[1].number_input(
        _("Texts"),
        min_value=10,
        max_value=MOST_TEXTS,
        value=count if by is None else by.texts,
        step=50,
        key=f"{key}.count",
        help=_("Drawn at random from the test texts, the same ones each time."),
        **KEEP,
    )
    seed = columns[2].number_input(
        _("Seed"),
        min_value=0,
        value=0,
        step=1,
        key=f"{key}.seed",
        help=_("Of random starts and noise."),
        **KEEP,
    )
    return Choice(tuple(models), titles, sources[source], int(texts), int(seed))


def outcomes() -> Outcomes:
    """Where finished work is kept, found again by what it was made from."""
    return Outcomes(home() / "outcomes")


def victims_for(choice: Choice, data: Dataset) -> dict[str, Victim]:
    """Views of the chosen models by id, their answers called as in the data, which is told.

    Those of other answers, and those that cannot be loaded, are left out with a warning. The
    turn of each is taken for a moment only: measurements hold many models, and long.
    """
    found: dict[str, Victim] = {}
    for model in choice.models:
        try:
            with borrow(model) as victim:
                found[model] = victim.naming(data.head)
        except AdvlabError as error:
            st.warning(
                plain_text(
                    _("{titles} is left out: {error}", titles=choice.titles[model], error=error)
                )
            )
            continue
        for note in found[model].notes:
            st.caption(plain_text(f"{choice.titles[model]}: {retold(note)}"))
    return found


def tell(alarms: Sequence[Alarm]) -> None:
    """Alarms with their evidence and what to do; one that several models raise is told once."""
    together: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        together.setdefault(alarm.name, []).append(alarm)
    for name, same in together.items():
        models = listing(dict.fromkeys(a.model for a in same))
        evidence = list(dict.fromkeys(retold(a.evidence) for a in same))
        if len(evidence) > 1:
            evidence = list(dict.fromkeys(f"{a.model}: {retold(a.evidence)}" for a in same))
        alone = len(evidence) == 1
        title = _("{name} ({models})", name=retold(name), models=models) if alone else retold(name)
        what = _(
            "**{name}**: {evidence}.",
            name=plain_text(title),
            evidence=plain_text(_("; ").join(evidence)),
        )
        text = in_a_row(
            what, *(plain_text(retold(a)) for a in dict.fromkeys(a.advice for a in same))
        )
        st.warning(text, icon=":material/warning:")
    if together:
        names = [f"alarm.{name}" for name in together]
        st.caption(_("What these alarms mean"), help=explained("alarm", *names))


Opening = tuple[Any, Mapping[str, Any]]  # what is shown first, and the settings that it is of


def settings_told(key: Mapping[str, Any]) -> str:
    """The settings of a measurement as one text, to be compared."""
    return json.dumps(key, sort_keys=True)


def is_of(page: str, key: Mapping[str, Any]) -> bool:
    """Whether what a page shows was found for these settings, and not for earlier ones."""
    kept = st.session_state.get(f"{prefix(page)}.found")
    return kept is not None and kept[3] == settings_told(key)


def measured(
    page: str,
    key: dict[str, Any],
    work: Callable[[Progress], Any],
    *,
    label: str = N_("Measure"),
    hint: str = "",
    choice: Choice | None = None,
    opening: Callable[[Progress], Opening] | None = None,
) -> Any:
    """What `work` found for these settings, or for the last ones measured; None before that.

    `work` gets a function that shows progress; a click anywhere stops it there, and finished parts
    are read back when it is asked for again. Errors are shown, not raised. Of a `choice` it is said
    which texts were used. `opening`: what is shown before anything was measured here, and the
    settings that it is of; it may be None, and is asked once for each choice.
    """
    slot = f"{prefix(page)}.found"
    wanted = settings_told(key)
    kept = st.session_state.get(slot)
    pressed = st.button(_(label), type="primary", icon=":material/science:", key=f"{page}.go")
    asked, opened = f"{slot} asked {wanted}", f"{slot} opened {wanted}"
    pressed = pressed or goes_on(asked)
    first = kept is None and opening is not None and st.session_state.get(f"{slot}.for") != wanted
    first = first or goes_on(opened)
    if pressed or first:
        st.session_state[f"{slot}.for"] = wanted  # what is stopped is not begun again by itself
        place, of = st.empty(), wanted

        def progress(share: float, what: str) -> None:
            turn.give_way()
            text = _("{what} … Any click stops it; finished parts are kept.", what=plain_text(what))
            place.progress(min(max(share, 0.0), 1.0), text)

        try:
            place.progress(0.0, _("Waiting for a turn …"))
            with under_way(asked if pressed else opened), TURNS.turn(limit=None) as turn:
                progress(0.0, _("Loading"))
                if pressed or opening is None:
                    found = work(progress)
                else:
                    found, settings = opening(progress)
                    of = settings_told(settings)
                told = choice.told() if choice and found is not None and of == wanted else ()
        except AdvlabError as error:
            place.empty()
            st.error(plain_text(str(error)), icon=":material/error:")
            return None
        place.empty()
        if found is not None:
            kept = st.session_state[slot] = (wanted if pressed else "", found, told, of)
    if kept is None:
        if hint:
            st.caption(hint)
        return None
    if not kept[0]:
        st.caption(hint)
    if kept[3] != wanted:
        st.caption(_("The settings have changed since this was measured."))
    for sentence in kept[2]:
        st.caption(plain_text(sentence))
    return kept[1]
