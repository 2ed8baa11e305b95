"""An attack that asks for losses only: what a white-box attack must never lose to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch

from advlab.attacks.base import Attack, Kind, Problem
from advlab.attacks.norms import project, radius, steepest
from advlab.attacks.tracker import Perturbation
from advlab.settings import setting


@dataclass(frozen=True)
class SPSA(Attack):
    """Ascent along a gradient guessed from losses at random pairs (Uesato et al., arXiv:1802.05666).

    Uses no gradient of the model, so masked gradients do not stop it: a defence that falls to it but
    not to PGD hides its gradients. Departure: normalised steps in the ball, where the paper has Adam.
    """

    title: ClassVar[str] = "SPSA"
    kind: ClassVar[Kind] = "black box"
    efforts: ClassVar[tuple[str, ...]] = ("steps", "samples")

    steps: int = setting(20, "Ascent steps", low=1, high=1000)
    samples: int = setting(16, "Pairs of losses behind each step", low=1, high=1000)
    step_size: float = setting(0.25, "Length of a step", unit="× ε", low=0.0, high=10.0)
    probe: float = setting(
        0.02, "Length of the random probes", unit="× ε", low=1e-6, high=1.0, advanced=True
    )

    def brief(self, steps: int, draws: int) -> Self:
        return self.at_most(steps=steps)

    def search(self, problem: Problem) -> Perturbation:
        embeds, tracker, loss_fn = problem.embeds, problem.tracker(), problem.loss_fn
        dice, mask, reach = problem.generator, problem.mask, radius(problem.limit, embeds)
        device = embeds.device if dice is None else dice.device
        delta = torch.zeros_like(embeds)
        with torch.no_grad():
            for step in range(self.steps + 1):
                x = embeds + delta
                asked = problem.ask(x)
                tracker.see(delta, asked.loss, asked.flipped)
                if step == self.steps:
                    break
                guess = torch.zeros_like(embeds)
                for _ in range(self.samples):
                    # one pattern for all: what a text draws depends on its batch mates only
                    # through the length that they are padded to
                    signs = torch.randint(0, 2, embeds.shape[1:], generator=dice, device=device)
                    probe = (2 * signs.to(embeds) - 1) * mask
                    size = probe.flatten(1).norm(dim=1).clamp_min(1.0).reshape(-1, 1, 1)
                    probe = self.probe * reach * probe / size
                    rise = loss_fn(x + probe) - loss_fn(x - probe)
                    guess += rise.reshape(-1, 1, 1) * probe
                moved = delta + self.step_size * reach * steepest(guess, self.p, self.ball)
                delta = project(moved, problem.limit, self.p, self.ball)
        return tracker.found()
