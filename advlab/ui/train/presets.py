"""Presets of a new run: how thoroughly to train, what that sets, and about how long it takes here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import N_, _, n_
from advlab.runs import jobs
from advlab.runs.config import RunConfig, TrainConfig
from advlab.runs.jobs import RunInfo
from advlab.runs.starters import train_for
from advlab.settings import plain
from advlab.ui.train.run import method_title, stand

CHOSEN, TURN = "new.preset", "new.turn"  # in the session: the preset used last, and how often


@dataclass(frozen=True)
class Preset:
    """A method with its settings, and for how long."""

    title: str
    about: str
    method: str
    passes: int  # forward and backward of a training step; a plain step has one
    share: float = 1.0  # of the epochs that are the model's default
    changes: dict[str, Any] = field(default_factory=dict)  # of the method's defaults

    def settings(self) -> dict[str, Any]:
        """The method as a run keeps it."""
        from advlab.training.methods import METHODS

        return {"name": self.method} | plain(METHODS[self.method](**self.changes))

    def train(self, source: str, task: str = "classification") -> TrainConfig:
        """The training settings that suit a model and a task."""
        base = train_for(source, self.method, task)
        return replace(base, epochs=max(1, round(self.share * base.epochs)))


PRESETS = {
    "quick": Preset(N_("Quick"), N_("One push a text: a first look."), "fgm", 2, share=0.4),
    "standard": Preset(N_("Standard"), N_("The usual search in a few steps."), "pgd", 4),
    "strong": Preset(
        N_("Strong"),
        N_("A longer, finer search, and more passes over the texts."),
        "pgd",
        8,
        share=1.5,
        changes={"steps": 7, "step_size": 0.3},
    ),
}


@dataclass(frozen=True)
class Pace:
    """How fast a model trains on this machine, from a run that ended."""

    seconds: float  # of one text in one pass, with the evaluations after each epoch
    same_data: bool


def pass_seconds(run: RunInfo) -> float | None:
    """Seconds that a text took in one pass of a finished run; None where the diary does not tell."""
    now = stand(run)
    passes = (now.cost or 0.0) * now.epoch * (now.train_texts or 0)
    return now.seconds / passes if run.status == "done" and now.seconds and passes else None


def pace_of(model: str, data: str) -> Pace | None:
    """From the newest finished run of the model, one on the same data first; None without one."""
    found: list[Pace] = []
    for run in jobs.runs():
        seconds = pass_seconds(run) if run.status == "done" else None
        with suppress(AdvlabError):  # settings of another version
            if seconds is not None and run.config.model.source == model:
                found.append(Pace(seconds, run.config.data.source == data))
    return next((p for p in found if p.same_data), found[0] if found else None)


def minutes(
    preset: Preset, source: str, texts: int | None, pace: Pace | None, task: str = "classification"
) -> str:
    """About how long a preset takes, in words that say from what this is known."""
    if texts is None:
        return _("time: once there is data")
    if pace is None:
        return _("time: not known before a run of this model has ended here")
    seconds = preset.passes * preset.train(source, task).epochs * texts * pace.seconds
    return _(
        "about {time}{judged}",
        time=rounded(seconds),
        judged="" if pace.same_data else _(", judged by other texts"),
    )


def rounded(seconds: float) -> str:
    """A length of time as one says it: 20 s, 3 min, 2.5 h."""
    if seconds < 55:
        return _("{n} s", n=max(5, 5 * round(seconds / 5)))
    if seconds < 90 * 60:
        return _("{n} min", n=max(1, round(seconds / 60)))
    return _("{hours:.1f} h", hours=seconds / 3600)


def used() -> tuple[Preset, str]:
    """The preset that the form was filled from last, and what ends the keys of its controls."""
    turn = st.session_state.get(TURN, 0)
    return PRESETS[st.session_state.get(CHOSEN, "standard")], f".{turn}" if turn else ""


def _use(name: str) -> None:
    st.session_state[CHOSEN] = name
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1


def choose_preset(
    source: str,
    task: str,
    method: dict[str, Any] | None,
    train: TrainConfig | None,
    times: Sequence[str],
) -> None:
    """One card a preset; the one that the form below agrees with is marked. `times`: one for each."""
    for column, (name, preset), time in zip(
        st.columns(len(PRESETS)), PRESETS.items(), times, strict=True
    ):
        settings, wanted = preset.settings(), preset.train(source, task)
        same = method == settings and train == wanted
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{_(preset.title)}**{' :material/check:' if same else ''}")
            st.markdown(_(preset.about))
            title = method_title(RunConfig(method=settings))
            st.caption(
                n_(
                    "{title} · ε {eps:g} × mean norm · {n} epoch · {passes} passes a step · {time}",
                    "{title} · ε {eps:g} × mean norm · {n} epochs · {passes} passes a step · {time}",
                    wanted.epochs,
                    title=title,
                    eps=settings["eps"],
                    passes=preset.passes,
                    time=time,
                )
            )
            st.button(
                _("In use") if same else _("Use {title}", title=_(preset.title).lower()),
                key=f"preset.{name}",
                disabled=same,
                on_click=_use,
                args=(name,),
                width="stretch",
            )
