"""What would the attack do at other ε? The answer against ε, for it and for equal-norm noise.

A δ found at one radius, scaled, lies in the ball of any other. So some radii are attacked afresh and
all others take the better of their neighbours' δ; each candidate is run through the model, nothing
is interpolated. The curve is therefore a lower bound on what an attacker could do, as every attack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.noise import noise_of_length
from advlab.explain.subject import Subject, slow
from advlab.model.victim import Victim
from advlab.records import Curve

FINER = 5  # radii tried between the last that holds and the first that flips


@dataclass(frozen=True)
class Effort:
    """How much a curve may cost."""

    stride: int  # every so many radii one is attacked afresh
    steps: int  # gradient steps there, at most; one start
    draws: int  # of random noise at each radius


QUICK, THOROUGH = Effort(stride=6, steps=5, draws=3), Effort(stride=2, steps=10, draws=8)


def effort_for(victim: Victim) -> Effort:
    """Less for a model whose forward pass takes long."""
    return QUICK if slow(victim) else THOROUGH


def curve(
    subject: Subject,
    known: Tensor,
    *,
    points: int = 25,
    seed: int = 0,
    effort: Effort | None = None,
) -> Curve:
    """What the model says at `points` values of ε from 0 to twice the attack's.

    `known` (T,D) is the δ that the subject's attack found, which stands at its own ε. A δ of a small
    ball is in every larger one, so the best so far is carried upwards: the attack never does worse as
    ε grows.
    """
    embeds, attack = subject.embeds, subject.attack
    effort = effort or effort_for(subject.victim)
    eps = torch.linspace(0, 2 * attack.eps, points, dtype=embeds.dtype, device=embeds.device)
    deltas, out = _attacked(subject, eps, known, seed, effort)
    found = subject.reading(deltas, out)
    noise = subject.read(_noise(subject, eps, seed, effort.draws)).score.reshape(-1, effort.draws)
    noise = np.vstack([np.repeat(found.score[:1], effort.draws), noise])  # (N,draws)
    flips = np.flatnonzero(found.broken)
    return Curve(
        eps=eps.cpu().numpy(),
        attacked=found,
        low=noise.min(1),
        mean=noise.mean(1),
        high=noise.max(1),
        delta_norm=deltas.norm(dim=-1).cpu().numpy(),
        flip_eps=_flip_eps(subject, eps, deltas, int(flips[0])) if len(flips) else None,
        draws=effort.draws,
        deltas=deltas.cpu().numpy(),
    )


def _attacked(
    subject: Subject, eps: Tensor, known: Tensor, seed: int, effort: Effort
) -> tuple[Tensor, Tensor]:
    """The best δ (N,T,D) found for each radius, and what the model makes of it (N,…)."""
    N, own = len(eps), subject.attack.eps
    still = torch.zeros_like(known)
    if own == 0:  # every radius is 0
        same = subject.output(still.unsqueeze(0))
        return still.expand(N, -1, -1), same.expand(N, *same.shape[1:])
    at_own = [i for i in range(N) if abs(float(eps[i]) - own) <= 1e-5 * own]
    fresh = sorted({1, *range(effort.stride, N, effort.stride)} - {*at_own, N})
    made = _at_radii(subject, eps[fresh], seed, effort) if fresh else ()
    found = dict(zip(fresh, made, strict=True))
    anchors = [(float(eps[i]), delta) for i, delta in found.items()] + [(own, known)]

    places: list[int] = [0, *at_own, *fresh]
    tried = [still, *(known for _ in at_own), *found.values()]
    for i in range(1, N):
        radius = float(eps[i])
        if i in at_own:
            continue  # what the record shows at its own ε is the δ that it holds
        below = max((a for a in anchors if a[0] < radius), key=lambda a: a[0], default=None)
        above = min((a for a in anchors if a[0] > radius), key=lambda a: a[0], default=None)
        for anchor in (below, above):
            if anchor is not None:
                places.append(i)
                tried.append(anchor[1] * (radius / anchor[0]))
    candidates = torch.stack(tried)
    out = subject.output(candidates)
    gain = subject.gain(out).tolist()
    chosen: list[int] = []  # for each radius, its place among the candidates
    for i in range(N):
        options = [k for k, place in enumerate(places) if place == i]
        options = chosen[-1:] + options  # carried upwards
        chosen.append(max(options, key=lambda k: gain[k]))
    return candidates[chosen], out[chosen]


def _at_radii(subject: Subject, eps: Tensor, seed: int, effort: Effort) -> Tensor:
    """(N,T,D): a short attack at each radius, all in one batch."""
    short = subject.attack.brief(effort.steps, effort.draws)
    many = subject.batch.repeat(len(eps))
    generator = torch.Generator().manual_seed(seed)
    return short(
        subject.objective(many),
        subject.embeds.expand(len(eps), -1, -1),
        many.perturbable,
        generator,
        eps=eps,
    ).delta


def _noise(subject: Subject, eps: Tensor, seed: int, draws: int) -> Tensor:
    """((N−1)·draws,T,D) noise whose norm is exactly each radius above 0."""
    generator = torch.Generator().manual_seed(seed + 1)
    allowed = subject.batch.perturbable
    return noise_of_length(subject.embeds, allowed, eps[1:], subject.attack, draws, generator)


def _flip_eps(subject: Subject, eps: Tensor, deltas: Tensor, first: int) -> float:
    """The smallest radius that flips, on a finer grid below the curve's first that does."""
    finer = torch.linspace(
        float(eps[first - 1]), float(eps[first]), FINER + 2, dtype=eps.dtype, device=eps.device
    )[1:-1]
    # both neighbours' δ, scaled into the ball
    sources = [first] if first == 1 else [first - 1, first]
    scaled = torch.cat([deltas[i] * (finer / eps[i]).reshape(-1, 1, 1) for i in sources])
    flips = subject.read(scaled).broken.reshape(len(sources), -1).any(0)
    return float(finer[int(flips.argmax())]) if flips.any() else float(eps[first])
