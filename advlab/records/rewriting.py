"""A text that was rewritten so that a model answers otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rewriting:
    """What an attack on text came to, S steps on."""

    text: str  # rewritten
    added: str  # what it has that the text before had not
    before: str  # the answer to the text as it was
    answer: str  # to the text as it is now
    target: str  # the answer that was wanted
    met: bool
    losses: tuple[float, ...]  # S+1 of the target, nats: of the best text so far, never rising
    queries: int  # texts that the model was asked about
