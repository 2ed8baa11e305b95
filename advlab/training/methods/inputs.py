"""Methods that perturb the input (or a hidden layer): each a few lines for the engine.

Defaults are the paper's where a paper's numbers mean something here. ε is relative to the model's own
word vectors in all of them, and word-embedding δ with one L2 ball a text unless the source differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from advlab.attacks.norms import Ball, P
from advlab.language import N_
from advlab.settings import setting
from advlab.training.methods.base import Adversarial, Plain, Step
from advlab.training.methods.engine import Inner, Outer, Place, Site, begin, length

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch

Share = Literal["zero", "random"]
_SHARE = N_("Share of the perturbed loss; the clean loss has the rest")


@dataclass(frozen=True)
class Noise(Adversarial):
    """Random noise with a consistency penalty: R3F (Aghajanyan et al. 2020, arXiv:2008.03156).

    L(x) + λ·[KL(p‖q) + KL(q‖p)], q at x + noise. Departure: the noise fills the same ball as the
    other methods' δ, where the paper takes 1e-5 per coordinate. A control, not a defence.
    """

    title: ClassVar[str] = N_("Noise (R3F)")
    gist: ClassVar[str] = N_(
        "Adds random noise to the word vectors and asks for the same answer. Shows "
        "what noise alone can do."
    )

    weight: float = setting(
        1.0, "Weight λ of the symmetric divergence", low=0.0, high=100.0, label="weight λ"
    )

    def parts(self) -> tuple[Inner, Outer]:
        return Inner(steps=0, start="surface"), Outer("sym_kl", self.weight)


@dataclass(frozen=True)
class FGM(Adversarial):
    """One normalised gradient step: ½L(x) + ½L(x + ε·g/‖g‖) (Miyato et al. 2017, arXiv:1605.07725).

    The gradient g is the one that the clean loss's backward pass leaves at the embeddings, so a step
    costs two passes, not three. Departure: weights ½ and ½, where the paper adds the two losses.
    """

    title: ClassVar[str] = "FGM"
    gist: ClassVar[str] = N_(
        "Pushes each text's word vectors once, the way that hurts most, and learns "
        "from the text and from the pushed one."
    )

    one_step: ClassVar[bool] = True
    adv_weight: float = setting(0.5, _SHARE, low=0.0, high=0.9, label="share of the perturbed loss")

    def parts(self) -> tuple[Inner, Outer]:
        return Inner(steps=1), Outer("mix", self.adv_weight)


@dataclass(frozen=True)
class FGSM(FGM):
    """One signed gradient step: ½L(x) + ½L(x + ε·sign g) (Goodfellow et al. 2015, arXiv:1412.6572)."""

    title: ClassVar[str] = "FGSM"
    gist: ClassVar[str] = N_(
        "As FGM, but every number of a word vector moves by the same amount: many "
        "tiny changes, no long one."
    )

    p: P = setting("linf", "Norm of δ; L∞ gives the sign step of the paper", label="norm of δ")
    eps: float = setting(0.015, "Radius of the ball that holds δ", low=0.0, label="ε")


@dataclass(frozen=True)
class PGD(Adversarial):
    """K ascent steps, then ½L(x) + ½L(x + δ) (Madry et al. 2018, arXiv:1706.06083).

    Departures: the paper trains on the perturbed loss alone (weight 1) from a random start; here the
    clean half keeps accuracy, and from the zero start its backward pass gives the first step free.
    """

    title: ClassVar[str] = "PGD"
    gist: ClassVar[str] = N_(
        "Looks for the worst nearby word vectors in several small steps, and "
        "learns from the text and from what it found. The usual choice."
    )
    quoted: ClassVar[str | None] = "steps"

    steps: int = setting(3, "Ascent steps K", low=1, high=50)
    step_size: float = setting(0.5, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)
    step_rule: Literal["fixed", "falling"] = setting(
        "fixed", "Whether all steps are alike or shrink linearly towards the last", advanced=True
    )
    start: Literal["zero", "random"] = setting(
        "zero", "Where δ begins; a random start costs one pass more", label="start of δ"
    )
    adv_weight: float = setting(0.5, _SHARE, low=0.0, high=1.0, label="share of the perturbed loss")

    @property
    def one_step(self) -> bool:  # type: ignore[override]
        """Whether the ascent is a single step."""
        return self.steps == 1

    def parts(self) -> tuple[Inner, Outer]:
        start = "zero" if self.start == "zero" else "inside"
        inner = Inner(self.steps, self.step_size, start, falling=self.step_rule == "falling")
        return inner, Outer("mix", self.adv_weight)


@dataclass(frozen=True)
class Hidden(PGD):
    """PGD on the input of a hidden layer: SMAAT, latent adversarial training (arXiv:2407.15549).

    The ascent runs through the blocks above δ only, so late layers are cheap. ε counts the mean
    length of the batch's hidden vectors. Departure from SMAAT: the layer is chosen, not searched.
    """

    title: ClassVar[str] = "HIDDEN"
    gist: ClassVar[str] = N_(
        "PGD inside the network: what is pushed is the input of a layer, not the word vectors."
    )
    quoted: ClassVar[str | None] = None

    site: Site = setting(
        "hidden", "Where δ is added: the input of a hidden layer", label="δ lives on", advanced=True
    )


@dataclass(frozen=True)
class FastAT(Adversarial):
    """One step from a random start, on the perturbed loss alone (Wong et al. 2020, arXiv:2001.03994).

    Two passes. Step 1.25·ε as in the paper; departure: L2, as the other methods here, where the paper
    has L∞. One-step training may learn to defeat that one step only: validation PGD watches for it.
    """

    title: ClassVar[str] = "FAST"
    gist: ClassVar[str] = N_(
        "One push from a random start, and learns from the pushed text alone. "
        "Fast, but may learn to beat that one push only."
    )

    one_step: ClassVar[bool] = True
    step_size: float = setting(1.25, "Length of the ascent step", unit="× ε", low=0.0, high=10.0)

    def parts(self) -> tuple[Inner, Outer]:
        return Inner(1, self.step_size, "inside"), Outer("mix", 1.0)


@dataclass(frozen=True)
class FreeAT(Adversarial):
    """Each batch m times: every pass trains the model and moves δ (Shafahi et al., arXiv:1904.12843).

    m optimiser steps a batch at one pass each; the paper divides the epochs by m, so set fewer.
    Departure: δ begins anew with each batch, because the next one has other words.
    """

    title: ClassVar[str] = "FREE"
    gist: ClassVar[str] = N_(
        "Uses each batch several times over; every pass moves the weights and the "
        "push at once, so that no pass is lost."
    )

    one_step: ClassVar[bool] = True  # between two optimiser steps
    unobserved: ClassVar[str] = N_("it moves the weights between two steps of δ, m times a batch")
    replays_m: int = setting(3, "Replays m of each batch", low=1, high=20, label="replays m")
    step_size: float = setting(1.0, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)

    @property
    def replays(self) -> int:  # type: ignore[override]
        """Optimiser steps on each batch."""
        return self.replays_m

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        if self.spared(step):
            return Plain().backward(victim, batch, step)
        place = Place(victim, batch, self.site, self.layer, tied=step.tied)
        threat = self.threat(place, step.strength)
        delta = step.carry.get("delta", begin(place, threat, Inner(start="zero"), step.generator))
        delta = delta.detach().requires_grad_()
        loss = place.objective.loss_of(place.logits(delta)).mean()
        loss.backward()
        grad = delta.grad * len(batch) * place.mask
        step.carry["delta"] = threat.project(delta.detach() + threat.step(grad, self.step_size))
        return {"adv_loss": loss.item(), "delta_norm": length(delta)}


@dataclass(frozen=True)
class FreeLB(Adversarial):
    """Parameter gradients averaged over the ascent: (1/K)·Σ L(x + δₜ) (Zhu et al., arXiv:1909.11764).

    Every pass trains, so K steps cost K passes. Departure: δ₀ is uniform in a ball of radius
    `start_size`·ε, where the paper draws each coordinate from U(−1,1)·m/√(T·D).
    """

    title: ClassVar[str] = "FreeLB"
    gist: ClassVar[str] = N_(
        "Looks in several steps and learns from every one of them, not from the "
        "last alone. Made for pretrained language models."
    )
    quoted: ClassVar[str | None] = "steps"

    steps: int = setting(3, "Ascent steps K; a training step costs K passes", low=1, high=50)
    step_size: float = setting(0.6, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)
    start_size: float = setting(
        0.3, "Radius of the ball that δ₀ is drawn from", unit="× ε", low=0.0, high=1.0
    )
    projected: ClassVar[bool] = True

    def parts(self) -> tuple[Inner, Outer]:
        inner = Inner(
            self.steps, self.step_size, "inside", self.start_size, projected=self.projected
        )
        return inner, Outer("mean")


@dataclass(frozen=True)
class FreeLBPlus(FreeLB):
    """FreeLB++: FreeLB without projection, with more steps (Li et al. 2021, arXiv:2108.12777).

    δ may leave the ball of ε: it is at most start + (K − 1)·step long. The paper's steps count raw
    units; here they are shares of ε.
    """

    title: ClassVar[str] = "FREELB++"
    gist: ClassVar[str] = N_("FreeLB with more steps, and with no ball that holds the push back.")
    quoted: ClassVar[str | None] = None

    steps: int = setting(10, "Ascent steps K; a training step costs K passes", low=1, high=50)
    step_size: float = setting(0.2, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)
    projected: ClassVar[bool] = False


@dataclass(frozen=True)
class VAT(Adversarial):
    """L(x) + λ·KL(p‖q) at the δ that changes the prediction most (Miyato et al., arXiv:1704.03976).

    Power iteration from a small random ξ: labels are not used to find δ. ξ = 0.02·ε is the ratio of
    the text paper (ξ 0.1, ε 5; arXiv:1605.07725). p is not held fixed: the penalty moves both.
    """

    title: ClassVar[str] = "VAT"
    gist: ClassVar[str] = N_(
        "Finds the push that changes the answer most, without asking for the "
        "label, and teaches the model to answer the same."
    )

    steps: int = setting(1, "Power iterations", low=1, high=20)
    start_size: float = setting(
        0.02, "Length ξ of the random start", unit="× ε", low=1e-4, high=1.0, label="ξ"
    )
    weight: float = setting(
        1.0, "Weight λ of the divergence", low=0.0, high=100.0, label="weight λ"
    )

    def parts(self) -> tuple[Inner, Outer]:
        inner = Inner(self.steps, 1.0, "surface", self.start_size, objective="kl", power=True)
        return inner, Outer("kl", self.weight)


@dataclass(frozen=True)
class TRADES(Adversarial):
    """L(x) + β·KL(p‖q), δ maximises the divergence in K steps (Zhang et al. 2019, arXiv:1901.08573).

    β = 6 as in the paper. Departures: L2, K = 3, and KL(p‖q) as the paper writes it, where its code
    has p as the second argument of torch's kl_div, which is the same.
    """

    title: ClassVar[str] = "TRADES"
    gist: ClassVar[str] = N_(
        "Learns from the text as it is and pays for answers that change nearby: "
        "one number weighs accuracy against robustness."
    )

    steps: int = setting(3, "Ascent steps K", low=1, high=50)
    step_size: float = setting(0.5, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)
    start_size: float = setting(
        0.1,
        "Length of the random start; the divergence is flat at 0",
        unit="× ε",
        low=1e-4,
        high=1.0,
    )
    weight: float = setting(
        6.0, "Weight β of the divergence", low=0.0, high=100.0, label="weight β"
    )

    def parts(self) -> tuple[Inner, Outer]:
        inner = Inner(self.steps, self.step_size, "surface", self.start_size, objective="kl")
        return inner, Outer("kl", self.weight)


@dataclass(frozen=True)
class SMART(Adversarial):
    """L(x) + λ·[KL(p‖q) + KL(q‖p)] at a δ that raises it: SMART (Jiang et al., arXiv:1911.03437).

    δ is on the normalised sum of the embeddings, L∞ with one ball a token, as in the paper. Departures:
    δ is projected on its ball (the published code rescales, so that its step size means nothing),
    and the proximal term against an average of past weights is left out.
    """

    title: ClassVar[str] = "SMART"
    gist: ClassVar[str] = N_(
        "Keeps answers from changing in a tiny box around each word vector. Made "
        "for fine-tuning pretrained models."
    )

    p: P = setting("linf", "Norm of δ", label="norm of δ")
    ball: Ball = setting(
        "token", "One ball for the whole text, or one for each token", label="one ball for"
    )
    eps: float = setting(0.015, "Radius of the ball that holds δ", low=0.0, label="ε")
    site: Site = setting("sum", "Where δ is added", label="δ lives on", advanced=True)
    steps: int = setting(1, "Ascent steps K", low=1, high=50)
    step_size: float = setting(1.0, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)
    start_size: float = setting(
        0.1, "Size of the random start; the divergence is flat at 0", unit="× ε", low=1e-4, high=1.0
    )
    weight: float = setting(
        1.0, "Weight λ of the symmetric divergence", low=0.0, high=100.0, label="weight λ"
    )

    def parts(self) -> tuple[Inner, Outer]:
        inner = Inner(self.steps, self.step_size, "surface", self.start_size, objective="sym_kl")
        return inner, Outer("sym_kl", self.weight)
