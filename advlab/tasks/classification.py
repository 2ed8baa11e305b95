"""Text classification: one label for a text.

The batch, the loss of each example as a function of embeddings, what counts as a flip, and the
divergence between two predictions. The model itself stands behind `Victim`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.errors import DataError
from advlab.records import Example

if TYPE_CHECKING:
    from advlab.victim import Victim


@dataclass(frozen=True)
class Batch:
    """Texts as padded ids. `perturbable` marks real tokens that are not special ones."""

    input_ids: Tensor  # (B,T) long
    attention_mask: Tensor  # (B,T) long
    perturbable: Tensor  # (B,T) bool
    labels: Tensor  # (B,) long, −1 where there is no label

    def __len__(self) -> int:
        return self.input_ids.shape[0]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return Batch(
            *(
                t.to(device)
                for t in (self.input_ids, self.attention_mask, self.perturbable, self.labels)
            )
        )

    def repeat(self, times: int) -> Batch:
        """Each row `times` times in succession: (B,…) -> (B·times,…)."""
        return Batch(
            *(
                t.repeat_interleave(times, 0)
                for t in (self.input_ids, self.attention_mask, self.perturbable, self.labels)
            )
        )

    def take(self, rows: Tensor) -> Batch:
        """Some of the texts, by their places (n,)."""
        return Batch(
            *(t[rows] for t in (self.input_ids, self.attention_mask, self.perturbable, self.labels))
        )

    def with_labels(self, labels: Tensor) -> Batch:
        """The same texts with other labels (B,)."""
        if labels.shape != self.labels.shape:
            raise ValueError(
                f"expected labels of shape {tuple(self.labels.shape)}, got {tuple(labels.shape)}; "
                "give one label for each text"
            )
        return replace(self, labels=labels)


class Objective:
    """The loss of each example as a function of embeddings, with what an attack may ask about it.

    Calling it gives (B,T,D) -> (B,). `flips` answers for the embeddings of the last call without a
    second forward pass, so an attack that keeps its first success pays nothing for it.
    """

    def __init__(
        self, victim: Victim, batch: Batch, smoothing: float = 0.0, targeted: bool = False
    ) -> None:
        self.victim, self.batch, self.smoothing, self.targeted = victim, batch, smoothing, targeted
        self._last: tuple[Tensor, Tensor] | None = None

    def logits(self, embeds: Tensor) -> Tensor:
        """(B,T,D) -> (B,C)."""
        logits = self.victim.logits(embeds, self.batch)
        self._last = (embeds, logits.detach())
        return logits

    def loss_of(self, logits: Tensor) -> Tensor:
        """(B,C) -> (B,) cross-entropy."""
        return F.cross_entropy(
            logits, self.batch.labels, reduction="none", label_smoothing=self.smoothing
        )

    def __call__(self, embeds: Tensor) -> Tensor:
        return self.loss_of(self.logits(embeds))

    def take(self, rows: Tensor) -> Objective:
        """The same for some of the texts, by their places (n,)."""
        return Objective(self.victim, self.batch.take(rows), self.smoothing, self.targeted)

    def flips(self, embeds: Tensor) -> Tensor:
        """(B,) bool: the prediction differs from the label (targeted: equals it)."""
        if self._last is None or self._last[0] is not embeds:
            with torch.no_grad():
                self.logits(embeds)
        assert self._last is not None
        hit = self._last[1].argmax(-1) == self.batch.labels
        return hit if self.targeted else ~hit


@dataclass(frozen=True)
class Classification:
    """Cross-entropy over classes, with optional label smoothing (Szegedy et al. 2016, 1512.00567)."""

    smoothing: float = 0.0  # share of each label spread over all classes, in training only

    def collate(self, victim: Victim, examples: Sequence[Example]) -> Batch:
        """Examples -> padded batch, as short as its longest text allows."""
        input_ids, attention_mask, special = victim.tokenise([e.text for e in examples])
        labels = [-1 if e.label is None else e.label for e in examples]
        C = len(victim.label_names)
        for example in examples:
            if example.label is not None and not 0 <= example.label < C:
                raise DataError(
                    f"expected labels from 0 to {C - 1}, got {example.label} in {example.id}; "
                    "train on the data set that the model is used with"
                )
        return Batch(
            input_ids, attention_mask, attention_mask.bool() & ~special, torch.tensor(labels)
        ).to(victim.device)

    def objective(self, victim: Victim, batch: Batch, *, targeted: bool = False) -> Objective:
        """The loss (B,T,D) -> (B,) that training and attacks share."""
        smoothing = self.smoothing if torch.is_grad_enabled() and victim.model.training else 0.0
        return Objective(victim, batch, smoothing, targeted)

    def divergence(self, p_logits: Tensor, q_logits: Tensor) -> Tensor:
        """KL(p‖q) of each example: two (B,C) -> (B,)."""
        p, q = p_logits.log_softmax(-1), q_logits.log_softmax(-1)
        return (p.exp() * (p - q)).sum(-1)

    def correct(self, logits: Tensor, batch: Batch) -> Tensor:
        """(B,C) -> (B,) bool."""
        return logits.argmax(-1) == batch.labels
