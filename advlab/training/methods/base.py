"""What all training methods are: settings that fill `.grad` for one batch and return numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from advlab.attacks.base import Unit
from advlab.attacks.norms import Ball, P
from advlab.errors import SettingError
from advlab.language import N_, _
from advlab.settings import setting
from advlab.training.methods.engine import Inner, Outer, Place, Site, Threat, play
from advlab.training.methods.observer import Observer

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


@dataclass(frozen=True)
class Step:
    """What a method is told of the step beside model and batch."""

    # of ε, from 0 to 1: full ε from the first step collapses to a constant predictor
    strength: float = 1.0
    generator: torch.Generator | None = None  # of random starts; None: torch's own
    carry: dict[str, Any] = field(default_factory=dict)  # lives as long as the batch is replayed
    tied: bool = True  # whether dropout masks are the same in all passes over the batch
    observer: Observer = field(default_factory=Observer)  # is shown what happens, changes nothing


@dataclass(frozen=True)
class Method:
    """A training method."""

    title: ClassVar[str]  # as people write it
    gist: ClassVar[str]  # what it does, in words without formulas
    quoted: ClassVar[str | None] = None  # the setting whose number people add to the title
    replays: ClassVar[int] = 1  # optimiser steps on each batch
    one_step: ClassVar[bool] = False  # one-step ascent may overfit to itself: watched in training
    unobserved: ClassVar[str] = ""  # why an observer is not shown all that it does; empty: it is
    needs: ClassVar[type | None] = None  # the protocol of the tasks that it can train; None: all

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        """Fill `.grad` with the gradient of the method's loss on a batch; returns the losses."""
        raise NotImplementedError  # pragma: no cover - each method says how


@dataclass(frozen=True)
class Plain(Method):
    """Plain training: the loss of the clean text alone. The baseline of every comparison."""

    title: ClassVar[str] = N_("Plain")
    gist: ClassVar[str] = N_(
        "Learns from the texts as they are. The baseline that every other method is compared with."
    )

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        objective = victim.objective(batch, training=True)
        out = objective.output(victim.embed(batch))
        step.observer.clean(out)
        loss = objective.loss_of(out).mean()
        loss.backward()
        return {"clean_loss": loss.item()}


@dataclass(frozen=True)
class Adversarial(Method):
    """A method whose δ is added to the input: it says how δ is found and what is minimised."""

    eps: float = setting(0.5, "Radius of the ball that holds δ", low=0.0, label="ε")
    unit: Unit = setting(
        "norm",
        "What ε counts: the mean word-vector norm when training began (on hidden layers: the mean "
        "length of the batch's hidden vectors), raw units, or the median half distance between a "
        "word vector and its nearest other",
        label="unit of ε",
    )
    p: P = setting("l2", "Norm of δ", label="norm of δ")
    ball: Ball = setting(
        "example", "One ball for the whole text, or one for each token", label="one ball for"
    )
    site: Site = setting(
        "words",
        "Where δ is added: the word embeddings, their normalised sum with positions, or the input "
        "of a hidden layer",
        label="δ lives on",
        advanced=True,
    )
    layer: int | None = setting(
        None, "Which hidden layer, from 0; the middle one when empty", low=0, advanced=True
    )
    fraction: float = setting(
        1.0,
        "Part of the batches that is perturbed; the others train plainly",
        low=0.0,
        high=1.0,
        label="perturbed part of the batches",
        advanced=True,
    )

    def parts(self) -> tuple[Inner, Outer]:
        """The inner maximiser and the outer objective."""
        raise NotImplementedError  # pragma: no cover - each method says which

    def radius(self, victim: Victim, strength: float) -> float:
        """ε on word embeddings in raw units at this point of the warm-up."""
        return strength * victim.scale.raw(self.eps, self.unit)

    def threat(self, place: Place, strength: float) -> Threat:
        """The ball of δ at this point of the warm-up."""
        if place.layer is None:
            return Threat(self.radius(place.victim, strength), self.p, self.ball)
        if self.unit == "half-nn":
            raise SettingError(
                _(
                    "expected ε of a hidden layer in norm or raw units, got half-nn, which "
                    "counts distances between word vectors; choose norm"
                )
            )
        scale = place.mean_norm() if self.unit == "norm" else 1.0
        return Threat(strength * self.eps * scale, self.p, self.ball)

    def spared(self, step: Step) -> bool:
        """Whether this batch trains plainly: drawn once, and the same in all of its replays."""
        if self.fraction == 1:
            return False
        if "spared" not in step.carry:
            drawn = float(torch.rand((), generator=step.generator))
            step.carry["spared"] = drawn >= self.fraction
        return step.carry["spared"]

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        if self.spared(step):
            return Plain().backward(victim, batch, step)
        place = Place(victim, batch, self.site, self.layer, tied=step.tied, observer=step.observer)
        return play(place, lambda p: self.threat(p, step.strength), *self.parts(), step.generator)
