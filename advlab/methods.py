"""Training methods: each fills `.grad` for one batch and returns numbers; the loop owns the optimiser.

They share four habits. Gradients for δ come from `torch.autograd.grad`, so parameters are touched by
the training passes only. δ is zero off `perturbable`. Dropout masks are the same in all passes over
one batch (FreeLB, §3.3), so that at ε = 0 every method is plain training. `strength`, from 0 to 1, is
the warm-up of ε: full ε from the first step collapses to a constant predictor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from advlab.attacks.embedding import PGD, Unit
from advlab.errors import SettingError, unknown
from advlab.norms import Ball, P, norm, project, radius, random_in_ball, steepest
from advlab.settings import build, plain, setting

if TYPE_CHECKING:
    from advlab.tasks import Batch, Objective
    from advlab.victim import Victim


class TiedDropout:
    """Replays the random state of its making before each call: every pass drops the same units."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        device = objective.batch.input_ids.device
        self._device = device
        self._state = torch.get_rng_state()
        self._cuda_state = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def _replay(self) -> None:
        torch.set_rng_state(self._state)
        if self._cuda_state is not None:
            torch.cuda.set_rng_state(self._cuda_state, self._device)

    def __call__(self, embeds: Tensor) -> Tensor:
        """(B,T,D) -> (B,)."""
        self._replay()
        return self.objective(embeds)

    def logits(self, embeds: Tensor) -> Tensor:
        """(B,T,D) -> (B,C)."""
        self._replay()
        return self.objective.logits(embeds)


