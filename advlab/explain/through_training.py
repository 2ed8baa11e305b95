"""One sentence through the saved epochs of a run: the same attack on each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from advlab.attacks import Attack
from advlab.explain.explore import analyse, explore
from advlab.model.victim import Victim
from advlab.records import Moment
from advlab.training.epochs import kept, load_epoch


def look_back(
    folder: Path, victim: Victim, text: str, *, label: int | str, attack: Attack, seed: int = 0
) -> Iterator[Moment]:
    """One `Moment` a kept epoch, in order; stop asking to stop the work."""
    for epoch in kept(folder):
        yield look_at_epoch(folder, victim, epoch, text, label=label, attack=attack, seed=seed)


def look_at_epoch(
    folder: Path,
    victim: Victim,
    epoch: int,
    text: str,
    *,
    label: int | str,
    attack: Attack,
    seed: int = 0,
    shield: tuple[tuple[int, int], ...] = (),
) -> Moment:
    """The sentence under the weights of one kept epoch; ModelError where there are none.

    `victim` is the run's chosen model: it gives tokenizer, classes and the unit of ε, so that a
    length means the same in every epoch. `label` is the class that is attacked throughout.
    """
    then = load_epoch(folder, victim, epoch)
    record = explore(then, text, label=label, attack=attack, seed=seed, shield=shield)
    found = analyse(then, record, "saliency", method="integrated_gradients", of=label, steps=16)
    return Moment(epoch, record, found.words_clean)
