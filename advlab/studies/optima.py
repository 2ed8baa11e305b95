"""Do attacks stick in local optima? The same ascent from many starts, and how its ends differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from advlab.attacks import PGD, attack_settings
from advlab.attacks.evaluate import by_length, survives
from advlab.errors import DataError
from advlab.language import _
from advlab.records import Example
from advlab.records.measured import Optima
from advlab.studies.kept import Outcomes, Progress

if TYPE_CHECKING:
    from advlab.model.victim import Victim

CHUNK = 64  # texts in one batch, and in one file of outcomes


def optima(
    victim: Victim,
    examples: Sequence[Example],
    eps: float,
    *,
    starts: int = 10,
    steps: int = 20,
    seed: int = 0,
    outcomes: Outcomes | None = None,
    progress: Progress = lambda share, what: None,
) -> Optima:
    """PGD (ε × mean norm, L2) from `starts` random points of the ball on every text read right.

    `progress` hears how much is done; what it raises stops the work, with finished parts kept.
    DataError when no text is read right.
    """
    kept = outcomes or Outcomes()
    right = [e for e, ok in zip(examples, survives(victim, examples), strict=True) if ok]
    if not right:
        raise DataError(_("expected texts that the model reads right, got none; choose other data"))
    # five ε of way in all, so that what is left of the start is below e⁻⁵
    attack = PGD(eps, steps=steps, step_size=5 / steps, start="random")
    rows = kept.over(
        victim,
        right,
        {"optima": attack_settings(attack), "starts": starts, "seed": seed},
        lambda chunk, dice: _climbed(victim, chunk, attack, starts, dice),
        size=CHUNK,
        progress=lambda share, name: progress(
            share, _("{name}: {starts} starts on each text", name=name, starts=starts)
        ),
    )
    return Optima(
        victim.name,
        victim.hash,
        attack_settings(attack),
        tuple(e.id for e in right),
        *(np.array([row[name] for row in rows]) for name in ("start", "loss", "flips")),
        *(np.array([row[name] for row in rows]) for name in ("cosine", "distance")),
    )


def _climbed(
    victim: Victim, examples: Sequence[Example], attack: PGD, starts: int, seed: int
) -> list[dict[str, Any]]:
    """One row a text: start, loss, flips of each ascent; how far apart the ends are."""
    raw = attack.at(victim.scale)
    generator = torch.Generator().manual_seed(seed)
    rows: list[dict[str, Any]] = [{} for __ in examples]
    with victim.analysing():
        for places, batch in by_length(victim, examples, CHUNK):
            x = victim.embed(batch).detach()
            objective = victim.objective(batch)
            found = [
                raw(objective, x, batch.perturbable, generator, flips=objective.flips)
                for __ in range(starts)
            ]
            ends = torch.stack([f.delta.flatten(1) for f in found])  # (R,B,T·D)
            unit = torch.nn.functional.normalize(ends, dim=-1)
            cosine = torch.einsum("rbd,sbd->brs", unit, unit)
            apart = torch.cdist(ends.transpose(0, 1), ends.transpose(0, 1)) / raw.eps
            pairs = max(starts * (starts - 1), 1)
            own = torch.eye(starts, dtype=torch.bool)
            cosine = cosine.masked_fill(own, 0.0).sum((1, 2)) / pairs
            apart = apart.masked_fill(own, 0.0).sum((1, 2)) / pairs
            for b, place in enumerate(places):
                rows[place] = {
                    "start": [float(f.losses[0, b]) for f in found],
                    "loss": [float(f.loss[b]) for f in found],
                    "flips": [int(f.first_flip[b]) >= 0 for f in found],
                    "cosine": float(cosine[b]),
                    "distance": float(apart[b]),
                }
    return rows
