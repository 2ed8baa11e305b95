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
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.attacks.tokens import HotFlip
from advlab.config import Regularisation

if TYPE_CHECKING:
    from advlab.tasks import Batch
    from advlab.victim import Victim


def set_dropout(victim: Victim, rate: float | None) -> None:
    """Set the model's dropout, in place; None leaves it."""
    for module in victim.model.modules():
        if isinstance(module, nn.Dropout) and rate is not None:
            module.p = rate


def backward(
    victim: Victim,
    batch: Batch,
    settings: Regularisation,
    generator: torch.Generator | None = None,
) -> dict[str, float]:
    """Add the gradients of the chosen losses to `.grad`; returns their values, unweighted."""
    told = {}
    objective = victim.objective(batch)
    if settings.rdrop:
        p, q = (objective.logits(victim.embed(batch.input_ids)) for _ in range(2))
        task = victim.task
        apart = (task.divergence(p, q) + task.divergence(q, p)).mean() / 2
        (settings.rdrop * apart).backward()
        told["rdrop_loss"] = apart.item()
    if settings.mixup:
        mixed = _mixed_loss(victim, batch, generator)
        (settings.mixup * mixed).backward()
        told["mixup_loss"] = mixed.item()
    if settings.hotflip:
        flipped = _flipped(victim, batch, settings.hotflip_words)
        loss = victim.objective(flipped)(victim.embed(flipped.input_ids)).mean()
        (settings.hotflip * loss).backward()
        told["hotflip_loss"] = loss.item()
    return told


def _flipped(victim: Victim, batch: Batch, words: int) -> Batch:
    """The batch after HotFlip: first-order choice, no tries, without dropout."""
    dice = torch.get_rng_state()
    with victim.analysing():
        found = HotFlip(words, verify=1)(victim, batch)
    torch.set_rng_state(dice)
    return replace(batch, input_ids=found.input_ids)


def _mixed_loss(victim: Victim, batch: Batch, generator: torch.Generator | None) -> torch.Tensor:
    """Cross-entropy at λ·e + (1−λ)·e′ against both labels, e′ of the same batch shuffled."""
    B = len(batch)
    order = torch.randperm(B, generator=generator).to(batch.labels.device)
    dice = random.Random(int(torch.randint(2**31, (), generator=generator)))
    share = dice.betavariate(0.4, 0.4)  # one λ for the batch
    embeds = victim.embed(batch.input_ids)
    blend = share * embeds + (1 - share) * embeds[order]
    both = replace(
        batch, attention_mask=torch.maximum(batch.attention_mask, batch.attention_mask[order])
    )
    logits = victim.logits(blend, both)
    first = F.cross_entropy(logits, batch.labels, reduction="none")
    second = F.cross_entropy(logits, batch.labels[order], reduction="none")
    return (share * first + (1 - share) * second).mean()
