"""Capsules of format 1, which held a probability of each class instead of readings."""

from __future__ import annotations

import numpy as np

from advlab.capsule.reader import AXES, SHARED_NUMBERS, Part, Spec, refused, shown
from advlab.language import _
from advlab.records import Reading

NUMBERS: dict[str, Spec] = {
    "clean": ("C", 0, 1),
    "adversarial": ("C", 0, 1),
    "noise": ("RC", 0, 1),
    "projected": ("C", 0, 1),
    "round_trip": ("C", 0, 1),
    **SHARED_NUMBERS,
    "step_probs": ("SC", 0, 1),
    "curve_adversarial": ("NC", 0, 1),
    "curve_low": ("NC", 0, 1),
    "curve_high": ("NC", 0, 1),
}
READINGS = {
    "clean": "clean",
    "attacked": "adversarial",
    "noise": "noise",
    "nearest tokens": "projected",
    "as text again": "round_trip",
    "steps": "step_probs",
    "curve": "curve_adversarial",
}


def read(
    top: Part, label: str | None, sizes: dict[str, int]
) -> tuple[dict[str, np.ndarray], dict[str, Reading]]:
    """The numbers and readings of a file of format 1. DataError says what does not fit."""
    classes = top.part("model").texts("classes", 200, 1, AXES["C"])
    if len(set(classes)) < len(classes):
        raise refused(_("classes with different names"), shown(classes))
    if label is not None and label not in classes:
        raise refused(_("a label that is one of the classes, or null"), shown(label))
    sizes["C"] = len(classes)
    packed = top.part("results").part("numbers")
    numbers = {name: packed.array(name, spec, sizes) for name, spec in NUMBERS.items()}
    held = int(numbers["clean"].argmax())
    c = held if label is None else classes.index(label)
    readings = {
        name: as_reading(np.atleast_2d(numbers.pop(key)), classes, c, held)
        for name, key in READINGS.items()
    }
    for name in ("curve_low", "curve_high"):
        numbers[name] = numbers[name][:, c]
    return numbers, readings


def as_reading(probs: np.ndarray, classes: list[str], c: int, held: int) -> Reading:
    """(N,C) probabilities as a reading whose reference is class `c` and where `held` must stand."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(probs.astype(float))
        top = probs.argmax(1)
        return Reading(
            tuple(classes[i] for i in top),
            probs[:, c],
            probs.max(1),
            _lead(logs, c),
            -logs[:, c],
            _lead(logs, held),
            top != held,
            {name: probs[:, i] for i, name in enumerate(classes)},
        )


def _lead(logs: np.ndarray, c: int) -> np.ndarray:
    """(N,) log-odds of class `c` against the best other; ∞ where there is none."""
    own, best = logs[:, c], np.delete(logs, c, axis=1).max(1, initial=-np.inf)
    return np.where(own == best, 0.0, own - best)  # two of probability 0 lead by nothing
