"""A pinned sentence: what a model makes of it while the weights move."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from advlab.attacks import PGD
from advlab.model.victim import Victim
from advlab.records import Example, Pinned
from advlab.tasks import Batch
from advlab.tasks.base import broken_in

FARTHEST = 2.0  # × mean norm: no longer δ is tried
RADII = (
    24  # tried at once, twice: the second time between the last that holds and the first that flips
)
STEPS = 10  # of PGD at each


def own_answer(victim: Victim, example: Example) -> str:
    """What the model says of it."""
    batch = victim.encode([example])
    return victim.answers(victim.embed(batch), batch)[0]


def look(victim: Victim, example: Example) -> Pinned:
    """What a model says of an example with an answer, and the smallest ε that breaks that.

    To be called within `victim.analysing()`.
    """
    batch = victim.encode([example])
    embeds = victim.embed(batch).detach()
    found = victim.read(embeds, batch)
    broken = bool(broken_in(victim.objective(batch).scores(embeds).detach())[0])
    return Pinned(
        answer=found.answers[0],
        sure=float(found.sure[0]),
        score=float(found.score[0]),
        margin=float(found.margin[0]),
        loss=float(found.loss[0]),
        flip_eps=0.0 if broken else _flip_eps(victim, batch, embeds),
    )


def _flip_eps(victim: Victim, batch: Batch, embeds: Tensor) -> float | None:
    """The smallest radius (L2, one ball for the text, raw) at which PGD breaks the only text.

    Found by attacks at many radii at once, then again between two of them. A search for the shortest δ
    is off by more than a step of training changes (FMN, 50 and 100 steps: 0.52 and 0.22 × mean norm).
    """
    many = batch.repeat(RADII)
    objective = victim.objective(many)
    low, high = 0.0, FARTHEST * victim.scale.mean_norm
    found = None
    for _ in range(2):
        radii = torch.linspace(low, high, RADII + 1, dtype=embeds.dtype, device=embeds.device)[1:]
        tried = PGD(unit="raw", steps=STEPS, step_size=0.4)(
            objective,
            embeds.expand(RADII, -1, -1),
            many.perturbable,
            torch.Generator().manual_seed(0),
            eps=radii,
            flips=objective.flips,
        )
        flips = (tried.first_flip >= 0).nonzero().flatten().tolist()
        if not flips:
            break
        found = high = float(radii[flips[0]])
        low = float(radii[flips[0] - 1]) if flips[0] else low
    return found


def referring(victim: Victim, example: Example) -> Example:
    """The example with an answer: the model's own where none is known."""
    return example if example.answers else replace(example, answers=(own_answer(victim, example),))
