"""The attack as a film: what a whole series of δ is nearest to, frame by frame.

A series is the attack's steps ("film"), its δ at each ε ("sweep") or draws of random noise ("noise").
With gⱼ = eⱼ − eᵢ, row j is nearer to eᵢ + δ than the own row exactly when ‖gⱼ‖² < 2δ·gⱼ. So one
product of all δ with the vocabulary answers both questions, which row is nearest and how far along δ
the token's cell ends, and the two answers cannot disagree.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from advlab.explain.nearest import scores
from advlab.explain.subject import Subject
from advlab.language import _
from advlab.records import AttackRecord, Frames, Noise, Reading

CELLS = 12_000_000  # (frame, token, vocabulary row) triples held at once
DRAWS = 20  # of noise per token, as many as stand behind the record's own band
STEP_DRAWS = 4  # of noise at each step of the film


def film(subject: Subject, record: AttackRecord, draws: int = STEP_DRAWS) -> Frames:
    """The kept steps of the attack: `at` is `record.path_steps`.

    `random` holds, for each step, what is said under noise exactly as long as that step's δ.
    """
    path = _tensor(subject, record.path)
    random = _noise_of_steps(subject, record, path, draws)
    return _frames(subject, record.path_steps, path, random, draws)


def sweep(subject: Subject, record: AttackRecord) -> Frames:
    """The attack at each ε of the record's curve: `at` is ε, raw units."""
    assert record.curve.deltas is not None, _("expected a curve with its δ, got one without")
    return _frames(subject, record.curve.eps, _tensor(subject, record.curve.deltas))


def noise(subject: Subject, record: AttackRecord, draws: int = DRAWS) -> Noise:
    """Random noise as long as the attack's δ, token by token: the null of every picture of δ.

    With as many draws as `record.noise` has, these are the very ones behind it.
    """
    deltas = subject.noise_as_long(_tensor(subject, record.delta[None]), draws, record.seed + 1)
    __, __, exits = nearest_frames(subject, deltas)
    return Noise(
        delta_norm=deltas.norm(dim=-1).cpu().numpy(),
        exit_radius=exits.cpu().numpy(),
        first=deltas[0].cpu().numpy(),
    )


def nearest_frames(subject: Subject, deltas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Nearest row, own rank and exit radius (raw units) of each token in each frame: all (F,T).

    deltas (F,T,D). Candidates are the ordinary rows and the token's own, by L2. Own rank is 1 where
    no row is strictly nearer than the own one, exactly when ‖δ‖ does not exceed the exit radius.
    """
    victim = subject.victim
    table, allowed = victim.table, victim.ordinary
    own = subject.batch.input_ids[0]
    apart = scores(table[own], table, "l2").pow(2)  # (T,V)
    # a row equal to the own one is never strictly nearer
    weight = torch.where(allowed & (apart > 0), 2 / apart, 0.0)
    mine = table[own]  # (T,D)
    F, (T, V) = len(deltas), apart.shape
    length = deltas.norm(dim=-1)  # (F,T)
    most = torch.zeros_like(length)
    rank = torch.ones_like(length, dtype=torch.long)
    nearest = own.expand(F, T).clone()
    size = max(1, CELLS // (T * V))
    for first in range(0, F, size):
        part = deltas[first : first + size]
        share = part @ table.T  # (F,T,V), then how much of the way to row j: 2δ·gⱼ / ‖gⱼ‖²
        share.sub_((part * mine).sum(-1, keepdim=True)).mul_(weight)
        most[first : first + size] = share.amax(-1)
        f, t = (most[first : first + size] > 1).nonzero().unbind(1)  # few: the rest is at home
        crossed = share[f, t]
        rank[first + f, t] = (crossed > 1).sum(-1) + 1
        nearest[first + f, t] = ((crossed - 1) * apart[t]).argmax(-1)
    exits = torch.where(most > 0, length / most, torch.inf)
    return nearest, rank, exits


def _frames(
    subject: Subject, at: np.ndarray, deltas: Tensor, random: Reading | None = None, draws: int = 0
) -> Frames:
    nearest, rank, exits = nearest_frames(subject, deltas)
    ids, places = nearest.unique(return_inverse=True)
    names = subject.victim.vocabulary.texts(ids.tolist())
    return Frames(
        at=at,
        delta_norm=deltas.norm(dim=-1).cpu().numpy(),
        exit_radius=exits.cpu().numpy(),
        own_rank=rank.cpu().numpy(),
        nearest=nearest.cpu().numpy(),
        tokens=tuple(tuple(names[k] for k in row) for row in places.tolist()),
        random=random,
        draws=draws,
    )


def _noise_of_steps(subject: Subject, record: AttackRecord, path: Tensor, draws: int) -> Reading:
    """F·draws, under noise whose norm is that of each step's δ."""
    return subject.read(subject.noise_as_long(path, draws, record.seed + 2))


def _tensor(subject: Subject, values: np.ndarray) -> Tensor:
    return torch.as_tensor(values).to(subject.embeds)
