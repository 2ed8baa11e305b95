"""Auto-PGD: projected gradient ascent that sets its own step size (Croce and Hein 2020, 2003.01690).

The step begins at 2ε and is halved, per example, whenever progress stalls; the search then goes on
from the best point found.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from advlab.attacks.base import Attack, Kind, Problem
from advlab.attacks.norms import project, radius, steepest
from advlab.attacks.scores import Asked, dlr
from advlab.attacks.tracker import Perturbation, better_of
from advlab.settings import setting

Rise = Callable[[Asked], Tensor]  # what is raised, (B,)
ALPHA = 0.75  # weight of the new step; the rest is momentum
RHO = 0.75  # share of the steps between two checkpoints that must improve the score


@dataclass(frozen=True)
class AutoPGD(Attack):
    """Auto-PGD: the step size adapts, nothing to tune (Croce and Hein 2020, arXiv:2003.01690).

    Departures: the first restart begins at 0, so that it is the same for every batch; the best
    iterate of all restarts is kept, and the first that flips; L1 has the exact
    projection with the same schedule, not the special variant of 2021; `targeted` raises one other
    class's logit at a time over the label's, the likeliest first, without the ratio.
    """

    title: ClassVar[str] = "Auto-PGD"
    kind: ClassVar[Kind] = "ascent"
    efforts: ClassVar[tuple[str, ...]] = ("steps", "restarts")

    steps: int = setting(50, "Gradient steps", low=2, high=1000)
    loss: Literal["ce", "dlr", "targeted"] = setting(
        "ce",
        "What is raised: cross-entropy; the margin over the spread of the logits (DLR), which does "
        "not saturate; or each of the likeliest other classes in turn",
    )
    start: Literal["zero", "random"] = setting(
        "zero", "Where the first restart begins; further ones begin at random points of the ball"
    )
    restarts: int = setting(
        1, "Runs; targeted: one for each class, from the start", low=1, high=100
    )

    def brief(self, steps: int, draws: int) -> Self:
        return self.at_most(steps=steps, restarts=1)

    def search(self, problem: Problem) -> Perturbation:
        found: Perturbation | None = None
        for run, rise in enumerate(self._rises(problem)):
            start = torch.zeros_like(problem.embeds)
            if self.start == "random" or (run and self.loss != "targeted"):
                start = problem.random_start(self.p, self.ball, surface=True)
            one = self._climb(problem, rise, start)
            found = one if found is None else better_of(found, one)
        assert found is not None
        return found

    def _rises(self, problem: Problem) -> list[Rise]:
        """What each restart raises."""
        if self.loss == "ce":
            return [lambda asked: asked.loss] * self.restarts
        if self.loss == "dlr":
            return [lambda asked: dlr(asked.scores)] * self.restarts
        with torch.no_grad():
            clean = problem.ask(problem.embeds).scores
        rivals = 1 + clean[:, 1:].argsort(1, descending=True)  # (B,K−1) columns of scores

        def towards(k: int) -> Rise:
            def score(asked: Asked) -> Tensor:
                z = asked.scores
                return z.gather(1, rivals[:, k : k + 1]).squeeze(1) - z[:, 0]

            return score

        return [towards(k) for k in range(min(max(self.restarts, 1), rivals.shape[1]))]

    def _climb(self, problem: Problem, rise: Rise, start: Tensor) -> Perturbation:
        embeds, mask, eps = problem.embeds, problem.mask, problem.limit
        p, ball, B = self.p, self.ball, len(embeds)
        tracker = problem.tracker()

        def evaluate(delta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            x = (embeds + delta).requires_grad_()
            asked = problem.ask(x)
            score = rise(asked)
            (grad,) = torch.autograd.grad(score.sum(), x)
            return score.detach(), grad * mask, tracker.see(delta, score, asked.flipped)

        size = 2 * radius(eps, embeds).expand(B, 1, 1).clone()  # step length of each example
        delta = before = project(start * mask, eps, p, ball)
        score, grad, _ = evaluate(delta)
        best_grad = grad  # at the best δ
        improved = torch.zeros(B, device=embeds.device)  # steps since the last checkpoint that rose
        judged, level = 0, tracker.best  # the last checkpoint and the best score there
        halved = torch.ones(B, dtype=torch.bool, device=embeds.device)  # at the last checkpoint
        marks = checkpoints(self.steps)
        for step in range(1, self.steps + 1):
            ahead = project(delta + size * steepest(grad, p, ball), eps, p, ball)
            if step > 1:
                mixed = delta + ALPHA * (ahead - delta) + (1 - ALPHA) * (delta - before)
                ahead = project(mixed, eps, p, ball)
            before, delta, last = delta, ahead, score
            score, grad, better = evaluate(delta)
            best_grad = torch.where(better.reshape(-1, 1, 1), grad, best_grad)
            improved += (score > last).float()
            if step not in marks:
                continue
            halve = (improved < RHO * (step - judged)) | (~halved & (tracker.best <= level))
            rows = halve.reshape(-1, 1, 1)
            size = torch.where(rows, size / 2, size)
            delta = torch.where(rows, tracker.delta, delta)
            before = torch.where(rows, tracker.delta, before)
            grad = torch.where(rows, best_grad, grad)
            score = torch.where(halve, tracker.best, score)
            judged, level, halved = step, tracker.best, halve
            improved.zero_()
        return tracker.found()


def checkpoints(steps: int) -> set[int]:
    """The steps at which progress is judged: gaps of 22 % of all, falling by 3 to no less than 6."""
    marks, share, gap = set(), 22, 22  # in per cent, whole numbers: no rounding up by accident
    while share < 100:
        marks.add(math.ceil(share * steps / 100))
        gap = max(gap - 3, 6)
        share += gap
    return marks
