"""Methods that perturb the weights, and one that shows why the embedding table should not be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from advlab.attacks.base import Unit
from advlab.attacks.norms import TINY
from advlab.errors import SettingError
from advlab.language import N_, _
from advlab.settings import setting
from advlab.training.methods.base import Method, Plain, Step
from advlab.training.methods.engine import Place, ascend, length
from advlab.training.methods.inputs import PGD

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


@dataclass(frozen=True)
class SAM(Method):
    """Descend where the loss is worst nearby in weight space (Foret et al. 2021, arXiv:2010.01412).

    The gradient at w + ρ·g/‖g‖₂, one norm over all weights; two passes. Perturbs no input: flat
    minima, not robust ones.
    """

    title: ClassVar[str] = "SAM"
    gist: ClassVar[str] = N_(
        "Pushes the weights, not the text: looks for minima that are flat. Often "
        "more accurate, no defence against attacks."
    )

    unobserved: ClassVar[str] = N_("it pushes the weights, and has no δ on a text")

    rho: float = setting(0.05, "Length of the step in weight space", unit="L2", low=0.0, label="ρ")

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        place = Place(victim, batch, tied=step.tied)
        weights = _trainable(victim)
        clean = place.objective.loss_of(place.logits()).mean()
        grads = torch.autograd.grad(clean, weights, allow_unused=True)
        size = torch.stack([g.norm() for g in grads if g is not None]).norm().clamp_min(TINY)
        steps = [None if g is None else step.strength * self.rho * g / size for g in grads]
        with shifted(weights, steps):
            worse = place.objective.loss_of(place.logits()).mean()
            worse.backward()
        return {"clean_loss": clean.item(), "adv_loss": worse.item()}


@dataclass(frozen=True)
class AWP(PGD):
    """PGD with a worst-case step of the weights as well (Wu et al. 2020, arXiv:2004.05884).

    After δ is found, each weight tensor of two or more axes moves by γ·‖w‖ along the perturbed
    loss's gradient; the gradient that trains is taken there and the weights are put back. K + 2
    passes and one for the weights' ascent. γ = 0.01 as in the paper.
    """

    title: ClassVar[str] = "AWP"
    gist: ClassVar[str] = N_(
        "PGD, with the weights pushed to their worst as well, against overfitting "
        "to the attack. The slowest."
    )
    quoted: ClassVar[str | None] = None

    unobserved: ClassVar[str] = N_("it pushes the weights as well as the text")

    gamma: float = setting(
        0.01, "Length of the weights' step, relative to each tensor", low=0.0, high=1.0, label="γ"
    )

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        if self.spared(step):
            return Plain().backward(victim, batch, step)
        place = Place(victim, batch, self.site, self.layer, tied=step.tied)
        loss_of, w = place.objective.loss_of, self.adv_weight
        delta = ascend(place, self.threat(place, step.strength), self.parts()[0], step.generator)
        weights = [p for p in _trainable(victim) if p.ndim >= 2]
        grads = torch.autograd.grad(loss_of(place.logits(delta)).mean(), weights, allow_unused=True)
        reach = step.strength * self.gamma
        steps = [
            None if g is None else reach * p.detach().norm() * g / g.norm().clamp_min(TINY)
            for p, g in zip(weights, grads, strict=True)
        ]
        told = {}
        with shifted(weights, steps):
            if w < 1:
                clean = loss_of(place.logits()).mean()
                ((1 - w) * clean).backward()
                told["clean_loss"] = clean.item()
            perturbed = loss_of(place.logits(delta)).mean()
            (w * perturbed).backward()
        return told | {"adv_loss": perturbed.item(), "delta_norm": length(delta)}


@dataclass(frozen=True)
class TableAttack(Method):
    """For contrast: attack the embedding table and restore it, as much shared code does under "FGM".

    What is wrong: one norm covers the whole batch, so each text gets an uncontrolled share of ε;
    every occurrence of a word moves alike; special tokens and padding move too; where the table is
    tied to the output, that moves as well. Measured here, use FGM instead.
    """

    title: ClassVar[str] = "TABLE"
    gist: ClassVar[str] = N_(
        "A common mistake, for contrast: shifts the embedding table of the whole "
        "batch instead of each text's own vectors."
    )

    unobserved: ClassVar[str] = N_("it pushes the embedding table, and has no δ on a text")

    eps: float = setting(0.5, "Length of the table's step, for the whole batch", low=0.0, label="ε")
    unit: Unit = setting(
        "norm", "What ε counts: the mean word-vector norm, raw units, or half-nn", label="unit of ε"
    )

    def radius(self, victim: Victim, strength: float) -> float:
        """ε in raw units at this point of the warm-up."""
        return strength * victim.scale.raw(self.eps, self.unit)

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        place = Place(victim, batch, tied=step.tied)
        table = victim.model.get_input_embeddings().weight
        if not table.requires_grad:
            raise SettingError(
                _(
                    "expected an embedding table that is trained, got a frozen one in {name}: "
                    "its gradient is what this method steps along; let the table train, or use "
                    "fgm",
                    name=victim.name,
                )
            )
        clean = place.objective.loss_of(place.logits()).mean()
        (clean / 2).backward()
        assert table.grad is not None
        move = self.radius(victim, step.strength) * table.grad / table.grad.norm().clamp_min(TINY)
        with shifted([table], [move]):
            perturbed = place.objective.loss_of(place.logits()).mean()
            (perturbed / 2).backward()
        return {"clean_loss": clean.item(), "adv_loss": perturbed.item()}


@contextlib.contextmanager
def shifted(weights: Sequence[nn.Parameter], steps: Sequence[Tensor | None]) -> Iterator[None]:
    """While it stands, each weight is moved by its step; then put back bit for bit, always."""
    before = [p.detach().clone() for p in weights]
    try:
        with torch.no_grad():
            for p, step in zip(weights, steps, strict=True):
                if step is not None:
                    p.add_(step)
        yield
    finally:
        with torch.no_grad():
            for p, value in zip(weights, before, strict=True):
                p.copy_(value)


def _trainable(victim: Victim) -> list[nn.Parameter]:
    return [p for p in victim.model.parameters() if p.requires_grad]
