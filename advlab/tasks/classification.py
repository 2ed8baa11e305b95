"""Text classification: one label for a text.

The batch, the loss of each example as a function of embeddings, what counts as a flip, and the
divergence between two predictions. The model itself stands behind `Victim`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.errors import DataError
from advlab.records import Example
from advlab.tasks.base import Batch, Objective

if TYPE_CHECKING:
    from advlab.model.victim import Victim


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
