"""Honest HotFlip for one sentence: what the gradient promises of a replaced word, and what it does.

The first-order estimate g·(e_w′ − e_w) ranks all words at all places at once (Ebrahimi et al. 2018,
arXiv:1712.06751). It is often wrong about the order, so the best of it are run through the model, and
both numbers stand beside each other.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from advlab.attacks.hotflip import first_order
from advlab.errors import SettingError
from advlab.explain.subject import Subject
from advlab.language import _
from advlab.records import AttackRecord, Substitutions

TOP = 100  # replacements tried with the model


def substitutions(subject: Subject, record: AttackRecord, top: int = TOP) -> Substitutions:
    """The `top` single replacements that the gradient at the clean sentence promises most.

    The loss is that of the reference, raised by an ordinary attack and lowered by a targeted one.
    Words are replaced by words and pieces by pieces; shielded words stay.
    """
    if not 1 <= top <= 1000:
        raise SettingError(_("expected 1 to 1000 replacements, got {top}; change it", top=top))
    victim, batch = subject.victim, subject.batch
    table, ids = victim.table, batch.input_ids
    sign = -1.0 if subject.attack.targeted else 1.0
    x = subject.embeds.detach().clone().requires_grad_()
    loss = victim.objective(batch)(x)
    (grad,) = torch.autograd.grad(loss.sum(), x)
    rise = first_order(sign * grad, ids, table, victim.kinds, batch.perturbable)[0]  # (T,V)
    possible = int(rise.isfinite().sum())
    best = rise.flatten().topk(min(top, possible))
    place, word = best.indices // len(table), best.indices % len(table)
    tried = ids.repeat(len(place), 1)
    tried[torch.arange(len(place), device=ids.device), place] = word
    # a text of unknown tokens alone has nothing that could be replaced, and no model reads no rows
    moved = victim.embed(replace(batch.repeat(len(tried)), input_ids=tried)) - subject.embeds
    found = subject.read(moved) if possible else subject.read(torch.zeros_like(x)).take([])
    return Substitutions(
        places=place.cpu().numpy(),
        words=tuple(victim.vocabulary.texts(word.tolist())),
        estimates=(sign * best.values).cpu().numpy(),
        rises=found.loss - float(loss.detach()),
        reading=found,
        start=float(loss.detach()),
        possible=possible,
    )
