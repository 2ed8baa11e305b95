"""What is said of many replies at once: perplexity, how many change, how varied they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from advlab.language import _
from advlab.records import Estimate, Example
from advlab.records.estimates import share_of
from advlab.records.script import pieces
from advlab.tasks.quoted import Figure, Said


def perplexity(nats: Sequence[float] | np.ndarray, tokens: Sequence[int] | np.ndarray) -> float:
    """exp of all nats over all tokens, the ends among them; `nats` are means over each reply.

    Per token of one tokenizer: not to be compared between tokenizers.
    """
    return math.exp(min(float(np.dot(nats, tokens)) / max(int(np.sum(tokens)), 1), 700.0))


def perplexity_of(said: Sequence[Said]) -> Figure:
    """Of the known replies."""
    nats, tokens = np.array([s.nats for s in said]), np.array([s.tokens for s in said])
    return Figure(
        "perplexity",
        lambda places: perplexity(nats[places], tokens[places]),
        "",
        _("of the known reply, a token of the model's own tokenizer"),
        lower=True,
    )


def bits_of(said: Sequence[Said], examples: Sequence[Example]) -> Figure:
    """Bits a character of the known replies: what perplexity says, whatever the tokenizer."""
    nats = np.array([s.nats * s.tokens for s in said])
    letters = np.array([len(e.answer or "") for e in examples])

    def of(places: np.ndarray) -> float:
        return float(nats[places].sum() / math.log(2) / max(letters[places].sum(), 1))

    return Figure(_("bits a character"), of, "", _("of the known reply"), lower=True)


def distinct_of(said: Sequence[Said], examples: Sequence[Example]) -> Figure:
    """distinct-2 of as many words for every model and every ε: half of those of the known replies.

    Without an interval: a reply that is drawn twice repeats itself, so a bootstrap says nothing of it.
    """
    replies = [s.answer for s in said]
    words = sum(len(pieces(e.answer or "")) for e in examples) // 2
    return Figure(
        "distinct-2",
        lambda places: distinct([replies[i] for i in places], 2, words),
        "",
        _("different pairs of words among the first {words} words", words=words),
        drawn=False,
    )


def flip_rate(clean: Sequence[str], attacked: Sequence[str]) -> Estimate:
    """The share of replies that are no longer what they were."""
    return share_of([a != b for a, b in zip(clean, attacked, strict=True)])


def distinct(replies: Sequence[str], n: int, words: int | None = None) -> float:
    """Different n-grams over all n-grams of the replies (distinct-n, Li et al. 2016, 1510.03055).

    It falls with the number of words, so compare at the same: the first `words` of them.
    """
    seen: list[tuple[str, ...]] = []
    left = words if words is not None else sum(len(pieces(r)) for r in replies)
    for reply in replies:
        said = pieces(reply)[: max(left, 0)]
        left -= len(said)
        seen += zip(*(said[i:] for i in range(n)), strict=False)
    return len(set(seen)) / max(len(seen), 1)
