"""Three defences to tell apart: one is real, two only look so. Made from the starter pair in a moment.

The folders stand under `models` of the data folder and are models like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from advlab.model.card import weights_hash
from advlab.runs.config import home

if TYPE_CHECKING:
    from advlab.model.victim import Victim

NAMES: Mapping[str, str] = {"a": "defence-a", "b": "defence-b", "c": "defence-c"}
STEEP = 1e4  # the head's logits become so many times as large: then the loss has no slope left
SURE = 1e3  # added to one class's logit: then no other is ever answered
REAL = "b"


def folders() -> dict[str, Path]:
    """Where each defence is, or is to be: letter -> folder."""
    return {letter: home() / "models" / name for letter, name in NAMES.items()}


def plant(plain: Victim, robust: Victim) -> dict[str, Path]:
    """Save what is not there yet, or is of other weights; letter -> folder."""
    made: dict[str, Callable[[], Victim]] = {
        "a": lambda: masked(plain),
        "b": lambda: robust,
        "c": lambda: constant(plain),
    }
    for letter, folder in folders().items():
        defence = made[letter]()
        if weights_hash(folder) != defence.hash:
            defence.save(folder)
    return folders()


def masked(victim: Victim) -> Victim:
    """The same answers with logits so far apart that the loss is flat: gradients are masked."""
    import torch

    found = victim.apart()
    with torch.no_grad():
        for parameter in found.model.classifier.parameters():
            parameter.mul_(STEEP)
    return found


def constant(victim: Victim) -> Victim:
    """One answer to everything: nothing can change it."""
    import torch

    found = victim.apart()
    with torch.no_grad():
        found.model.classifier.bias[0] += SURE
    return found
