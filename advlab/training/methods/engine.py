"""The one engine behind all input-space methods: a threat, an inner maximiser, an outer objective.

`play` is min–max training on one batch: make δ (inner), fill `.grad` (outer). Gradients for δ come
from `torch.autograd.grad`, or from a training pass that is made anyway, so parameters are touched by
the training passes only. With tied dropout the masks are the same in all passes over one batch (FreeLB,
§3.3): δ is the maximum for the very network that then learns, and at ε = 0 every method is plain
training. Without, each pass draws its own, as most published loops do.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from advlab.attacks.norms import Ball, P, norm, project, random_in_ball, steepest
from advlab.errors import SettingError
from advlab.language import _
from advlab.model import blocks
from advlab.training.methods.observer import Observer

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch

Site = Literal["words", "sum", "hidden"]


@dataclass(frozen=True)
class Threat:
    """The set that δ may come from, in raw units of its site."""

    eps: float
    p: P = "l2"
    ball: Ball = "example"

    def project(self, delta: Tensor) -> Tensor:
        """The nearest δ inside."""
        return project(delta, self.eps, self.p, self.ball)

    def step(self, grad: Tensor, share: float) -> Tensor:
        """The steepest step of length `share`·ε."""
        return share * self.eps * steepest(grad, self.p, self.ball)


@dataclass(frozen=True)
class Inner:
    """How δ is found."""

    steps: int = 1
    step_size: float = 1.0  # × ε
    start: Literal["zero", "inside", "surface"] = (
        "zero"  # a random point of the start ball or on it
    )
    start_size: float = 1.0  # radius of the start ball, × ε
    # what rises: the loss, a divergence from the clean prediction, or, "lure", minus the loss
    objective: Literal["loss", "kl", "sym_kl", "lure"] = "loss"
    power: bool = False  # keep only the direction that a step finds (power iteration), not the sum
    projected: bool = True
    falling: bool = False  # steps shrink linearly: the last of K is 1/K of the first

    def share(self, step: int) -> float:
        """The length of a step, × ε."""
        return self.step_size * (1 - step / self.steps if self.falling else 1.0)


@dataclass(frozen=True)
class Outer:
    """What is minimised. L clean, L′ perturbed loss; p, q clean and perturbed predictions.

    mix: (1−w)·L + w·L′. mean: L′ averaged over the ascent. kl: L + w·KL(p‖q). sym_kl: L + w·[KL(p‖q)
    + KL(q‖p)].
    """

    kind: Literal["mix", "mean", "kl", "sym_kl"] = "mix"
    weight: float = 0.5


class TiedDice:
    """Torch's random state at one point: each replay makes the same dropout masks, if `tied`."""

    def __init__(self, device: torch.device, tied: bool = True) -> None:
        self._device, self._tied = device, tied
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def replay(self) -> None:
        """Go back to that point; nothing where masks are not tied."""
        if not self._tied:
            return
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)


