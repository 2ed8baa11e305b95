"""Attacks by name, and a loss of known shape for them to climb."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from victims import KINDS

from advlab.attacks import ATTACKS, build_attack
from advlab.attacks.norms import Ball, P

RANDOM = ("noise",)  # draws depend on the batch's shape
NORMS, BALLS = get_args(P), get_args(Ball)
quick = settings(deadline=None, max_examples=25)
every_attack = pytest.mark.parametrize("name", ATTACKS)
every_norm = pytest.mark.parametrize("p", NORMS)
every_ball = pytest.mark.parametrize("ball", BALLS)
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(name: str, p: str, ball: str, eps: float = 0.5, **more: Any) -> Any:
    """The attack by name, with a short PGD from a random start and momentum."""
    if name == "pgd":
        more = {"steps": 3, "step_size": 0.6, "start": "random", "momentum": 0.5} | more
    short = {
        "autopgd": {"steps": 6},
        "deepfool": {"steps": 5},
        "fmn": {"steps": 10},
        "cw": {"steps": 6, "searches": 2},
        "spsa": {"steps": 3, "samples": 2},
        "ensemble": {"effort": 4},
    }.get(name, {})
    settings = {"name": name, "eps": eps, "unit": "raw", "p": p, "ball": ball}
    return build_attack(settings | short | more)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Bumpy:
    """A loss with hills: three logits, each a sum of cosines; the label is always the first."""

    def __init__(self, waves: Tensor) -> None:
        self.waves = waves  # (3,6,N)

    def logits(self, z: Tensor) -> Tensor:
        return torch.einsum("bn,cwn->bcw", z.flatten(1), self.waves).cos().sum(2)

    scores = logits

    def flips(self, z: Tensor) -> Tensor:
        return self.logits(z).argmax(1) != 0

    def take(self, rows: Tensor) -> Bumpy:
        return Bumpy(self.waves)

    def __call__(self, z: Tensor) -> Tensor:
        return -self.logits(z).log_softmax(1)[:, 0]


def bumpy(shape: tuple[int, int, int], seed: int) -> tuple[Tensor, Tensor, Bumpy]:
    """Embeddings, mask and a loss with hills."""
    B, T, D = shape
    g = dice(seed)
    x = torch.randn(shape, generator=g, dtype=torch.float64)
    mask = torch.rand((B, T), generator=g) < 0.7
    return x, mask, Bumpy(2 * torch.randn((3, 6, T * D), generator=g, dtype=torch.float64))


shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
seeds = st.integers(0, 10_000)
