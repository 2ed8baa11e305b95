"""What models of every task answer as they should, and how near their numbers are."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from seam_tasks import own_answers, shared_seam

from advlab.records import Example
from advlab.tasks import Batch


@lru_cache
def right(kind: str) -> tuple[Example, ...]:
    """Examples that the model answers as it should."""
    return tuple(own_answers(shared_seam(kind)))


def sided(batch: Batch, side: str) -> Batch:
    """An encoder–decoder's batch with room for δ on a side."""
    T, S = batch.input_ids.shape[1], batch.target["mask"].shape[1]
    source, read = batch.perturbable, (batch.attention_mask > 0) & (torch.arange(T) >= S)
    return replace(
        batch, perturbable={"source": source, "decoder": read, "both": source | read}[side]
    )


def close(kind: str) -> float:
    return 1e-6 if kind in ("t5", "llama") else 1e-9  # these two normalise in float32
