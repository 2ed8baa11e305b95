"""What a method's step over one batch of a random tiny model leaves in its gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from victims import KINDS, labelled, make_victim

from advlab.model.victim import Victim
from advlab.tasks import Batch
from advlab.training.methods import METHODS, Adversarial, Step

ON_INPUTS = [name for name, cls in METHODS.items() if issubclass(cls, Adversarial)]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_method = pytest.mark.parametrize("name", METHODS)
on_inputs = pytest.mark.parametrize("name", ON_INPUTS)


def gradients(victim: Victim, method: Any, batch: Batch, **more: Any) -> list[Tensor]:
    """Every parameter's `.grad` after a batch (its last replay), from the same dice each time."""
    carry: dict[str, Any] = {}
    dice = torch.Generator().manual_seed(1)
    for _ in range(method.replays):
        victim.model.zero_grad(set_to_none=True)
        torch.manual_seed(7)
        method.backward(victim, batch, Step(generator=dice, carry=carry, **more))
    return [
        torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in victim.model.parameters()
    ]


def assert_close(a: list[Tensor], b: list[Tensor], atol: float = 1e-12) -> None:
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=atol)


def training(kind: str = "bert", dropout: float = 0.2) -> tuple[Victim, Batch]:
    victim = make_victim(kind, dropout=dropout)
    batch = labelled(victim)
    victim.model.train()
    return victim, batch
