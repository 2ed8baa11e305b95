"""Measuring a grid for the page: taken whole, as a first look, or read back as it was taken last."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from advlab.attacks import PGD, Attack, build_attack
from advlab.errors import AdvlabError
from advlab.language import _, speak
from advlab.records import Example
from advlab.records.measured import Alarm, Grid
from advlab.runs import jobs
from advlab.runs.config import DataConfig, home
from advlab.runs.disk import write_aside
from advlab.settings import build
from advlab.studies.alarms import alarms_of
from advlab.studies.grid import grid
from advlab.studies.kept import NotKeptError, OnlyKept, Outcomes, Progress
from advlab.studies.parts import word_counts
from advlab.tasks import TASKS
from advlab.tasks.quoted import Quotes
from advlab.ui import plain_text
from advlab.ui.compare.measure import MOST_TEXTS, Choice, outcomes, settings_told, victims_for
from advlab.ui.models import LOCAL
from advlab.ui.train.presets import pass_seconds, rounded

FEW = 40  # texts of the first look
RADII = [0.1, 0.25, 0.5]  # its ε, × mean norm
PATIENCE = 30.0  # seconds: a first look that takes longer waits to be asked for
SLOT = "robustness.found"
LAST = "robustness.json"  # in the data folder: what was measured last


@dataclass(frozen=True)
class Measured:
    """A grid with what the page tells of it."""

    grid: Grid
    examples: Sequence[Example]
    known: dict[str, int]  # how often each word stands in the training texts
    alarms: Sequence[Alarm] | None  # None: not looked for
    models: dict[str, str]  # weights' hash -> model id
    groups: dict[str, str]  # weights' hash -> the run's name without its seed
    told: tuple[str, ...] = ()  # which texts these are, in sentences


def take(
    choice: Choice,
    attacks: list[Attack],
    eps: list[float],
    progress: Progress,
    *,
    last: dict[str, Any] | None = None,
    kept: Outcomes | None = None,
    checks: bool = True,
    quote: bool = True,
) -> Measured | None:
    """The grid, and what the checks of each model say of it; None where no model can be measured.

    `last`: the settings as JSON, to be found again by the next visit. `kept`: where finished work is
    read. Without `checks` no alarm is looked for; `quote` as of `grid`.
    """
    data, examples = choice.texts()
    kept = kept or outcomes()

    def told(share: float, what: str) -> None:
        progress(
            share,
            _(
                "{what}: {made} batches attacked, {read} read back",
                what=what,
                made=kept.made,
                read=kept.read,
            ),
        )

    victims = victims_for(choice, data)
    if not victims:
        return None
    whole = grid(
        list(victims.values()),
        examples,
        attacks,
        eps,
        seed=choice.seed,
        data=data.name,
        outcomes=kept,
        quote=quote,
        progress=told,
    )
    alarms: list[Alarm] = []
    for victim in victims.values() if checks else ():
        told(1.0, victim.name)
        own = replace(whole, rows=tuple(r for r in whole.rows if r.model == victim.name))
        more = len(examples) < min(len(data.test), MOST_TEXTS)
        with speak("en"):  # they are kept, and told anew to each reader
            alarms += alarms_of(own, [victim], examples, attacks, more=more)
    models = {victim.hash: model for model, victim in victims.items()}
    groups = {h: title for h, model in models.items() if (title := without_seed(model))}
    known = word_counts(data.train)
    if last is not None:
        _note(last, alarms)
    found = alarms if checks else None
    return Measured(whole, examples, known, found, models, groups, choice.told())


def without_seed(model: str) -> str:
    """What a run has in common with those that differ in their seed alone; “” for a folder."""
    if model.startswith(LOCAL):
        return ""
    config = jobs.run(model).config
    same = replace(config, name="", train=replace(config.train, seed=0)).fingerprint
    return f"{config.method['name']} · {same[:4]}"


# ---- what the page opens with ----------------------------------------------------------------


def opened(
    choice: Choice, key: Mapping[str, Any], progress: Progress
) -> tuple[Measured | None, Mapping[str, Any]]:
    """What was measured last, else a first look, where that is kept or takes a moment only.

    With the settings that it is of: the last may be of other models than the chosen ones (`key`).
    """
    last = _last(choice)
    if last is not None:
        return last
    with suppress(NotKeptError):
        return first_look(choice, progress, OnlyKept(outcomes().folder)), key
    seconds = seconds_for(choice, FEW, [PGD()], RADII)
    quick = seconds is not None and seconds <= PATIENCE
    return first_look(choice, progress) if quick else None, key


def first_look(choice: Choice, progress: Progress, kept: Outcomes | None = None) -> Measured | None:
    """The chosen models on few texts under PGD, without checks."""
    few = replace(choice, count=FEW)
    return take(few, [PGD(max(RADII))], RADII, progress, kept=kept, checks=False)


def first_look_button(choice: Choice, key: Mapping[str, Any]) -> None:
    """A first look for settings (`key`) where none was taken by itself, and how long it takes."""
    seconds = seconds_for(choice, FEW, [PGD()], RADII)
    long = (
        _("at most about {rounded}", rounded=rounded(seconds)) if seconds else _("a minute or more")
    )
    if st.button(
        _("A first look: {few} texts, {long}", few=FEW, long=long),
        icon=":material/visibility:",
        key="robustness.look",
    ):
        place = st.empty()

        def progress(share: float, what: str) -> None:
            place.progress(min(max(share, 0.0), 1.0), plain_text(what))

        found = first_look(choice, progress)
        place.empty()
        if found is not None:
            st.session_state[SLOT] = ("", found, (), settings_told(key))
            st.rerun()


def quotes(choice: Choice) -> bool:
    """Whether more is quoted of the chosen models' answers than whether they are right."""
    return issubclass(TASKS[choice.source.task], Quotes)


