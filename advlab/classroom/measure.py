"""What students hand in for a challenge, measured by the server: nothing is taken from their claim.

Each function gives the figure for the board, or raises ClassError with the reason why there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from advlab.classroom.challenges import SECONDS
from advlab.errors import ClassError
from advlab.language import _
from advlab.runs.limits import check_text

if TYPE_CHECKING:
    from advlab.attacks import Attack
    from advlab.model.victim import Victim
    from advlab.records import AttackRecord, Example
    from advlab.runs.jobs import RunInfo

EPS, STEPS, TEXTS = 0.25, 10, 100  # × mean norm, of PGD; test texts


def length_of_flip(
    victim: Victim,
    text: str,
    attack: Attack,
    *,
    seed: int = 0,
    shield: Sequence[tuple[int, int]] = (),
) -> tuple[float, AttackRecord]:
    """‖δ‖₂ over the whole sentence, × mean word-vector norm, at the first δ that changes the answer.

    The attack runs on the model's own answer, whatever the ball or norm of its search.
    """
    from advlab.explain.explore import explore

    check_text(text)
    record = explore(victim, text, attack=attack, seed=seed, shield=shield, draws=5)
    if not record.flipped:
        raise ClassError(
            _(
                "At ε = {eps:g} this attack does not change the answer; take a larger ε or more steps.",
                eps=attack.eps,
            )
        )
    raw = math.sqrt(float((record.delta_norm**2).sum()))
    return raw / record.scale.mean_norm, record


def words_to_flip(victim: Victim, text: str, changed: str) -> int:
    """Words that must be changed, removed or added between two sentences with other answers."""
    check_text(changed)
    if not changed.strip():
        raise ClassError(_("Write the changed sentence first."))
    before, after = answer_of(victim, text), answer_of(victim, changed)
    if before == after:
        raise ClassError(
            _("The model still answers {answer!r}; change another word.", answer=str(after)[:60])
        )
    return distance(text.split(), changed.split())


def answer_of(victim: Victim, text: str) -> str:
    """What a model answers to a text as it stands."""
    import torch

    with victim.analysing(), torch.no_grad():
        batch = victim.encode([text])
        return victim.answers(victim.embed(batch), batch)[0]


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Words changed, removed or added at least (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, theirs in enumerate(other, 1):
            diagonal, row[j] = row[j], min(diagonal + (word != theirs), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def seconds_trained(run: RunInfo) -> float:
    """How long a run has trained, by its diary. ClassError where it is not done, or took too long."""
    from advlab.runs.standing import standing

    seconds = standing(run.folder.read().events).seconds
    if run.status != "done" or seconds is None:
        raise ClassError(_("Wait until the run is done, then hand it in."))
    if seconds > SECONDS:
        raise ClassError(
            _(
                "This run trained for {seconds:.0f} s; {most:.0f} s are allowed. Train a shorter one.",
                seconds=seconds,
                most=SECONDS,
            )
        )
    return seconds


def robustness(victim: Victim, examples: Sequence[Example]) -> float:
    """Share of these texts that stay right under PGD-10 at ε = 0.25 × mean norm, seed 0."""
    from advlab.attacks import PGD
    from advlab.attacks.evaluate import survives

    right = survives(victim, examples, PGD(EPS, steps=STEPS), seed=0)
    return sum(right) / len(right)
