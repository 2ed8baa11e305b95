"""A linear model and texts whose smallest perturbations are known."""

from __future__ import annotations

import pytest
import torch
from linear_logits import Planes
from torch import Tensor


@pytest.fixture(scope="module")
def planes() -> tuple[Planes, Tensor, Tensor]:
    """Four classes over 3 tokens of 4 numbers, six texts; all positions open."""
    dice = torch.Generator().manual_seed(1)
    w = torch.randn(4, 12, generator=dice, dtype=torch.float64)
    b = torch.randn(4, generator=dice, dtype=torch.float64)
    x = torch.randn(6, 3, 4, generator=dice, dtype=torch.float64)
    labels = (x.flatten(1) @ w.T + b).argmax(1)
    return Planes(w, b, labels), x, torch.ones(6, 3, dtype=torch.bool)
