"""One sentence under the weights of a saved epoch of a run: the same attack on each."""

from __future__ import annotations

from pathlib import Path

from advlab.attacks import Attack
from advlab.explain.explore import analyse, explore
from advlab.model.victim import Victim
from advlab.records import Moment
from advlab.tasks.base import Writes
from advlab.training.epochs import load_epoch


def look_at_epoch(
    folder: Path,
    victim: Victim,
    epoch: int,
    text: str,
    *,
    label: int | str,
    attack: Attack,
    beside: str = "",
    seed: int = 0,
    shield: tuple[tuple[int, int], ...] = (),
    goal: str = "",
    chosen: int | None = None,
) -> Moment:
    """The sentence under the weights of one kept epoch; ModelError where there are none.

    `victim` is the run's chosen model: it gives tokenizer, classes and the unit of ε, so that a
    length means the same in every epoch; its own weights are those of the epoch `chosen`. `label` is
    the answer that is attacked throughout, `beside` what is read with the text.
    """
    then = victim if epoch == chosen else load_epoch(folder, victim, epoch)
    record = explore(
        then, text, label=label, beside=beside, attack=attack, seed=seed, shield=shield, goal=goal
    )
    # a written answer is told token by token; one that its text does not have cannot be explained
    known = bool(victim.head) or str(label) in text
    of = {"of": label} if known and not isinstance(victim.task, Writes) else {}
    found = analyse(then, record, "saliency", method="integrated_gradients", steps=16, **of)
    told = None
    if isinstance(victim.task, Writes):
        told = analyse(then, record, "written", along="attack")
    return Moment(epoch, record, found.clean.words, epoch == chosen, told)
