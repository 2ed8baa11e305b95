"""What is said of many replies at once: perplexity, how many change, how varied they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from advlab.records import Estimate
from advlab.records.estimates import share_of


def perplexity(nats: Sequence[float], tokens: Sequence[int]) -> float:
    """exp of all nats over all tokens, the ends among them; `nats` are means over each reply.

    Per token of one tokenizer: not to be compared between tokenizers.
    """
    total = sum(mean * n for mean, n in zip(nats, tokens, strict=True))
    return math.exp(min(total / max(sum(tokens), 1), 700.0))


def flip_rate(clean: Sequence[str], attacked: Sequence[str]) -> Estimate:
    """The share of replies that are no longer what they were."""
    return share_of([a != b for a, b in zip(clean, attacked, strict=True)])


def distinct(replies: Sequence[str], n: int, words: int | None = None) -> float:
    """Different n-grams over all n-grams of the replies (distinct-n, Li et al. 2016, 1510.03055).

    It falls with the number of words, so compare at the same: the first `words` of them.
    """
    seen: list[tuple[str, ...]] = []
    left = words if words is not None else sum(len(r.split()) for r in replies)
    for reply in replies:
        said = reply.split()[: max(left, 0)]
        left -= len(said)
        seen += zip(*(said[i:] for i in range(n)), strict=False)
    return len(set(seen)) / max(len(seen), 1)
