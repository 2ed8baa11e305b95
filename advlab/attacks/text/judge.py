"""What an attack on text asks a model: many texts at once, with one answer that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.records import Example

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Tokens

CHUNK = 64  # texts of one forward pass


@dataclass(frozen=True)
class Verdict:
    """Of n texts."""

    loss: Tensor  # (n,) nats, of the wanted answer
    met: Tensor  # (n,) bool: the model gives it


class Judge:
    """A model that is asked about rewritten texts; `queries` counts them."""

    def __init__(self, victim: Victim) -> None:
        self.victim, self.queries = victim, 0

    def tokens(self, example: Example) -> Tokens:
        """How the model reads a text."""
        return self.victim.reader.tokens(example)

    def ask(self, examples: Sequence[Example]) -> Verdict:
        """Each example's answer is the one that is wanted of it."""
        found: list[tuple[Tensor, Tensor]] = []
        for start in range(0, len(examples), CHUNK):
            batch = self.victim.encode(examples[start : start + CHUNK])
            with torch.no_grad():
                objective = self.victim.objective(batch, targeted=True)
                judged = objective.judge(self.victim.embed(batch))
                found.append((judged.loss, judged.flipped))
        self.queries += len(examples)
        return Verdict(torch.cat([loss for loss, _ in found]), torch.cat([met for _, met in found]))

    def gradient(self, example: Example) -> Tensor:
        """(T,D) of the wanted answer's loss, at the embeddings of the text's own tokens."""
        batch = self.victim.encode([example])
        x = self.victim.embed(batch).detach().requires_grad_()
        (grad,) = torch.autograd.grad(self.victim.objective(batch)(x).sum(), x)
        self.queries += 1
        return grad[0, : len(batch.tokens[0])]

    def answer(self, example: Example) -> str:
        """What the model says to it."""
        batch = self.victim.encode([example])
        return self.victim.answers(self.victim.embed(batch), batch)[0]
