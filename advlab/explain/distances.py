"""Distances as δ grows, and where all of this lies in the vocabulary: what a flat map cannot show."""

from __future__ import annotations

import numpy as np
import torch

from advlab.errors import SettingError
from advlab.explain.nearest import first_exit, scores
from advlab.explain.plane import upright
from advlab.explain.subject import Subject
from advlab.language import _
from advlab.records import AttackRecord, Distances, Map

SAMPLE = 1500  # words of the vocabulary on the map


def distances(
    subject: Subject, record: AttackRecord, token: int, rivals: int = 10, points: int = 61
) -> Distances:
    """Distance of eᵢ + t·δᵢ from the token's own row (t‖δᵢ‖) and from its rivals, t from 0.

    Rivals are the rows nearest to the token and the one behind its exit. t ends past the exit, at most
    at 1000, and not before 2. SettingError for a token that was not perturbed.
    """
    victim, own = subject.victim, int(subject.batch.input_ids[0, token])
    table, allowed = victim.table, victim.ordinary
    delta = torch.as_tensor(record.delta[token]).to(subject.embeds)
    length = float(delta.norm())
    if length == 0:
        raise SettingError(
            _(
                "expected a perturbed token, got ‘{tokens}’, which was not; choose another",
                tokens=record.tokens[token],
            )
        )
    apart = scores(table[own].unsqueeze(0), table, "l2")[0]
    usable = allowed.clone()
    usable[own] = False
    near = apart.masked_fill(~usable, torch.inf).topk(min(rivals, int(usable.sum())), largest=False)
    rows = near.indices.tolist()
    radius, behind = first_exit(
        torch.tensor([own], device=table.device),
        delta.unsqueeze(0),
        table,
        allowed,
        apart.unsqueeze(0),
    )
    leaves = float(radius[0]) / length
    if np.isfinite(leaves) and int(behind[0]) not in rows:
        rows = [int(behind[0]), *rows[:-1]]
    t = torch.linspace(
        0, min(max(2.0, 1.25 * leaves) if np.isfinite(leaves) else 2.0, 1000.0), points
    )
    moved = table[own] + t.to(delta).unsqueeze(1) * delta  # (N,D)
    far = torch.cdist(table[rows], moved, compute_mode="donot_use_mm_for_euclid_dist")
    return Distances(
        token=token,
        t=t.numpy(),
        own=(t * length).numpy(),
        rivals=tuple(victim.vocabulary.texts(rows)),
        far=far.cpu().numpy(),
        exit=leaves,
        becomes=victim.vocabulary.texts([int(behind[0])])[0] if np.isfinite(leaves) else "",
    )


def vocabulary_map(subject: Subject, record: AttackRecord) -> Map:
    """The two main axes of the ordinary vocabulary (PCA), the sentence in them, and what they hide.

    Context only: `energy` is the share of ‖δ‖² that lies in these two axes.
    """
    victim = subject.victim
    words = victim.table[victim.ordinary]
    centre = words.mean(0)
    spread = words - centre
    values, vectors = torch.linalg.eigh((spread.T @ spread).double())
    axes = upright(vectors[:, -2:].flip(1)).to(words)  # (D,2)
    delta = torch.as_tensor(record.delta).to(words)
    places = (subject.embeds[0] - centre) @ axes
    dice = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(words), generator=dice)[:SAMPLE].to(words.device)
    whole = float(delta.pow(2).sum())
    return Map(
        words=(spread[drawn] @ axes).cpu().numpy(),
        tokens=places.cpu().numpy(),
        moved=(places + delta @ axes).cpu().numpy(),
        energy=float((delta @ axes).pow(2).sum()) / whole if whole > 0 else 0.0,
        variance=float(values[-2:].sum() / values.sum()),
    )
