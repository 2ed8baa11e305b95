"""How a loss function scores the reference answer and its rivals, and how far apart they are.

An attack that compares answers asks its loss function for `scores`: (B,T,D) -> (B,K), the reference's
score first and each rival in a column of its own after it. What the answers are, only the task knows.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from advlab.attacks.tracker import LossFn
from advlab.errors import SettingError


def scores(loss_fn: LossFn, x: Tensor) -> Tensor:
    """(B,K) at the embeddings x (B,T,D): the reference's score, then its rivals'.

    SettingError where the loss has none to compare.
    """
    objective: Any = loss_fn
    if not hasattr(objective, "scores"):
        raise SettingError(
            "expected a loss with scores, got one without; this attack compares the answer with its "
            "rivals, use pgd or autopgd with loss ce"
        )
    return objective.scores(x)


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
