"""The min–max microscope: one batch under a training method, watched while the real engine works.

The method's own `backward` runs on a copy of the model, from the random state that training would
have, and an observer keeps what it is shown; then the optimiser takes one step. Nothing is computed in
another way than in training, and the model that is given is neither trained nor touched.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.norms import Ball, P, norm
from advlab.errors import SettingError
from advlab.language import _
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.records.microscope import Instant, Phase, SlowMotion
from advlab.runs.config import TrainConfig
from advlab.tasks import Batch
from advlab.tasks.base import in_training
from advlab.training.methods import (
    Adversarial,
    Inner,
    Method,
    Outer,
    Step,
    method_settings,
    regularise,
)
from advlab.training.methods.observer import Observer
from advlab.training.optimizer import adamw
from advlab.training.pinned import look, referring

# dropout draws from the random state of the process, which two batches may not share
_ALONE = threading.Lock()


@dataclass(frozen=True)
class Conditions:
    """What the step of a batch depends on beside model and method, as a run has it."""

    # of these count: seed, learning rate, weight decay, clipping, tied dropout
    train: TrainConfig = field(default_factory=TrainConfig)
    strength: float = 1.0  # of ε, from 0 to 1: how far its warm-up has come
    dropout: float | None = None  # None: the model's own
    unit_norm: bool = False  # whether word vectors are brought back to length 1 after the step


def slow_motion(
    victim: Victim,
    examples: Sequence[Example],
    methods: Sequence[Method],
    pinned: Example,
    conditions: Conditions,
) -> list[SlowMotion]:
    """The same batch, weights and random state under each method, then a first step of AdamW.

    `pinned` is read before and after; without an answer, the model's own stands in. SettingError for a
    method that an observer is not shown whole, or a loss without bound.
    """
    for method in methods:
        if method.unobserved:
            raise SettingError(
                _(
                    "expected a method whose δ can be followed through one step, got {title}: "
                    "{reason}; choose another",
                    title=method.title,
                    reason=method.unobserved,
                )
            )
    with victim.analysing():
        pinned = referring(victim, pinned)
        before = look(victim, pinned)
    found = []
    for method in methods:
        twin = victim.apart()
        twin.model.requires_grad_(True)
        regularise.set_dropout(twin, conditions.dropout)
        with _ALONE, torch.random.fork_rng(devices=[]):
            seen = _watched(twin, examples, method, conditions)
        with twin.analysing():
            after = look(twin, pinned)
        found.append(
            SlowMotion(
                **seen,
                sentence=pinned.text,
                reference=pinned.answers[0],
                before=before,
                after=after,
            )
        )
    return found


def _watched(
    victim: Victim, examples: Sequence[Example], method: Method, conditions: Conditions
) -> dict[str, Any]:
    """One `backward` as the training loop calls it, and one step of its optimiser: what they tell."""
    train, scale = conditions.train, victim.scale  # measured before the weights move
    weights = list(victim.model.parameters())
    start = [p.detach().clone() for p in weights]
    optimizer = adamw(weights, train)
    generator = torch.Generator().manual_seed(train.seed)
    torch.manual_seed(train.seed)
    victim.model.train()
    batch = in_training(victim.encode(examples))
    recorder = Recorder(victim.objective(batch, training=True).loss_of, batch)
    given = Step(conditions.strength, generator, tied=train.tied_dropout, observer=recorder)
    told = method.backward(victim, batch, given)
    grad_norm = torch.nn.utils.clip_grad_norm_(weights, train.clip or math.inf).item()
    if not math.isfinite(sum(told.values()) + grad_norm):
        raise SettingError(
            _(
                "expected a finite loss, got none from {title} on this batch; lower ε",
                title=method.title,
            )
        )
    optimizer.step()
    if conditions.unit_norm:
        victim.normalise_table()
    victim.forget()
    moved = torch.stack([(p.detach() - q).norm() for p, q in zip(weights, start, strict=True)])
    inner, outer = method.parts() if isinstance(method, Adversarial) else (Inner(), Outer("mix", 0))
    return {
        "title": method.title,
        "method": method_settings(method),
        "texts": tuple(e.text for e in examples),
        "tokens": tuple(tuple(victim.vocabulary.texts(row)) for row in batch.input_ids.tolist()),
        "real": batch.attention_mask.bool().cpu().numpy(),
        "perturbable": batch.perturbable.cpu().numpy(),
        "instants": recorder.finished(),
        "raised": "loss" if inner.objective == "loss" else "divergence",
        "steps": recorder.step,
        "eps": recorder.eps,
        "mean_norm": recorder.mean_norm or scale.mean_norm,
        "word_norm": scale.mean_norm,
        "told": told,
        "minimised": recorder.minimised(outer),
        "grad_norm": grad_norm,
        "clip": train.clip,
        "lr": train.lr,
        "update_norm": moved.norm().item(),
    }


class Recorder(Observer):
    """Keeps what a method does on a batch as numbers: lengths of δ, losses, angles."""

    def __init__(self, loss_of: Callable[[Tensor], Tensor], batch: Batch) -> None:
        self._loss_of, self._batch = loss_of, batch
        self._instants: list[Instant] = []
        self._delta = torch.zeros_like(batch.input_ids, dtype=torch.float64).unsqueeze(-1)
        self._p: P = "l2"
        self._ball: Ball = "example"
        self._clean: np.ndarray | None = None  # (B,) loss of the clean pass
        self._trained: list[np.ndarray] = []  # (B,) loss of each training pass at a δ
        self._apart: np.ndarray | None = None  # (B,) divergence that counts in the outer loss
        self.eps, self.mean_norm, self.step = 0.0, 0.0, 0

    def clean(self, out: Tensor) -> None:
        self._clean = self._loss(out)
        self._add("clean", self._delta, loss=self._clean)

    def began(self, vectors: Tensor, delta: Tensor, eps: float, p: P, ball: Ball) -> None:
        self.eps, self._p, self._ball = eps, p, ball
        lengths = vectors.norm(dim=-1)[self._batch.perturbable]
        self.mean_norm = float(lengths.mean()) if len(lengths) else 0.0
        # at 0 it is the clean pass that gives the first gradient
        known = self._clean if not delta.any() else None
        self._add("start", delta, loss=known)

    def probed(self, delta: Tensor, out: Tensor, gain: Tensor) -> None:
        self._evaluated(self._loss(out), _np(gain))

    def moved(self, before: Tensor, stepped: Tensor, after: Tensor) -> None:
        self.step += 1
        self._add("step", stepped)
        if after is not stepped:
            self._add("projection", after)

    def trained(self, delta: Tensor, out: Tensor, apart: Tensor | None = None) -> None:
        loss = self._loss(out)
        self._trained.append(loss)
        if apart is not None:
            self._apart = _np(apart)
        self._evaluated(loss, self._apart, trains=True)

    def finished(self) -> tuple[Instant, ...]:
        """All instants, the outer gradient and the optimiser's step among them."""
        last = replace(self._instants[-1], step=0, turn=np.zeros(len(self._batch)))
        return (*self._instants, replace(last, phase="outer"), replace(last, phase="update"))

    def minimised(self, outer: Outer) -> np.ndarray:
        """(B,) the loss whose gradient the weights got, as `outer` says."""
        clean = np.zeros(len(self._batch)) if self._clean is None else self._clean
        if not self._trained:  # plain, or a batch that is spared
            return clean
        if outer.kind == "mean":
            return np.mean(self._trained, axis=0)
        if outer.kind == "mix":
            return (1 - outer.weight) * clean + outer.weight * self._trained[-1]
        assert self._apart is not None
        return clean + outer.weight * self._apart

    def _loss(self, out: Tensor) -> np.ndarray:
        with torch.no_grad():
            return _np(self._loss_of(out.detach()))

    def _evaluated(self, loss: np.ndarray, gain: np.ndarray | None, trains: bool = False) -> None:
        """A pass was made at the δ that stands."""
        now = self._instants[-1]
        self._instants[-1] = replace(now, loss=loss, gain=gain, trains=trains)

    def _add(self, phase: Phase, delta: Tensor, *, loss: np.ndarray | None = None) -> None:
        delta = delta.detach().double()
        instant = Instant(
            phase=phase,
            step=self.step if phase in ("step", "projection") else 0,
            norms=_np(delta.norm(dim=-1)),
            length=_np(norm(delta, self._p, self._ball).flatten(1).amax(1)),
            turn=_angle(self._delta, delta),
            loss=loss,
        )
        self._delta = delta
        self._instants.append(instant)


def _angle(a: Tensor, b: Tensor) -> np.ndarray:
    """(B,T,·) twice -> (B,) radians between the two; NaN where one of them is 0."""
    a, b = torch.broadcast_tensors(a, b)
    a, b = a.flatten(1), b.flatten(1)
    size = a.norm(dim=1) * b.norm(dim=1)
    cosine = ((a * b).sum(1) / size).clamp(-1.0, 1.0)
    return _np(torch.where(size > 0, cosine.acos(), torch.nan))


def _np(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(float)
