"""From vectors back to text: the nearest rows, what they spell, and what the model says to either."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from advlab.explain.subject import Subject
from advlab.records import Reading


@dataclass(frozen=True)
class RoundTrips:
    """N versions of a text on their way back to text."""

    projected: Reading  # of the nearest rows, as vectors
    texts: tuple[str, ...]  # that the rows spell
    tokens: tuple[tuple[str, ...], ...]  # of these texts
    read: Reading  # of these texts


def round_trips(subject: Subject, ids: Tensor) -> RoundTrips:
    """The way back of the rows (N,T) that stand for a text's tokens, the shielded ones among them."""
    victim = subject.victim
    distinct, place = ids.unique(dim=0, return_inverse=True)  # many rows may spell the same
    rows = replace(subject.batch.repeat(len(distinct)), input_ids=distinct)
    texts = [victim.reader.retold(subject.tokens, row.tolist()) for row in distinct]
    again = victim.reader.tokens_of([replace(subject.example, text=text) for text in texts])
    tokens = [tuple(victim.vocabulary.texts(one.ids)) for one in again]
    order = place.tolist()
    return RoundTrips(
        subject.read(victim.embed(rows) - subject.embeds).take(order),
        tuple(texts[i] for i in order),
        tuple(tokens[i] for i in order),
        subject.rewritten(texts).take(order),
    )