class Place:
    """One batch with room for δ: on the word embeddings, or on the input of a block.

    `sum` is the input of the first block: words, positions and types added up and normalised.
    """

    def __init__(
        self,
        victim: Victim,
        batch: Batch,
        site: Site = "words",
        layer: int | None = None,
        *,
        tied: bool = True,
        observer: Observer | None = None,
    ) -> None:
        self.victim, self.batch, self.tied = victim, batch, tied
        self.observer = observer or Observer()
        self.objective = victim.objective(batch, training=True)
        self.layer: int | None = None  # None: the word embeddings
        if site != "words":
            blocks.check_blocks(victim, batch)
            depth = blocks.depth(victim)
            if site == "hidden" and layer is not None and not 0 <= layer < depth:
                raise SettingError(
                    _(
                        "expected a hidden layer below {depth}, as {name} has, got {layer}; lower "
                        "it",
                        depth=depth,
                        name=victim.name,
                        layer=layer,
                    )
                )
            chosen = depth // 2 if layer is None else layer
            self.layer = 0 if site == "sum" else chosen
        self._dice = TiedDice(batch.input_ids.device, tied)
        self._above: TiedDice | None = None  # the state when the perturbed block is reached
        self._vectors: Tensor | None = None  # what δ is added to, with the graph of the clean pass

    def moved(self, batch: Batch, *, training: bool = True) -> Place:
        """The same place in another batch, with the same dice; `training` as of an objective."""
        twin = copy.copy(self)
        twin.__dict__.pop("words", None)
        twin.batch, twin.objective = batch, self.victim.objective(batch, training=training)
        twin._vectors = twin._above = None
        return twin

    @cached_property
    def words(self) -> Tensor:
        """(B,T,D) word embeddings, fixed."""
        with torch.no_grad():
            return self.victim.embed(self.batch)

    @property
    def like(self) -> Tensor:
        """(B,T,·) what δ is added to, fixed; without a clean pass yet, made for the purpose."""
        if self._vectors is None:
            if self.layer is None:
                return self.words
            self._dice.replay()
            with torch.no_grad():
                self._keep(blocks.hidden_at(self.victim, self.words, self.batch, self.layer))
        assert self._vectors is not None
        return self._vectors.detach()

    def _keep(self, vectors: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            if not vectors.requires_grad:  # a frozen embedding table
                vectors = vectors.detach().requires_grad_()
            vectors.retain_grad()
        self._vectors, self._above = vectors, TiedDice(vectors.device, self.tied)
        return vectors

    @property
    def mask(self) -> Tensor:
        """(B,T,1) bool: where δ may be other than 0."""
        return self.batch.perturbable.unsqueeze(-1)

    def mean_norm(self) -> float:
        """Mean length of the vectors that may be perturbed: what ε counts on hidden layers."""
        lengths = self.like.norm(dim=-1)[self.batch.perturbable]
        return float(lengths.mean()) if len(lengths) else 0.0

    def logits(self, delta: Tensor | None = None) -> Tensor:
        """(B,C) of a training pass through the whole model, with its graph to the parameters."""
        self._dice.replay()
        embeds = self.victim.embed(self.batch)

        def add(vectors: Tensor) -> Tensor:
            return self._keep(vectors) if delta is None else vectors + delta

        if self.layer is None:
            return self.objective.output(add(embeds))
        return blocks.logits_with(self.victim, embeds, self.batch, self.layer, add)

    def clean_grad(self) -> Tensor:
        """(B,T,·) the gradient that the backward pass of the clean logits has left at δ = 0."""
        assert self._vectors is not None
        assert self._vectors.grad is not None
        return self._vectors.grad

    def probe(self, delta: Tensor) -> Tensor:
        """(B,C) for the ascent: as `logits`, but nothing below δ is computed again."""
        if self.layer is None:
            self._dice.replay()
            return self.objective.output(self.words + delta)

        def add(hidden: Tensor) -> Tensor:
            assert self._above is not None
            self._above.replay()
            return hidden + delta

        return blocks.logits_above(self.victim, self.like, self.words, self.batch, self.layer, add)

    def divergence(self, clean: Tensor, other: Tensor, both: bool) -> Tensor:
        """(B,) KL(p‖q), with `both` also KL(q‖p), of logits (B,C)."""
        task = self.victim.task
        apart = task.divergence(clean, other, self.batch)
        return apart + task.divergence(other, clean, self.batch) if both else apart


Aim = Callable[[Place], Threat]


def play(
    place: Place, aim: Aim, inner: Inner, outer: Outer, dice: torch.Generator | None
) -> dict[str, float]:
    """Fill `.grad` for one batch; returns losses and the mean ‖δ‖₂ of an example, raw units.

    `aim` gives the threat; asked after the clean pass, since ε of a hidden layer counts its vectors.
    """
    if outer.kind == "mean":
        return _play_free(place, aim(place), inner, dice)
    loss_of, w, seen = place.objective.loss_of, outer.weight, place.observer
    if outer.kind == "mix":
        told, first = {}, None
        if w < 1:
            # the clean pass gives the ascent's first gradient, when it begins at 0: one pass saved
            out = place.logits()
            seen.clean(out)
            clean = loss_of(out).mean()
            ((1 - w) * clean).backward()
            told["clean_loss"] = clean.item()
            if inner.start == "zero" and inner.objective == "loss":
                # the mean divides by B and the weight scales; neither may decide where 0/0 begins
                first = place.clean_grad() * (len(place.batch) / (1 - w))
        delta = ascend(place, aim(place), inner, dice, first=first)
        out = place.logits(delta)
        seen.trained(delta, out)
        perturbed = loss_of(out).mean()
        (w * perturbed).backward()
        return told | {"adv_loss": perturbed.item(), "delta_norm": length(delta)}

    clean = place.logits()
    seen.clean(clean)
    delta = ascend(place, aim(place), inner, dice, clean=clean.detach())
    perturbed = place.logits(delta)
    loss = loss_of(clean).mean()
    each = place.divergence(clean, perturbed, outer.kind == "sym_kl")
    seen.trained(delta, perturbed, each)
    apart = each.mean()
    (loss + w * apart).backward()
    return {
        "clean_loss": loss.item(),
        "adv_loss": loss_of(perturbed.detach()).mean().item(),
        "divergence": apart.item(),
        "delta_norm": length(delta),
    }


def begin(place: Place, threat: Threat, inner: Inner, dice: torch.Generator | None) -> Tensor:
    """δ₀ (B,T,·)."""
    if inner.start == "zero":
        delta = torch.zeros_like(place.like)
    else:
        delta = random_in_ball(
            place.like,
            place.batch.perturbable,
            inner.start_size * threat.eps,
            threat.p,
            threat.ball,
            dice,
            surface=inner.start == "surface",
        )
    place.observer.began(place.like, delta, threat.eps, threat.p, threat.ball)
    return delta


def ascend(
    place: Place,
    threat: Threat,
    inner: Inner,
    dice: torch.Generator | None,
    *,
    first: Tensor | None = None,
    clean: Tensor | None = None,
) -> Tensor:
    """The final δ (B,T,·) of the ascent, without the evaluations that keeping the best one costs.

    `first` (B,T,·) is the summed loss's gradient at the start, when it is known already; `clean`
    (B,C) the logits that a divergence is measured from.
    """
    # not the loop of attacks: the last δ is not evaluated, the first gradient may be known, δ may be
    # replaced (power) or leave the ball, and all passes share their dropout masks
    delta = begin(place, threat, inner, dice)
    for step in range(inner.steps):
        if first is not None and step == 0:
            grad = first
        else:
            delta.requires_grad_()
            logits = place.probe(delta)
            if inner.objective in ("loss", "lure"):
                loss = place.objective.loss_of(logits)
                gain = loss if inner.objective == "loss" else -loss
            else:
                assert clean is not None
                gain = place.divergence(clean, logits, inner.objective == "sym_kl")
            place.observer.probed(delta, logits, gain)
            (grad,) = torch.autograd.grad(gain.sum(), delta)
        before = delta = delta.detach()
        if inner.power:  # the small start gives a direction; only the last step is of full length
            last = step == inner.steps - 1
            delta = threat.step(grad * place.mask, inner.step_size if last else inner.start_size)
        else:
            delta = delta + threat.step(grad * place.mask, inner.share(step))
        stepped = delta
        if inner.projected:
            delta = threat.project(delta)
        place.observer.moved(before, stepped, delta)
    return delta


def _play_free(
    place: Place, threat: Threat, inner: Inner, dice: torch.Generator | None
) -> dict[str, float]:
    """Every pass trains: its backward gives the parameters' gradients and δ's."""
    delta = begin(place, threat, inner, dice)
    told: dict[str, float] = {}
    for step in range(inner.steps):
        delta.requires_grad_()
        out = place.logits(delta)
        place.observer.trained(delta, out)
        loss = place.objective.loss_of(out).mean()
        (loss / inner.steps).backward()
        told = {"adv_loss": loss.item(), "delta_norm": length(delta)}
        if step < inner.steps - 1:
            assert delta.grad is not None
            # undo the mean over B and K, as above
            grad = delta.grad * (len(place.batch) * inner.steps) * place.mask
            before = delta.detach()
            stepped = delta = before + threat.step(grad, inner.share(step))
            if inner.projected:
                delta = threat.project(delta)
            place.observer.moved(before, stepped, delta)
    return told


def length(delta: Tensor) -> float:
    """Mean ‖δ‖₂ of an example."""
    return norm(delta.detach(), "l2", "example").mean().item()
