"""How a loss function scores the reference answer and its rivals, and how far apart they are.

An attack that compares answers asks its loss function for `scores`: (B,T,D) -> (B,K), the reference's
score first and each rival in a column of its own after it. What the answers are, only the task knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.tracker import FlipFn, LossFn
from advlab.errors import SettingError
from advlab.language import _


def scores(loss_fn: LossFn, x: Tensor) -> Tensor:
    """(B,K) at the embeddings x (B,T,D): the reference's score, then its rivals'.

    SettingError where the loss has none to compare.
    """
    objective: Any = loss_fn
    if not hasattr(objective, "scores"):
        raise SettingError(
            _(
                "expected a loss with scores, got one without; this attack compares the "
                "answer with its rivals, use pgd or autopgd with loss ce"
            )
        )
    return objective.scores(x)


@dataclass(frozen=True)
class Asked:
    """The answers to what a search asks at the embeddings x, each worked out when it is asked for.

    An objective `judge`s them all in one forward pass, made at once; of other functions each answer is
    a pass of its own.
    """

    loss_fn: LossFn
    flips: FlipFn | None
    x: Tensor  # (B,T,D)
    judged: Any = None  # what the objective says, with `loss`, `scores` and `flipped`

    @property
    def loss(self) -> Tensor:
        """(B,)."""
        return self.loss_fn(self.x) if self.judged is None else self.judged.loss

    @property
    def scores(self) -> Tensor:
        """(B,K), as of `scores`."""
        return scores(self.loss_fn, self.x) if self.judged is None else self.judged.scores

    @property
    def flipped(self) -> Tensor | None:
        """(B,) bool; None where nobody wants to know."""
        if self.flips is None:
            return None
        objective: Any = self.loss_fn
        if self.judged is not None and self.flips == objective.flips:
            return self.judged.flipped
        with torch.no_grad():
            return self.flips(self.x.detach())


def ask(loss_fn: LossFn, flips: FlipFn | None, x: Tensor) -> Asked:
    """What a search may want to know at x (B,T,D)."""
    judge = getattr(loss_fn, "judge", None)
    return Asked(loss_fn, flips, x, None if judge is None else judge(x))


def margin(scores: Tensor) -> Tensor:
    """(B,) the best rival's score minus the reference's: above 0 where the text is misread."""
    return scores[:, 1:].amax(1) - scores[:, 0]


def dlr(scores: Tensor) -> Tensor:
    """(B,) difference of logits ratio (Croce and Hein 2020): the margin over z₁ − z₃, sorted.

    With two answers there is no third score, and the margin itself is returned: steps are normalised,
    so its scale does not matter.
    """
    if scores.shape[1] < 3:
        return margin(scores)
    ordered = scores.sort(1, descending=True).values
    return margin(scores) / (ordered[:, 0] - ordered[:, 2]).clamp_min(1e-12)
