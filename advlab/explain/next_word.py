"""How much longer must δ grow until words change, and what does the model say on the way?

δ is multiplied by a growing factor. At every factor three things are really run through the model:
the scaled vectors, their nearest rows, and the text that these spell, tokenised again. Beside them
stands random noise as long as the scaled δ. Nothing is interpolated.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from advlab.explain.nearest import closest, crossings, first_exit, scores
from advlab.explain.neighbours import candidates
from advlab.explain.round_trip import round_trips
from advlab.explain.subject import Subject, slow
from advlab.model.victim import Victim
from advlab.records import AttackRecord, Exits, Scaled

LIMIT = 1000.0  # times δ: no vector beyond this says anything about the attack
CHANGES = 24  # at most so many of the factors at which a token changes are looked at


def scaled(
    subject: Subject,
    record: AttackRecord,
    until: Literal["half", "all"] = "all",
    points: int = 9,
    draws: int | None = None,
    whole: bool = False,
) -> Scaled:
    """Scale δ until half or all of the perturbed tokens have changed.

    `points` factors on a logarithmic grid, 1, and a factor just past each first change of a token
    (`CHANGES` at most). Where a token has changed already, the grid begins below 1. `whole`: they
    change to real words only.
    """
    victim, own = subject.victim, subject.batch.input_ids[0]
    table, allowed = victim.table, candidates(victim, whole)
    delta = torch.as_tensor(record.delta).to(subject.embeds)  # (T,D)
    apart = scores(table[own], table, "l2")
    met = crossings(own, delta, table, allowed, LIMIT, apart)
    first = np.array([path[0][0] if path else np.inf for path in met])
    radius = first_exit(own, delta, table, allowed, apart)[0]
    factors = _factors(first, until, points)
    grown = torch.as_tensor(factors).to(delta)

    ids = torch.stack([_rows_at(own, met, float(f)) for f in factors])  # (F,T)
    trips = round_trips(subject, ids)

    R = draws if draws is not None else draws_for(victim)
    noise = subject.noise_as_long(delta.unsqueeze(0), R, record.seed + 1)  # (R,T,D)
    leaves = torch.stack(
        [first_exit(own, one, table, allowed, apart)[0] / one.norm(dim=-1) for one in noise]
    )  # (R,T) factors; ∞ where the noise is 0, as 1/0
    many = grown.reshape(-1, 1, 1, 1) * noise  # (F,R,T,D)
    return Scaled(
        factors=factors,
        exits=first,
        crossings=tuple(
            tuple((f, name) for (f, _), name in zip(path, _names(victim, path), strict=True))
            for path in met
        ),
        changed=(ids != own).cpu().numpy(),
        tokens=tuple(tuple(victim.vocabulary.texts(row)) for row in ids.tolist()),
        texts=trips.texts,
        read=trips.tokens,
        vectors=subject.read(grown.reshape(-1, 1, 1) * delta),
        projected=trips.projected,
        reread=trips.read,
        noise=subject.read(many.flatten(0, 1)),
        noise_changed=(leaves < grown.reshape(-1, 1, 1)).sum(-1).cpu().numpy(),
        reachable=int(radius.isfinite().sum()),
        limit=LIMIT,
    )


def _factors(first: np.ndarray, until: str, points: int) -> np.ndarray:
    """Ascending factors: a logarithmic grid, 1, and one just past each change."""
    changes = np.sort(first[np.isfinite(first)])
    if not len(changes):
        return np.geomspace(1.0, 10.0, points)
    last = changes[(len(changes) - 1) // 2] if until == "half" else changes[-1]
    past = changes[changes <= last] * (1 + 1e-4)
    if len(past) > CHANGES:
        past = past[np.linspace(0, len(past) - 1, CHANGES).round().astype(int)]
    start, end = min(1.0, 0.5 * float(changes[0])), max(1.0, 1.05 * float(last))
    return np.unique(np.concatenate([np.geomspace(start, end, points), past, [1.0]]))


def _rows_at(own: Tensor, met: list[list[tuple[float, int]]], factor: float) -> Tensor:
    """(T,) the nearest row of each token at a factor."""
    rows = []
    for row, path in zip(own.tolist(), met, strict=True):
        passed = bisect_right([f for f, _ in path], factor)
        rows.append(path[passed - 1][1] if passed else row)
    return torch.tensor(rows, device=own.device)


def draws_for(victim: Victim) -> int:
    """Random draws behind a band: fewer for a model whose forward pass takes long."""
    return 4 if slow(victim) else 8


def _names(victim: Victim, path: list[tuple[float, int]]) -> list[str]:
    return victim.vocabulary.texts([row for _, row in path])


def exits(subject: Subject, record: AttackRecord, whole: bool = False) -> Exits:
    """How far each token is from the next word along its δ, and from the nearest word at all.

    `whole`: the next real word, neither piece nor punctuation.
    """
    victim, own = subject.victim, subject.batch.input_ids[0]
    table, allowed = victim.table, candidates(victim, whole)
    delta = torch.as_tensor(record.delta).to(table)
    apart = scores(table[own], table, "l2")
    radius, rows = first_exit(own, delta, table, allowed, apart)
    distance, others = closest(own, table, allowed, apart)
    length = record.delta_norm.astype(float)

    def times(far: np.ndarray) -> np.ndarray:
        return np.where(length > 0, far / np.where(length > 0, length, 1.0), np.inf)

    reached = [int(row) for row in rows.tolist()]
    names = victim.vocabulary.texts([max(row, 0) for row in reached])
    out, safe = radius.cpu().numpy(), (distance / 2).cpu().numpy()
    return Exits(
        radius=out,
        becomes=tuple(n if row >= 0 else "" for n, row in zip(names, reached, strict=True)),
        factor=times(out),
        certificate=safe,
        closest=tuple(victim.vocabulary.texts(others.tolist())),
        closest_factor=times(safe),
        excluded=int((~allowed).sum()),
    )
