"""The optimiser of the outer minimum."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from advlab.runs.config import TrainConfig

BETA1 = 0.9


def adamw(parameters: Iterable[torch.nn.Parameter], settings: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019, 1711.05101) at the peak learning rate."""
    return torch.optim.AdamW(
        parameters,
        lr=settings.lr,
        betas=(BETA1, settings.beta2),
        weight_decay=settings.weight_decay,
        # one pass over each parameter: of a small model's step the single passes are a tenth
        fused=True,
    )
