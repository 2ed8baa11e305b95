"""Words in place of δ: tokens are replaced by those that the gradient points to, in training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.attacks.norms import TINY
from advlab.language import N_
from advlab.settings import setting
from advlab.training.methods.base import Method, Step
from advlab.training.methods.engine import Place

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


@dataclass(frozen=True)
class Replace(Method):
    """½L(x) + ½L(x′), x′ with words replaced (Cheng, Jiang and Macherey 2019, arXiv:1906.02443).

    At a share of the places, drawn at random, a token xᵢ gives way to the candidate c of highest
    cos(e(c) − e(xᵢ), gᵢ), g the gradient of L(x); with a decoder whose input may be perturbed (the
    task's settings say so), its tokens likewise, and both stand in x′. Two passes. Departures:
    candidates are the nearest entries of the embedding table, words for words and pieces for pieces,
    where the paper asks a bidirectional language model (and, for the decoder, the model too); places
    of the decoder are drawn evenly, not by attention to the replaced words; its gradient is that at x,
    not at the replaced source; language models are not trained along; weights ½ and ½, where the paper
    adds the two losses.
    """

    title: ClassVar[str] = "WORDS"
    gist: ClassVar[str] = N_(
        "Exchanges some words for near ones that hurt most, and learns from the "
        "text and from the changed one. In translation, what was written so far "
        "too."
    )

    unobserved: ClassVar[str] = N_("it replaces words, and has no δ on a text")

    share: float = setting(
        0.25, "Share of the text's tokens that are replaced", low=0.0, high=1.0, label="share"
    )
    answer_share: float = setting(
        0.5,
        "Share of the decoder's input that is replaced, where it may be perturbed",
        low=0.0,
        high=1.0,
        label="share of the answer",
    )
    candidates: int = setting(
        10, "Nearest tokens among which one is chosen", low=1, high=200, label="candidates"
    )
    adv_weight: float = setting(
        0.5,
        "Share of the loss of the changed text; the clean loss has the rest",
        low=0.0,
        high=0.9,
        label="share of the changed text's loss",
    )

    def backward(self, victim: Victim, batch: Batch, step: Step) -> dict[str, float]:
        place, w = Place(victim, batch, tied=step.tied), self.adv_weight
        clean = place.objective.loss_of(place.logits()).mean()
        ((1 - w) * clean).backward()
        chosen = self.places(batch, step)
        ids = replaced(victim, batch, place.clean_grad(), chosen, self.candidates)
        changed = place.moved(replace(batch, input_ids=ids))
        worse = changed.objective.loss_of(changed.logits()).mean()
        (w * worse).backward()
        share = (ids != batch.input_ids).sum() / batch.perturbable.sum().clamp_min(1)
        return {"clean_loss": clean.item(), "adv_loss": worse.item(), "replaced": share.item()}

    def places(self, batch: Batch, step: Step) -> Tensor:
        """(B,T) bool: the tokens that are to be replaced, drawn one by one."""
        share = torch.where(batch.segment == 2, self.answer_share, self.share) * step.strength
        drawn = torch.rand(share.shape, generator=step.generator).to(share.device)
        return batch.perturbable & (drawn < share)


def replaced(victim: Victim, batch: Batch, grad: Tensor, chosen: Tensor, k: int) -> Tensor:
    """(B,T) the ids with each `chosen` (B,T) one replaced by the best of its k nearest.

    The best has the highest cosine between its way from the old vector and `grad` (B,T,D). A token of
    which no other is like in kind stays.
    """
    table, kinds = victim.table, victim.kinds
    ids, own = batch.input_ids.clone(), batch.input_ids[chosen]  # (n,)
    if not len(own):
        return ids
    near = nearest(own, table, kinds, k)  # (n,k), −1 where there are fewer
    way = table[near] - table[own].unsqueeze(1)  # (n,k,D)
    cosine = F.cosine_similarity(way, grad[chosen].unsqueeze(1), dim=-1, eps=TINY)
    cosine = cosine.masked_fill(near < 0, -torch.inf)
    best = near.gather(1, cosine.argmax(1, keepdim=True)).squeeze(1)
    ids[chosen] = torch.where(best < 0, own, best)
    return ids


def nearest(own: Tensor, table: Tensor, kinds: Tensor, k: int) -> Tensor:
    """(n,) tokens -> (n,k) the nearest others (L2) of the same kind, nearest first, −1 behind them.

    table (V,D); kinds (V,) as a victim's: 0 may not stand in a text.
    """
    which, back = own.unique(return_inverse=True)  # a batch has few different words
    apart = torch.cdist(table[which], table)
    alike = (kinds > 0) & (kinds == kinds[which].unsqueeze(1))
    alike = alike.scatter(1, which.unsqueeze(1), False)
    found = apart.masked_fill(~alike, torch.inf).topk(min(k, len(table)), largest=False)
    return found.indices.masked_fill(found.values.isinf(), -1)[back]
