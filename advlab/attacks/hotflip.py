"""HotFlip: replace words by the ones whose vectors the gradient points to, then look what is true.

The first-order estimate of a replacement, g·(e_w′ − e_w), ranks all words at all places at once; it
is often wrong about the order, so the best few are tried with the model and the worst for it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.settings import setting

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


@dataclass(frozen=True)
class Replacement:
    """What HotFlip found for a batch."""

    input_ids: Tensor  # (B,T) after the replacements
    losses: Tensor  # (S+1,B) loss before and after each replacement
    flipped: Tensor  # (B,) bool: some text on the way is misread
    places: Tensor  # (S,B) which token was replaced; −1: none
    estimates: Tensor  # (S,B) first-order estimate of the rise in loss


@dataclass(frozen=True)
class HotFlip:
    """Greedy gradient-guided word replacement (Ebrahimi et al. 2018, arXiv:1712.06751).

    Departures: whole vocabulary entries are replaced, pieces by pieces and words by words; the
    `verify` most promising are run through the model; no beam.
    """

    replacements: int = setting(1, "Words replaced at most", low=1, high=50)
    verify: int = setting(
        8, "Candidates tried with the model for each replacement", low=1, high=1000
    )

    def __call__(self, victim: Victim, batch: Batch) -> Replacement:
        """Attack a batch with labels. Uses gradients of embeddings only; the model is left alone."""
        table, kinds = victim.table, victim.kinds
        ids = batch.input_ids.clone()
        B = len(ids)
        free = batch.perturbable.clone()  # each place is replaced once
        objective = victim.objective(batch)
        losses, places, estimates = [], [], []
        flipped = torch.zeros(B, dtype=torch.bool, device=ids.device)
        for step in range(self.replacements + 1):
            x = victim.embed(replace(batch, input_ids=ids)).detach().requires_grad_()
            judged = objective.judge(x)
            loss = judged.loss
            (grad,) = torch.autograd.grad(loss.sum(), x)
            losses.append(loss.detach())
            flipped |= judged.flipped
            if step == self.replacements:
                break
            rise = first_order(grad, ids, table, kinds, free)  # (B,T,V)
            best = rise.flatten(1).topk(min(self.verify, rise[0].numel()))
            k = best.indices.shape[1]
            place, word = best.indices // len(table), best.indices % len(table)  # (B,k)
            rows = torch.arange(B, device=ids.device).repeat_interleave(k)
            tried = ids.repeat_interleave(k, 0)
            possible = best.values.flatten().isfinite()
            moved = (rows.new_tensor(range(len(rows)))[possible], place.flatten()[possible])
            tried[moved] = word.flatten()[possible]
            many = replace(batch.take(rows), input_ids=tried)
            with torch.no_grad():
                found = victim.objective(many)(victim.embed(many)).reshape(B, k)
            pick = found.masked_fill(~possible.reshape(B, k), -torch.inf).argmax(1, keepdim=True)
            chosen = (torch.arange(B, device=ids.device) * k) + pick.squeeze(1)
            done = possible[chosen]
            ids = tried[chosen]
            where = place.gather(1, pick).squeeze(1)
            free[torch.arange(B, device=ids.device)[done], where[done]] = False
            places.append(torch.where(done, where, -1))
            estimates.append(best.values.gather(1, pick).squeeze(1))
        return Replacement(
            ids, torch.stack(losses), flipped, torch.stack(places), torch.stack(estimates)
        )


def first_order(grad: Tensor, ids: Tensor, table: Tensor, kinds: Tensor, free: Tensor) -> Tensor:
    """(B,T,V) the linear estimate of the loss's rise, −∞ where a replacement is not allowed.

    grad (B,T,D) at the embeddings of ids (B,T); table (V,D); kinds (V,) as a victim's: a word replaces
    a word, a piece a piece; free (B,T).
    """
    rise = grad @ table.T - (grad * table[ids]).sum(-1, keepdim=True)
    allowed = (kinds > 0) & (kinds == kinds[ids].unsqueeze(-1)) & free.unsqueeze(-1)
    allowed = allowed.scatter(2, ids.unsqueeze(-1), False)
    return rise.masked_fill(~allowed, -torch.inf)
