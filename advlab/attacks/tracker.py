"""What every attack keeps while it searches: the best iterate, the first that flips, the whole path."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.base import FlipFn, LossFn, Perturbation
from advlab.errors import SettingError


class Tracker:
    """Follows one search over a batch, iterate by iterate."""

    def __init__(self, embeds: Tensor, flips: FlipFn | None, keep_path: bool) -> None:
        B = embeds.shape[0]
        self._flips, self._keep_path = flips, keep_path
        self.best = torch.full((B,), -torch.inf, dtype=embeds.dtype, device=embeds.device)
        self.delta = torch.zeros_like(embeds)  # of the best
        self.step = torch.zeros(B, dtype=torch.long, device=embeds.device)
        self.first_flip = torch.full((B,), -1, dtype=torch.long, device=embeds.device)
        self._flip_delta = torch.zeros_like(embeds)
        self._losses: list[Tensor] = []
        self._path: list[Tensor] = []

    def see(self, delta: Tensor, x: Tensor, score: Tensor) -> Tensor:
        """Note δ, the embeddings x = e + δ that were just evaluated, and their score (B,).

        Returns which examples (B,) have improved on their best.
        """
        delta, score = delta.detach(), score.detach()
        s = len(self._losses)
        self._losses.append(score)
        if self._keep_path:
            self._path.append(delta)
        better = score > self.best
        self.best = torch.where(better, score, self.best)
        self.step = torch.where(better, s, self.step)
        self.delta = torch.where(better.reshape(-1, 1, 1), delta, self.delta)
        if self._flips is not None:
            new = self._flips(x) & (self.first_flip < 0)
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
    wins = second.loss > first.loss  # (B,)

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


def class_logits(loss_fn: LossFn, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B,C) at the embeddings x (B,T,D), and the labels (B,).

    SettingError where the loss has no classes: such attacks are for classification.
    """
    objective: Any = loss_fn
    if not hasattr(objective, "logits"):
        raise SettingError(
            "expected a loss with class logits, got one without; this attack compares classes, "
            "use pgd or autopgd with loss ce"
        )
    return objective.output(x), objective.batch.labels


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """(B,) the best other class's logit minus the label's: above 0 where the text is misread."""
    own = logits.gather(1, labels.unsqueeze(1)).squeeze(1)
    others = logits.scatter(1, labels.unsqueeze(1), -torch.inf)
    return others.amax(1) - own


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """(B,) difference of logits ratio (Croce and Hein 2020): the margin over z₁ − z₃, sorted.

    With two classes there is no third logit, and the margin itself is returned: steps are normalised,
    so its scale does not matter.
    """
    if logits.shape[1] < 3:
        return margin(logits, labels)
    ordered = logits.sort(1, descending=True).values
    return margin(logits, labels) / (ordered[:, 0] - ordered[:, 2]).clamp_min(1e-12)