def seconds_for(
    choice: Choice,
    texts: int,
    attacks: Sequence[Attack],
    eps: Sequence[float],
    *,
    quote: bool = True,
) -> float | None:
    """The longest that a grid may take here, judged by how fast these models trained; None if unknown.

    An attack's step costs a pass, forward and backward; each of five draws of noise a third of one.
    With what is quoted of the answers all of it is done twice.
    """
    passes = sum(getattr(attack, "steps", 1) + 5 / 3 for attack in attacks) * len(eps) * texts
    passes *= 2 if quote and quotes(choice) else 1
    total = 0.0
    for model in choice.models:
        try:
            one = None if model.startswith(LOCAL) else pass_seconds(jobs.run(model))
        except AdvlabError:
            return None
        if one is None:
            return None
        total += passes * one
    return total


def _note(settings: dict[str, Any], alarms: Sequence[Alarm]) -> None:
    """Remember what was measured last; the outcomes themselves are kept already."""
    known = {"settings": settings, "alarms": [dataclasses.asdict(a) for a in alarms]}
    write_aside(home() / LAST, json.dumps(known).encode())


def _last(choice: Choice) -> tuple[Measured, Mapping[str, Any]] | None:
    """The last measurement and its settings, where its models are there and all of it is kept."""
    try:
        known = json.loads((home() / LAST).read_bytes())
        settings = known["settings"]
        models = tuple(settings["models"])
        if not set(models) <= set(choice.titles):
            return None
        source = build(DataConfig, settings["data"])
        then = Choice(models, choice.titles, source, settings["count"], settings["seed"])
        attacks = [build_attack(values) for values in settings["attacks"]]
        alarms = [Alarm(**values) for values in known["alarms"]]
        found = take(
            then,
            attacks,
            settings["eps"],
            lambda *_: None,
            kept=OnlyKept(outcomes().folder),
            checks=False,
            quote=settings.get("quote", False),
        )
    except (OSError, ValueError, TypeError, KeyError, AdvlabError, NotKeptError):
        return None  # nothing was measured, or models and texts are others now
    return None if found is None else (replace(found, alarms=alarms), settings)
