"""What a search keeps while it runs: the best iterate, the first that flips, the whole path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

LossFn = Callable[[Tensor], Tensor]  # embeds (B,T,D) -> loss (B,)
FlipFn = Callable[[Tensor], Tensor]  # embeds (B,T,D) -> bool (B,)


@dataclass(frozen=True)
class Perturbation:
    """What an attack found.

    `delta` is the iterate of highest loss (lowest, when targeted) over all steps and restarts.
    `losses`, `path` and `best_step` belong to the restart that holds it; step 0 is the start.
    """

    delta: Tensor  # (B,T,D)
    losses: Tensor  # (S+1,B)
    best_step: Tensor  # (B,) long
    first_flip: Tensor  # (B,) long, first step of any restart whose δ flips; −1 if none did
    flip_delta: Tensor  # (B,T,D) δ at the first flip; `delta` where none flipped
    path: Tensor | None = None  # (S+1,B,T,D)

    @property
    def loss(self) -> Tensor:
        """(B,) loss at `delta`."""
        return self.losses.gather(0, self.best_step.unsqueeze(0)).squeeze(0)


class Tracker:
    """Follows one search over a batch, iterate by iterate."""

    def __init__(self, embeds: Tensor, keep_path: bool) -> None:
        B = embeds.shape[0]
        self._keep_path = keep_path
        self.best = torch.full((B,), -torch.inf, dtype=embeds.dtype, device=embeds.device)
        self.delta = torch.zeros_like(embeds)  # of the best
        self.step = torch.zeros(B, dtype=torch.long, device=embeds.device)
        self.first_flip = torch.full((B,), -1, dtype=torch.long, device=embeds.device)
        self._flip_delta = torch.zeros_like(embeds)
        self._losses: list[Tensor] = []
        self._path: list[Tensor] = []

    def see(self, delta: Tensor, score: Tensor, flipped: Tensor | None = None) -> Tensor:
        """Note δ, its score (B,) and, where that is known, which examples (B,) it flips.

        Returns which examples (B,) have improved on their best.
        """
        delta, score = delta.detach(), score.detach()
        s = len(self._losses)
        if s == 0:
            self.delta = delta  # the start stands where no score is a number
        self._losses.append(score)
        if self._keep_path:
            self._path.append(delta)
        better = score > self.best
        self.best = torch.where(better, score, self.best)
        self.step = torch.where(better, s, self.step)
        self.delta = torch.where(better.reshape(-1, 1, 1), delta, self.delta)
        if flipped is not None:
            new = flipped & (self.first_flip < 0)
            self.first_flip = torch.where(new, s, self.first_flip)
            self._flip_delta = torch.where(new.reshape(-1, 1, 1), delta, self._flip_delta)
        return better

    def found(self) -> Perturbation:
        """The outcome so far."""
        flipped = (self.first_flip >= 0).reshape(-1, 1, 1)
        return Perturbation(
            delta=self.delta,
            losses=torch.stack(self._losses),
            best_step=self.step,
            first_flip=self.first_flip,
            flip_delta=torch.where(flipped, self._flip_delta, self.delta),
            path=torch.stack(self._path) if self._keep_path else None,
        )


def better_of(first: Perturbation, second: Perturbation) -> Perturbation:
    """Example by example the search of higher loss; a flip of either counts.

    Searches of different length are filled up with their last values.
    """
    S = max(len(first.losses), len(second.losses))
    first, second = _filled(first, S), _filled(second, S)
    # a search whose losses are not numbers loses
    wins = (second.loss > first.loss) | (first.loss.isnan() & ~second.loss.isnan())  # (B,)

    def pick(a: Tensor, b: Tensor, axis: int = 0) -> Tensor:
        shape = [1] * a.ndim
        shape[axis] = -1
        return torch.where(wins.reshape(shape), b, a)

    only = (first.first_flip < 0) & (second.first_flip >= 0)
    delta = pick(first.delta, second.delta)
    flip_delta = torch.where(only.reshape(-1, 1, 1), second.flip_delta, first.flip_delta)
    flip = torch.where(only, second.first_flip, first.first_flip)
    path = None
    if first.path is not None and second.path is not None:
        path = pick(first.path, second.path, 1)
    return Perturbation(
        delta=delta,
        losses=pick(first.losses, second.losses, 1),
        best_step=pick(first.best_step, second.best_step),
        first_flip=flip,
        flip_delta=torch.where((flip >= 0).reshape(-1, 1, 1), flip_delta, delta),
        path=path,
    )


def _filled(found: Perturbation, S: int) -> Perturbation:
    def fill(values: Tensor) -> Tensor:
        return torch.cat([values, values[-1:].expand(S - len(values), *values.shape[1:])])

    path = None if found.path is None else fill(found.path)
    return replace(found, losses=fill(found.losses), path=path)