@dataclass(frozen=True)
class Plain:
    """Plain training: the loss of the clean text alone. The baseline of every comparison."""

    def backward(
        self,
        victim: Victim,
        batch: Batch,
        *,
        strength: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> dict[str, float]:
        """Fill `.grad` with the gradient of the mean loss; returns clean_loss."""
        loss = victim.objective(batch)(victim.embed(batch.input_ids)).mean()
        loss.backward()
        return {"clean_loss": loss.item()}


@dataclass(frozen=True)
class Adversarial:
    """What adversarial methods share: the ball that holds δ, and the weight of the perturbed loss."""

    eps: float = setting(0.5, "Radius of the ball that holds δ", low=0.0, label="ε")
    unit: Unit = setting(
        "norm",
        "What ε counts: the mean word-vector norm when training began, raw embedding units, or the "
        "median half distance between a word vector and its nearest other",
        label="unit of ε",
    )
    p: P = setting("l2", "Norm of δ", label="norm of δ")
    ball: Ball = setting(
        "example", "One ball for the whole text, or one for each token", label="one ball for"
    )

    def radius(self, victim: Victim, strength: float) -> float:
        """ε in raw units at this point of the warm-up."""
        return strength * victim.scale.raw(self.eps, self.unit)

    def backward(
        self,
        victim: Victim,
        batch: Batch,
        *,
        strength: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> dict[str, float]:
        """Fill `.grad`; returns the losses and the mean ‖δ‖₂ of an example, raw units."""
        raise NotImplementedError  # pragma: no cover - each method says how


@dataclass(frozen=True)
class Noise(Adversarial):
    """Random noise with a consistency penalty: R3F (Aghajanyan et al. 2020, arXiv:2008.03156).

    L(x) + λ·[KL(p‖q) + KL(q‖p)], q at x + noise. Departure: the noise fills the same ball as the
    other methods' δ, where the paper takes 1e-5 per coordinate. A control, not a defence.
    """

    weight: float = setting(
        1.0, "Weight λ of the symmetric divergence", low=0.0, high=100.0, label="weight λ"
    )

    def backward(
        self,
        victim: Victim,
        batch: Batch,
        *,
        strength: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> dict[str, float]:
        tied = TiedDropout(victim.objective(batch))
        embeds = victim.embed(batch.input_ids)
        eps = self.radius(victim, strength)
        delta = random_in_ball(
            embeds.detach(), batch.perturbable, eps, self.p, self.ball, generator, surface=True
        )
        task = victim.task
        clean, noisy = tied.logits(embeds), tied.logits(embeds + delta)
        loss = tied.objective.loss_of(clean).mean()
        apart = (task.divergence(clean, noisy) + task.divergence(noisy, clean)).mean()
        (loss + self.weight * apart).backward()
        return {
            "clean_loss": loss.item(),
            "adv_loss": tied.objective.loss_of(noisy.detach()).mean().item(),
            "divergence": apart.item(),
            "delta_norm": _length(delta),
        }


@dataclass(frozen=True)
class FGMTraining(Adversarial):
    """One normalised gradient step: ½L(x) + ½L(x + ε·g/‖g‖) (Miyato et al. 2017, arXiv:1605.07725).

    The gradient g is the one that the clean loss's backward pass leaves at the embeddings, so a step
    costs two passes, not three. Departure: weights ½ and ½, where the paper adds the two losses.
    """

    adv_weight: float = setting(
        0.5,
        "Share of the perturbed loss; the clean loss has the rest",
        low=0.0,
        high=0.9,
        label="share of the perturbed loss",
    )

    def backward(
        self,
        victim: Victim,
        batch: Batch,
        *,
        strength: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> dict[str, float]:
        tied = TiedDropout(victim.objective(batch))
        eps = self.radius(victim, strength)
        embeds = victim.embed(batch.input_ids)
        embeds.retain_grad()
        clean = tied(embeds).mean()
        ((1 - self.adv_weight) * clean).backward()
        assert embeds.grad is not None
        # the mean divides by B and the weight scales; neither may decide where 0/0 begins
        grad = embeds.grad * (len(batch) / (1 - self.adv_weight))
        grad = grad * batch.perturbable.unsqueeze(-1)
        delta = project(eps * steepest(grad, self.p, self.ball), eps, self.p, self.ball)
        adversarial = tied(victim.embed(batch.input_ids) + delta).mean()
        (self.adv_weight * adversarial).backward()
        return {
            "clean_loss": clean.item(),
            "adv_loss": adversarial.item(),
            "delta_norm": _length(delta),
        }


@dataclass(frozen=True)
class FGSMTraining(FGMTraining):
    """One signed gradient step: ½L(x) + ½L(x + ε·sign g) (Goodfellow et al. 2015, arXiv:1412.6572)."""

    p: P = setting("linf", "Norm of δ; L∞ gives the sign step of the paper", label="norm of δ")
    eps: float = setting(0.015, "Radius of the ball that holds δ", low=0.0, label="ε")


@dataclass(frozen=True)
class PGDTraining(Adversarial):
    """K ascent steps, then ½L(x) + ½L(x + δ) (Madry et al. 2018, arXiv:1706.06083).

    Departure: the paper trains on the perturbed loss alone (weight 1); the clean half keeps accuracy.
    """

    steps: int = setting(
        3, "Ascent steps K; a training step costs about K + 2 passes", low=1, high=50
    )
    step_size: float = setting(0.5, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)
    start: Literal["zero", "random"] = setting("random", "Where δ begins", label="start of δ")
    adv_weight: float = setting(
        0.5,
        "Share of the perturbed loss; the clean loss has the rest",
        low=0.0,
        high=1.0,
        label="share of the perturbed loss",
    )

    def backward(
        self,
        victim: Victim,
        batch: Batch,
        *,
        strength: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> dict[str, float]:
        tied = TiedDropout(victim.objective(batch))
        eps = self.radius(victim, strength)
        attack = PGD(
            eps, "raw", self.p, self.ball,
            steps=self.steps, step_size=self.step_size, start=self.start,
        )  # fmt: skip
        with torch.no_grad():
            fixed = victim.embed(batch.input_ids)
        delta = last_iterate(attack, tied, fixed, batch.perturbable, generator)
        clean = tied(victim.embed(batch.input_ids)).mean()
        ((1 - self.adv_weight) * clean).backward()
        # embedded anew: the graph of the first pass is gone
        adversarial = tied(victim.embed(batch.input_ids) + delta).mean()
        (self.adv_weight * adversarial).backward()
        return {
            "clean_loss": clean.item(),
            "adv_loss": adversarial.item(),
            "delta_norm": _length(delta),
        }


@dataclass(frozen=True)
class FreeLB(Adversarial):
    """Parameter gradients averaged over the ascent: (1/K)·Σ L(x + δₜ) (Zhu et al., arXiv:1909.11764).

    Every pass trains, so K steps cost K passes. Departure: δ₀ is uniform in a ball of radius
    `start_size`·ε, where the paper draws each coordinate from U(−1,1)·m/√(T·D).
    """

    steps: int = setting(3, "Ascent steps K; a training step costs K passes", low=1, high=50)
    step_size: float = setting(0.6, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)
    start_size: float = setting(
        0.3, "Radius of the ball that δ₀ is drawn from", unit="× ε", low=0.0, high=1.0
    )

    def backward(
        self,
        victim: Victim,
        batch: Batch,
        *,
        strength: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> dict[str, float]:
        tied = TiedDropout(victim.objective(batch))
        eps = self.radius(victim, strength)
        mask = batch.perturbable.unsqueeze(-1)
        delta: Tensor | None = None
        loss = torch.zeros(())
        for step in range(self.steps):
            embeds = victim.embed(batch.input_ids)
            if delta is None:
                delta = random_in_ball(
                    embeds.detach(), batch.perturbable, self.start_size * eps, self.p, self.ball,
                    generator,
                )  # fmt: skip
            delta.requires_grad_()
            loss = tied(embeds + delta).mean()
            (loss / self.steps).backward()
            assert delta.grad is not None
            grad = delta.grad * (len(batch) * self.steps) * mask
            used, delta = delta.detach(), delta.detach()
            if step < self.steps - 1:
                ascent = self.step_size * eps * steepest(grad, self.p, self.ball)
                delta = project(delta + ascent, eps, self.p, self.ball)
        return {"adv_loss": loss.item(), "delta_norm": _length(used)}


def last_iterate(
    attack: PGD,
    loss_fn: Callable[[Tensor], Tensor],
    embeds: Tensor,
    perturbable: Tensor,
    generator: torch.Generator | None,
) -> Tensor:
    """The final δ (B,T,D) of a PGD, without the evaluations that keeping the best one costs."""
    eps, p, ball = attack.eps, attack.p, attack.ball
    mask = perturbable.unsqueeze(-1).to(embeds.dtype)
    delta = torch.zeros_like(embeds)
    if attack.start == "random":
        delta = random_in_ball(embeds, perturbable, eps, p, ball, generator)
    for _ in range(attack.steps):
        delta.requires_grad_()
        (grad,) = torch.autograd.grad(loss_fn(embeds + delta).sum(), delta)
        step = attack.step_size * radius(eps, embeds) * steepest(grad * mask, p, ball)
        delta = project(delta.detach() + step, eps, p, ball)
    return delta


def _length(delta: Tensor) -> float:
    return norm(delta.detach(), "l2", "example").mean().item()


Method = Plain | Adversarial
METHODS: dict[str, type[Plain] | type[Adversarial]] = {
    "plain": Plain,
    "noise": Noise,
    "fgm": FGMTraining,
    "fgsm": FGSMTraining,
    "pgd": PGDTraining,
    "freelb": FreeLB,
}


def build_method(values: Mapping[str, Any]) -> Method:
    """The method of `{"name": "freelb", "eps": 0.5, …}`; SettingError names what does not fit."""
    rest = dict(values)
    name = rest.pop("name", "plain")
    if name not in METHODS:
        raise SettingError(unknown("training method", name, METHODS))
    return build(METHODS[name], rest)


def method_settings(method: Method) -> dict[str, Any]:
    """The mapping that `build_method` takes back."""
    name = next(n for n, cls in METHODS.items() if type(method) is cls)
    return {"name": name} | plain(method)
