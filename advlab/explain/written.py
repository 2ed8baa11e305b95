"""What is written at each ε, token by token: how unlikely every token of an answer was to its model.

A reading tells the nats of the reference and of the answer that must stand. An attacked model writes
something else, so here each version's own answer is put where the reference was and read again, under
the same δ on the text.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from advlab.errors import SettingError
from advlab.explain.subject import CHUNK, Subject
from advlab.records import AttackRecord, Written
from advlab.tasks.base import Writes, carried


def written(subject: Subject, record: AttackRecord) -> Written:
    """The answers at each ε of the record's curve, in its order. SettingError where none is written."""
    if not isinstance(subject.victim.task, Writes):
        raise SettingError(
            "expected a model that writes its answers token by token, got one of "
            f"{subject.victim.task.title.lower()}; ask for what it reads"
        )
    assert record.curve.deltas is not None, "expected a curve with its δ, got one without"
    deltas = torch.as_tensor(record.curve.deltas).to(subject.embeds)
    answers = record.curve.attacked.answers
    told: dict[int, tuple[tuple[str, ...], np.ndarray]] = {}
    for answer in dict.fromkeys(answers):
        rows = [n for n, other in enumerate(answers) if other == answer]
        told |= dict(zip(rows, _told(subject, deltas[rows], answer), strict=True))
    pieces, nats = zip(*(told[n] for n in range(len(answers))), strict=True)
    return Written(answers, pieces, nats)


def _told(
    subject: Subject, deltas: torch.Tensor, answer: str
) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """The pieces of one answer, and their nats under each of the δ (N,T,D)."""
    victim = subject.victim
    example = replace(subject.example, answers=(answer,), place=None)
    own = victim.task.encode([subject.tokens], [example], victim.reader).to(victim.device)
    clean, found = victim.embed(own).detach(), []
    for part in deltas.split(CHUNK):
        embeds = carried(subject.embeds + part, subject.batch, clean.expand(len(part), -1, -1), own)
        parts = victim.read(embeds, own).parts
        for ends, nats in zip(parts["ends"].tolist(), parts["nats"], strict=True):
            starts = [0, *ends[:-1]]
            pieces = [answer[a:b] for a, b in zip(starts, ends, strict=True)]
            # what a model reads before it writes, as the code of a language, is not wanted of it
            first = next((u for u, n in enumerate(nats) if n or ends[u]), len(ends))
            pieces, nats = pieces[first:], nats[first:]
            if ends[-1] < len(answer):  # read again it is more tokens than may be written
                pieces, nats = [*pieces, answer[ends[-1] :]], np.append(nats, np.nan)
            found.append((tuple(pieces), nats))
    return found
