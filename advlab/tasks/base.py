"""What every task shares: the batch, and the loss of its examples as a function of embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

if TYPE_CHECKING:
    from advlab.model.victim import Victim


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

    def scores(self, embeds: Tensor) -> Tensor:
        """(B,T,D) -> (B,C) the label's logit, then the other classes' in their order."""
        logits, labels = self.logits(embeds), self.batch.labels.unsqueeze(1)
        others = torch.arange(logits.shape[1] - 1, device=labels.device).expand(len(labels), -1)
        return logits.gather(1, torch.cat([labels, others + (others >= labels)], 1))

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
