"""Linear logits of one text, whose distances to their boundaries are known."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor
from victims import scores_of


class Planes:
    """Linear logits W·x + b for one text of T·D numbers: distances to boundaries are known."""

    def __init__(self, w: Tensor, b: Tensor, labels: Tensor) -> None:
        self.w, self.b, self.batch = w, b, SimpleNamespace(target={"labels": labels})

    def logits(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.w.T + self.b

    def scores(self, x: Tensor) -> Tensor:
        return scores_of(self.logits(x), self.batch.target["labels"])

    def flips(self, x: Tensor) -> Tensor:
        return self.logits(x).argmax(1) != self.batch.target["labels"]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(
            self.logits(x), self.batch.target["labels"], reduction="none"
        )


def distance(planes: Planes, x: Tensor, dual: float) -> Tensor:
    """To the nearest boundary: gap over the dual norm of the difference of two classes' rows."""
    z, y = planes.logits(x), planes.batch.target["labels"]
    apart = planes.w[None] - planes.w[y][:, None]  # (B,C,N)
    far = (z.gather(1, y[:, None]) - z) / torch.linalg.vector_norm(apart, dual, dim=2)
    return far.scatter(1, y[:, None], torch.inf).amin(1)
