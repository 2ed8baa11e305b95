"""What can be added to any training method: R-Drop, mixup, HotFlip-made texts, a dropout rate.

Each adds its own loss to the gradients that the method has filled. So a combination is one setting,
not a new method; a weight of 0 costs nothing and changes nothing.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from advlab.attacks.hotflip import HotFlip
from advlab.errors import SettingError
from advlab.language import _
from advlab.runs.config import Regularisation

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


def set_dropout(victim: Victim, rate: float | None) -> None:
    """Set the model's dropout, in place; None leaves it.

    Both kinds: a module of its own, and a number (`dropout`, `activation_dropout`, …) that a module
    hands to `functional.dropout` or to attention, as BART and Marian do in all of their layers.
    """
    if rate is None:
        return
    for module in victim.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
        for name, value in list(vars(module).items()):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and ("dropout" in name or "pdrop" in name):
                setattr(module, name, rate)


def backward(
    victim: Victim,
    batch: Batch,
    settings: Regularisation,
    generator: torch.Generator | None = None,
    *,
    strength: float = 1.0,
) -> dict[str, float]:
    """Add the gradients of the chosen losses to `.grad`; returns their values, unweighted.

    `strength`, from 0 to 1, is the warm-up of ε: HotFlip's texts are adversarial too, and at full
    weight from the first step they collapse training as a full ε does.
    """
    told: dict[str, float] = {}
    if not settings.active:
        return told
    objective = victim.objective(batch, training=True)
    if settings.rdrop:
        p, q = (objective.output(victim.embed(batch)) for __ in range(2))
        task = victim.task
        apart = (task.divergence(p, q, batch) + task.divergence(q, p, batch)).mean() / 2
        (settings.rdrop * apart).backward()
        told["rdrop_loss"] = apart.item()
    if settings.mixup:
        mixed = _mixed_loss(victim, batch, generator)
        (settings.mixup * mixed).backward()
        told["mixup_loss"] = mixed.item()
    if settings.hotflip and strength > 0:
        flipped = _flipped(victim, batch, settings.hotflip_words)
        loss = victim.objective(flipped, training=True)(victim.embed(flipped)).mean()
        (strength * settings.hotflip * loss).backward()
        told["hotflip_loss"] = loss.item()
    return told


def _flipped(victim: Victim, batch: Batch, words: int) -> Batch:
    """The batch after HotFlip: first-order choice, no tries, without dropout."""
    before = torch.get_rng_state()
    victim.forget()  # what is kept for analysis, where weights stand still: here they have moved
    with victim.analysing():
        found = HotFlip(words, verify=1)(victim, batch)
    victim.forget()
    torch.set_rng_state(before)
    return replace(batch, input_ids=found.input_ids)


def _mixed_loss(victim: Victim, batch: Batch, generator: torch.Generator | None) -> torch.Tensor:
    """The task's loss at λ·e + (1−λ)·e′ against both references, e′ of the same batch shuffled."""
    B = len(batch)
    order = torch.randperm(B, generator=generator).to(batch.input_ids.device)
    seed = int(torch.randint(2**31, (), generator=generator))
    share = random.Random(seed).betavariate(0.4, 0.4)  # one λ for the batch
    embeds = victim.embed(batch)
    blend = share * embeds + (1 - share) * embeds[order]
    both = replace(
        batch, attention_mask=torch.maximum(batch.attention_mask, batch.attention_mask[order])
    )
    objective = victim.objective(both, training=True)
    logits = objective.output(blend)
    # (B,C) says one thing of a text; with further axes what is said belongs to places in it
    if logits.ndim > 2 and not torch.equal(batch.segment, batch.segment[order]):
        raise SettingError(
            _(
                "expected texts whose answers stand at the same places for mixup, got "
                "texts of different length; set mixup to 0"
            )
        )
    first = objective.loss_of(logits)
    other = replace(both, target={name: values[order] for name, values in batch.target.items()})
    second = victim.objective(other, training=True).loss_of(logits)
    return (share * first + (1 - share) * second).mean()
