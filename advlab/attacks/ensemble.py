"""Several strong attacks in turn, on what still stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from advlab.attacks.autopgd import AutoPGD
from advlab.attacks.base import Attack, Kind, Problem
from advlab.attacks.minimal import FMN
from advlab.attacks.spsa import SPSA
from advlab.attacks.tracker import Perturbation
from advlab.language import N_
from advlab.settings import setting


@dataclass(frozen=True)
class Ensemble(Attack):
    """Auto-PGD on two losses and on targets, FMN and SPSA: no settings, the worst of all counts.

    In the manner of AutoAttack (Croce and Hein 2020, arXiv:2003.01690). Departures: FMN stands for FAB
    and SPSA for Square; an attack works only on the examples that its forerunners left standing.
    """

    title: ClassVar[str] = N_("Ensemble")
    kind: ClassVar[Kind] = "ascent"
    efforts: ClassVar[tuple[str, ...]] = ("effort",)

    effort: int = setting(50, "Gradient steps of each member", low=2, high=1000)

    def brief(self, steps: int, draws: int) -> Self:
        return self.at_most(effort=steps)

    def members(self) -> tuple[Attack, ...]:
        """The attacks in their order, cheapest first."""
        common: dict[str, Any] = {
            "eps": self.eps,
            "unit": self.unit,
            "p": self.p,
            "ball": self.ball,
        }
        return (
            AutoPGD(**common, steps=self.effort),
            AutoPGD(**common, steps=self.effort, loss="dlr"),
            AutoPGD(**common, steps=self.effort, loss="targeted", restarts=9),
            FMN(**common, steps=self.effort),
            SPSA(**common, steps=max(2, self.effort // 5)),
        )

    def search(self, problem: Problem) -> Perturbation:
        embeds, loss_fn, limit = problem.embeds, problem.loss_fn, problem.limit
        objective: Any = loss_fn
        generator, flips = problem.generator, problem.flips
        seed = generator.initial_seed() if generator is not None else 0
        tracker = problem.tracker()
        with torch.no_grad():
            still = torch.zeros_like(embeds)
            tracker.see(still, loss_fn(embeds))
        B = len(embeds)
        flip_delta = torch.zeros_like(embeds)
        first_flip = torch.full((B,), -1, dtype=torch.long, device=embeds.device)
        for number, member in enumerate(self.members(), start=1):
            alive = (first_flip < 0).nonzero().squeeze(1)
            if not len(alive):
                break
            # another question than the objective's own cannot be asked of a part of the batch
            narrow = hasattr(objective, "take") and flips == objective.flips
            rows = alive if narrow else torch.arange(B, device=embeds.device)
            part = objective.take(rows) if narrow else objective
            near = limit[rows] if isinstance(limit, Tensor) and limit.ndim else limit
            dice = torch.Generator().manual_seed(seed)  # each member draws as if it were alone
            found = member(
                part,
                embeds[rows],
                problem.perturbable[rows],
                dice,
                eps=near,
                flips=part.flips if narrow else flips,
            )
            best = torch.zeros_like(embeds)
            best[rows] = found.delta
            with torch.no_grad():
                tracker.see(best, loss_fn(embeds + best))
            broken = torch.full_like(first_flip, -1)
            broken[rows] = found.first_flip
            new = (broken >= 0) & (first_flip < 0)
            first_flip = torch.where(new, number, first_flip)
            spread = torch.zeros_like(embeds)
            spread[rows] = found.flip_delta
            flip_delta = torch.where(new.reshape(-1, 1, 1), spread, flip_delta)
        found = tracker.found()
        return replace(
            found,
            first_flip=first_flip,
            flip_delta=torch.where((first_flip >= 0).reshape(-1, 1, 1), flip_delta, found.delta),
        )
