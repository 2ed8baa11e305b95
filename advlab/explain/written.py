"""What is written under each δ, token by token: how unlikely every token of an answer was to its model.

A reading tells the nats of the reference and of the answer that must stand. An attacked model writes
something else, so here each version's own answer is put where the reference was and read again, under
the same δ on the text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from advlab.errors import SettingError, unknown
from advlab.explain.subject import CHUNK, Subject
from advlab.language import _
from advlab.records import AttackRecord, Written
from advlab.tasks.base import Writes, carried


def written(subject: Subject, record: AttackRecord, along: str = "eps") -> Written:
    """The answers at each ε of the record's curve, in order.

    `along` "steps" are those at each kept step instead, "attack" the one under the attack's own δ.
    SettingError where none is written.
    """
    if not isinstance(subject.victim.task, Writes):
        raise SettingError(
            _(
                "expected a model that writes its answers token by token, got one of "
                "{title}; ask for what it reads",
                title=subject.victim.task.title.lower(),
            )
        )
    if along not in SERIES:
        raise SettingError(unknown(_("series of δ"), along, SERIES))
    found, answers = SERIES[along](record)
    assert found is not None, _("expected a curve with its δ, got one without")
    # the text as it is comes first: a series may begin with a random δ
    deltas = torch.as_tensor(np.concatenate([0 * found[:1], found])).to(subject.embeds)
    answers = (record.clean.answers[0], *answers)
    told: dict[int, tuple[tuple[str, ...], np.ndarray]] = {}
    for answer in dict.fromkeys(answers):
        rows = [n for n, other in enumerate(answers) if other == answer]
        told |= dict(zip(rows, _told(subject, deltas[rows], answer), strict=True))
    pieces, nats = zip(*(told[n] for n in range(len(answers))), strict=True)
    return Written(answers[1:], pieces[1:], nats[1:], pieces[0])


def _kept(record: AttackRecord) -> tuple[np.ndarray, tuple[str, ...]]:
    return record.path, record.steps.take(record.path_steps).answers


# what δ (N,T,D) may follow, with the answers (N) under each
SERIES: dict[str, Callable[[AttackRecord], tuple[np.ndarray | None, tuple[str, ...]]]] = {
    "eps": lambda record: (record.curve.deltas, record.curve.attacked.answers),
    "steps": _kept,
    "attack": lambda record: (record.delta[None], record.attacked.answers),
}


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
