"""Learning not to be lured: δ makes a wrong answer likelier, and the right one is to be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.errors import SettingError
from advlab.language import N_, _
from advlab.settings import setting
from advlab.tasks.base import Errs
from advlab.training.methods.base import Adversarial, Plain, Step
from advlab.training.methods.engine import Inner, Place, ascend, length

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


@dataclass(frozen=True)
class Unlikelihood(Adversarial):
    """L(x; y) + a·L(x+δ; y) − b·min(L(x+δ; w), c): C-AdvUL (Xhonneux et al. 2024, arXiv:2405.15589).

    y is the right answer, w a wrong one, and δ lowers L(x+δ; w). K + 3 passes. The three terms are the
    paper's utility, toward and away; a text's own tokens that w shares with y are neither lured nor
    unlearnt. Departures: w is another answer of the batch (the likest, or a random class), where the
    paper has harmful replies and refusals; the same texts serve for all terms; the ball and the steps
    are those of PGD here, where the paper takes 10 sign steps of 1e-4 in one ball of 0.05 × mean norm
    a token; nothing is learnt beyond a cut-off, where the paper's code keeps a trace of the slope.
    """

    title: ClassVar[str] = "C-AdvUL"
    gist: ClassVar[str] = N_(
        "Pushes word vectors towards a chosen wrong answer, and learns to keep the "
        "right one there and to find the wrong one unlikely. Made for chat models."
    )
    quoted: ClassVar[str | None] = "steps"
    unobserved: ClassVar[str] = N_(
        "its δ leads to a chosen wrong answer, and two losses are weighed there"
    )

    needs: ClassVar[type | None] = Errs

    steps: int = setting(3, "Ascent steps K", low=1, high=50)
    step_size: float = setting(0.5, "Length of an ascent step", unit="× ε", low=0.0, high=10.0)
    toward: float = setting(
        0.5, "Weight a of the right answer's loss under δ", low=0.0, high=10.0, label="weight a"
    )
    away: float = setting(
        0.5, "Weight b of the wrong answer's loss under δ", low=0.0, high=10.0, label="weight b"
    )
    away_cut: float = setting(
        5.0,
        "Loss c at which a wrong answer is unlikely enough",
        unit="nats",
        low=0.0,
        high=100.0,
        label="cut-off c",
    )
    toward_cut: float = setting(
        0.0,
        "Loss under δ at which the right answer is likely enough; the paper has 0.5",
        unit="nats",
        low=0.0,
        high=100.0,
        advanced=True,
    )

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        wrong = mistaken(victim, batch, step.generator)
        if self.spared(step):
            return Plain().backward(victim, batch, step)
        place = Place(victim, batch, self.site, self.layer, tied=step.tied)
        lured, kept = place.moved(wrong, training=False), place.moved(batch, training=False)
        clean = place.objective.loss_of(place.logits()).mean()
        clean.backward()
        threat = self.threat(lured, step.strength)
        if not threat.eps:  # nothing to withstand: plain training
            return {"clean_loss": clean.item()}
        inner = Inner(self.steps, self.step_size, objective="lure")
        delta = ascend(lured, threat, inner, step.generator)
        unlikely = lured.objective.loss_of(lured.logits(delta))
        (-self.away * unlikely.clamp_max(self.away_cut)).mean().backward()
        # last, so that the dice stand where plain training leaves them
        right = kept.objective.loss_of(kept.logits(fitted(delta, batch)))
        (self.toward * right.clamp_min(self.toward_cut)).mean().backward()
        return {
            "clean_loss": clean.item(),
            "adv_loss": right.mean().item(),
            "wrong_loss": unlikely.mean().item(),
            "delta_norm": length(delta),
        }


def mistaken(victim: Victim, batch: Batch, generator: torch.Generator | None) -> Batch:
    """The batch with a wrong answer to each text; SettingError where the task knows none."""
    task = victim.task
    if not isinstance(task, Errs):
        raise SettingError(
            _(
                "expected a task that can name a wrong answer to a text, got {title}; "
                "choose pgd or freelb",
                title=task.title,
            )
        )
    return task.mistaken(batch, victim.reader, generator)


def fitted(delta: Tensor, batch: Batch) -> Tensor:
    """δ (B,T',·) on the text as one on the batch's (B,T,·), which has another answer behind it."""
    T = batch.input_ids.shape[1]
    return F.pad(delta, (0, 0, 0, max(T - delta.shape[1], 0)))[:, :T]
