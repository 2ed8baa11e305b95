"""Which words are a text's vectors nearest to, before and after the attack, and how far is the next?

Two spaces: the rows of the word table, where δ is added, and what the model makes of them before its
first layer (positions, token types, LayerNorm), where candidates are embedded again at each position.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.explain.nearest import METRICS, Metric, ranked, scores
from advlab.explain.subject import Subject
from advlab.language import N_, _
from advlab.model.victim import Victim
from advlab.records import AttackRecord, Nearest, Neighbours

ROWS = N_("word vectors, where δ is added")
ENTERED = N_("after positions and LayerNorm, as the first layer gets them")
NUMBERS = 2**18  # numbers of one chunk of candidates: 1 MB, which caches hold


def nearest(subject: Subject, record: AttackRecord, k: int = 5, whole: bool = False) -> Nearest:
    """Nearest rows of the word table, clean and perturbed, under each metric.

    `whole` leaves pieces and punctuation out of the candidates; a token's own row always takes part.
    """
    victim, own = subject.victim, subject.batch.input_ids[0]
    allowed = candidates(victim, whole)
    clean, perturbed = _versions(subject, record)
    table = victim.table
    return Nearest(
        _(ROWS),
        {m: _neighbours(victim, scores(clean, table, m), own, k, m, allowed) for m in METRICS},
        {m: _neighbours(victim, scores(perturbed, table, m), own, k, m, allowed) for m in METRICS},
        shift=record.delta_norm,
    )


def embedded(subject: Subject, record: AttackRecord, k: int = 5, whole: bool = False) -> Nearest:
    """The same where the first layer reads: every candidate is embedded at every position.

    BERT and its kin add a position and a type to a word vector and normalise the sum, so a distance
    between raw rows is not one that their layers see. `clean` is empty where a model has no such
    stage.
    """
    victim, own = subject.victim, subject.batch.input_ids[0]
    allowed = candidates(victim, whole)
    module = entrance(victim)
    T = len(own)
    if module is None:
        note = _(
            "This model hands word vectors to its first layer as they are, or with a "
            "position added to all candidates alike, which changes no distance: there "
            "is no second space to search."
        )
        return Nearest(_(ENTERED), {}, {}, np.zeros(T), note)
    with torch.no_grad():
        versions = module(
            input_ids=None, inputs_embeds=torch.stack(_versions(subject, record))
        )  # (2,T,D)
        found: dict[Metric, list[Tensor]] = {m: [] for m in METRICS}
        size = max(NUMBERS // (T * victim.table.shape[1]), 1)
        for rows in victim.table.split(size):
            # a row at every position at once: what comes out at t is that row embedded at t
            there = module(
                input_ids=None, inputs_embeds=rows.unsqueeze(1).expand(-1, T, -1)
            )  # (N,T,D)
            for m in METRICS:
                found[m].append(_scores_at(versions, there, m))
    all_scores: dict[Metric, Tensor] = {
        m: torch.cat(parts, -1) for m, parts in found.items()
    }  # (2,T,V)

    def neighbours(which: int) -> Mapping[str, Neighbours]:
        return {m: _neighbours(victim, s[which], own, k, m, allowed) for m, s in all_scores.items()}

    shift = (versions[1] - versions[0]).norm(dim=-1)
    return Nearest(_(ENTERED), neighbours(0), neighbours(1), shift.cpu().numpy())


def candidates(victim: Victim, whole: bool = False) -> Tensor:
    """(V,) bool: the rows that a vector may be read as. `whole`: only those that are words.

    A word begins one (in byte-level and SentencePiece vocabularies, with their mark of a space) and
    has a letter or a digit.
    """
    if not whole:
        return victim.ordinary
    tokens = victim.tokenizer.convert_ids_to_tokens(list(range(len(victim.table))))
    spaced = any(t is not None and t[:1] in "Ġ▁" and len(t) > 1 for t in tokens)
    words = [
        t is not None and (not spaced or t[:1] in "Ġ▁") and any(c.isalnum() for c in t.lstrip("Ġ▁"))
        for t in tokens
    ]
    kept = (victim.kinds == 1) & torch.tensor(words, device=victim.device)
    return kept if int(kept.sum()) > 1 else victim.ordinary


def entrance(victim: Victim) -> Any | None:
    """The module that adds positions and normalises before the first layer, if there is one.

    It must take each position by itself, or a candidate could not be judged apart from the others.
    """
    module = getattr(getattr(victim.model, "base_model", victim.model), "embeddings", None)
    if not isinstance(module, torch.nn.Module):
        return None
    rows = victim.table[:2]
    try:
        with torch.no_grad():
            alike = module(input_ids=None, inputs_embeds=rows.unsqueeze(1).expand(-1, 2, -1))
            mixed = module(input_ids=None, inputs_embeds=rows.unsqueeze(0))[0]
    except (TypeError, ValueError, RuntimeError):
        return None
    apart = torch.stack([alike[0, 0], alike[1, 1]])
    return module if torch.allclose(apart, mixed, rtol=1e-4, atol=1e-5) else None


def _versions(subject: Subject, record: AttackRecord) -> tuple[Tensor, Tensor]:
    """(T,D) clean and perturbed word vectors."""
    clean = subject.embeds[0]
    return clean, clean + torch.as_tensor(record.delta).to(clean)


def _scores_at(x: Tensor, there: Tensor, metric: Metric) -> Tensor:
    """x (2,T,D) against candidates (N,T,D) of each position: (2,T,N)."""
    if metric == "l2":
        return torch.stack([(there - one).norm(dim=-1).T for one in x])
    if metric == "cosine":
        return 1 - _scores_at(F.normalize(x, dim=-1), F.normalize(there, dim=-1), "dot")
    return torch.einsum("btd,ntd->btn", x, there)


def _neighbours(
    victim: Victim, found: Tensor, own: Tensor, k: int, metric: Metric, allowed: Tensor
) -> Neighbours:
    """Scores (T,V) as a record."""
    ids, values, rank, margin = ranked(found, own, allowed, k, metric)
    return Neighbours(
        metric=metric,
        tokens=tuple(tuple(victim.vocabulary.texts(row)) for row in ids.tolist()),
        ids=ids.cpu().numpy(),
        scores=values.cpu().numpy(),
        own_rank=rank.cpu().numpy(),
        margin=margin.cpu().numpy(),
        excluded=int((~allowed).sum()),
        own_score=found.gather(1, own.unsqueeze(1))[:, 0].cpu().numpy(),
    )
