"""Adversarial training of a writer's output vectors (adversarial MLE; Wang et al. 2019, 1906.03805)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from advlab.tasks.sequences import NONE


def worst_output(
    model: Any, logits: Tensor, hidden: Tensor, labels: Tensor, share: float
) -> Tensor:
    """(B,U,V) logits with those of the true tokens at their worst: w·h − ε‖h‖, ε = `share` · ‖w‖.

    The inner minimum over ‖δ‖ ≤ ε of (w + δ)·h in closed form, h (B,U,D) being what the output layer is
    given (Wang, Gong and Liu 2019, 1906.03805, theorem 1). ‖w‖ is taken as it is: where the table is
    tied, training would else shorten the vectors of the words that it meets.
    """
    wanted = labels.clamp_min(0)
    rows = model.get_output_embeddings().weight.detach().norm(dim=1)[wanted]
    lost = share * rows * hidden.norm(dim=-1) * (labels != NONE)
    return logits.scatter_add(2, wanted.unsqueeze(-1), -lost.unsqueeze(-1))


@contextlib.contextmanager
def heard(model: Any) -> Iterator[list[Tensor]]:
    """What the output layer is given while it stands; nothing outside training."""
    found: list[Tensor] = []
    if not model.training:  # a model that others share gets no hooks
        yield found
        return
    head = model.get_output_embeddings()
    handle = head.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    try:
        yield found
    finally:
        handle.remove()
