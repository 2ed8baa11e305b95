"""One δ for every text: a single direction that all words of all texts are moved in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.attacks.base import Unit
from advlab.attacks.norms import TINY
from advlab.settings import setting

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.records import Example


@dataclass(frozen=True)
class Universal:
    """A perturbation for a whole data set (Moosavi-Dezfooli et al. 2017, arXiv:1610.08401).

    Texts differ in length, so what is shared is a unit vector u (D,): word t of a text of n words
    gets ε·u/√n, which fills the L2 ball of the text exactly. u is found by ascent of the mean loss
    over mini-batches, as Shafahi et al. do (2018, arXiv:1811.11304), where the first paper adds up
    DeepFool steps; the pass with the highest mean loss is kept. Fit on other texts than it is tried on.
    """

    eps: float = setting(0.5, "Length of δ on each text, L2", low=0.0, label="ε")
    unit: Unit = setting("norm", "What ε counts", label="unit of ε")
    passes: int = setting(5, "Passes over the texts that u is fitted on", low=1, high=100)
    step_size: float = setting(0.2, "Length of a step of u, where u has length 1", low=0.0, high=10)
    batch_size: int = setting(32, "Texts per step", low=1, high=1024)

    def fit(self, victim: Victim, examples: Sequence[Example], seed: int = 0) -> Tensor:
        """(D,) the unit vector, from labelled examples."""
        eps = victim.scale.raw(self.eps, self.unit)
        dice = torch.Generator().manual_seed(seed)
        width = victim.table.shape[1]
        u = torch.randn(width, generator=dice, dtype=victim.table.dtype).to(victim.device)
        u /= u.norm()
        best, highest = u.clone(), -torch.inf
        with victim.analysing():
            for _ in range(self.passes):
                order = torch.randperm(len(examples), generator=dice).tolist()
                total = 0.0
                for start in range(0, len(order), self.batch_size):
                    part = [examples[i] for i in order[start : start + self.batch_size]]
                    batch = victim.encode(part)
                    u.requires_grad_()
                    x = victim.embed(batch).detach() + spread(u, batch.perturbable, eps)
                    loss = victim.objective(batch)(x)
                    (grad,) = torch.autograd.grad(loss.sum(), u)
                    total += float(loss.detach().sum())
                    u = u.detach() + self.step_size * grad / grad.norm().clamp_min(TINY)
                    u = u / u.norm().clamp_min(TINY)
                # the losses of a pass belong to the u of its steps; its last is close to them
                if total > highest:
                    best, highest = u.clone(), total
        return best


def spread(u: Tensor, perturbable: Tensor, eps: float) -> Tensor:
    """(B,T,D) δ of length ε on each text, from u (D,) and the mask (B,T)."""
    words = perturbable.sum(1, keepdim=True).clamp_min(1)  # (B,1)
    share = eps * perturbable.to(u.dtype) / words.to(u.dtype).sqrt()
    return share.unsqueeze(-1) * u
