"""Where a run stands, in numbers: what its diary says so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advlab.records import Estimate, Event
from advlab.runs.folder import timeline

_OF_A_STEP = (
    "epoch",
    "clean_loss",
    "adv_loss",
    "delta_norm",
    "embed_norm",
    "texts_per_second",
    "eta",
    "cost",
)
_OF_A_START = ("epochs", "steps", "majority", "parameters", "train_texts", "eval_eps")
_NUMBERS = {*_OF_A_START, *_OF_A_STEP, "seconds"}


@dataclass(frozen=True)
class Standing:
    """Where a run stands, from its events. None: not known yet."""

    epochs: int | None = None
    epoch: float = 0.0  # passes over the data made so far
    step: int = 0
    steps: int | None = None
    clean: Estimate | None = None  # validation accuracy of the kept epoch
    robust: Estimate | None = None  # under PGD-5 at `eval_eps`
    best_epoch: int | None = None
    test: Estimate | None = None  # of the kept model, after the end
    test_robust: Estimate | None = None
    # what people quote of answers to some test texts: clean, and under attack
    quoted: Mapping[str, tuple[Estimate, Estimate]] = field(default_factory=dict)
    eval_eps: float | None = None  # × mean word-vector norm
    majority: float | None = None
    clean_loss: float | None = None
    adv_loss: float | None = None
    delta_norm: float | None = None
    embed_norm: float | None = None
    texts_per_second: float | None = None
    eta: float | None = None  # seconds
    cost: float | None = None  # time of a step, in plain steps
    seconds: float | None = None  # of training
    parameters: int | None = None
    train_texts: int | None = None
    alarms: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def standing(events: Sequence[Event]) -> Standing:
    """A run in numbers, from all its events."""
    events = timeline(events)
    found: dict[str, Any] = {}
    alarms, notes = [], []
    for event in events:
        values = _sound(event.values)
        if event.kind == "start":
            found |= _some(values, *_OF_A_START)
        elif event.kind == "step":
            found |= _some(values, *_OF_A_STEP)
        elif event.kind == "epoch":
            found["epoch"] = float(values.get("epoch", 0))
            if values.get("best", True):
                found["clean"] = as_estimate(values.get("clean_accuracy"))
                found["robust"] = as_estimate(values.get("robust_accuracy"))
                found["best_epoch"] = int(values.get("epoch", 0))
            found |= _some(values, "majority", "eval_eps")
        elif event.kind == "end":
            found["test"] = as_estimate(values.get("test_accuracy")) or found.get("test")
            robust = as_estimate(values.get("test_robust_accuracy"))
            found["test_robust"] = robust or found.get("test_robust")
            found["quoted"] = _quoted(values.get("test_quoted")) or found.get("quoted", {})
            found |= _some(values, "cost", "seconds")
            found["eta"] = None
        elif event.kind == "alarm":
            alarms.append(str(values.get("message") or values.get("name") or "alarm"))
        elif event.kind == "note" and values.get("message"):
            notes.append(str(values["message"]))
        found["step"] = event.step
    return Standing(**found, alarms=tuple(alarms), notes=tuple(notes))


def _quoted(told: Any) -> dict[str, tuple[Estimate, Estimate]]:
    """The figures of an end event; none where they are damaged, or of a run before there were any."""
    found = {}
    try:
        for name, pair in told.items():
            clean, robust = as_estimate(pair["clean"]), as_estimate(pair["robust"])
            if clean is not None and robust is not None:
                found[str(name)] = (clean, robust)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return {}
    return found


def _sound(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without those that are damaged: text where a number belongs, half an estimate."""
    kept = {}
    for name, value in values.items():
        if name in _NUMBERS and not (isinstance(value, int | float) and math.isfinite(value)):
            continue
        if name.endswith("_accuracy"):
            try:
                as_estimate(value)
            except (KeyError, TypeError, ValueError, OverflowError):
                continue
        kept[name] = value
    return kept


def as_estimate(value: Any) -> Estimate | None:
    """A figure with its interval, from the mapping that events carry or from a bare number.

    Events of older runs name no unit: they are shares.
    """
    if isinstance(value, Mapping):
        return Estimate(
            float(value["value"]),
            float(value["low"]),
            float(value["high"]),
            int(value["n"]),
            str(value.get("unit", "share")),
        )
    if isinstance(value, int | float):
        return Estimate(float(value), float(value), float(value), 0)
    return None


def _some(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name) is not None}


def judged(events: Sequence[Event]) -> list[Event]:
    """The steps that tell a clean loss, as one unbroken run."""
    return [e for e in timeline(events) if e.kind == "step" and "clean_loss" in e.values]


def series(rows: Sequence[Event], name: str) -> list[float]:
    """One figure of these steps, where it is a finite number."""
    found = [e.values.get(name) for e in rows]
    return [float(v) for v in found if isinstance(v, int | float) and math.isfinite(v)]


def inner_gain(rows: Sequence[Event]) -> list[float]:
    """What the attack adds to the clean loss at each of these steps, nats."""
    return [e.values["adv_loss"] - e.values["clean_loss"] for e in rows if "adv_loss" in e.values]


def guessing(events: Sequence[Event]) -> float:
    """The loss of guessing, nats; 0 where the diary does not tell it.

    Diaries of older runs name the classes instead.
    """
    start = next((e.values for e in events if e.kind == "start"), {})
    return float(start.get("chance") or math.log(max(len(start.get("label_names") or ()), 1)))
