"""Ascent that only asks which examples it can break: each leaves the batch as soon as it is broken.

The same steps as `ascend` takes, without keeping what a picture needs; so an example is broken here
exactly when it is there, for less work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.ascent import Ascent, Rows, climb
from advlab.attacks.base import Problem


def break_batch(
    problem: Problem, ascent: Ascent, start: Callable[[int], Tensor]
) -> tuple[Tensor, Tensor]:
    """Which examples the ascent breaks: (B,) bool, and the δ (B,T,D) that does it.

    δ is 0 where nothing was found. Restarts go on with what is left. The loss function of the problem
    must be an objective, which knows its `flips` and can `take` some of its examples.
    """
    found = torch.zeros_like(problem.embeds)
    broken = torch.zeros(len(found), dtype=torch.bool, device=found.device)

    objective: Any = problem.loss_fn
    problem = replace(problem, flips=objective.flips)

    def look(rows: Rows, _: Tensor, flipped: Tensor | None) -> Tensor | None:
        assert flipped is not None
        hit = rows.places[flipped]
        broken[hit] = True
        found[hit] = rows.delta[flipped]
        # making the batch smaller costs a little, so not for every single example
        worthwhile = int(flipped.sum()) > 0.1 * len(flipped) or bool(flipped.all())
        return ~broken[rows.places] if worthwhile else None

    for restart in range(ascent.restarts):
        # drawn for the whole batch, so that what was broken before changes nobody's start
        rows = Rows.of(problem, start(restart) * problem.mask).only(~broken)
        if not len(rows.places) or not climb(ascent, rows, look):
            break
    return broken, found
