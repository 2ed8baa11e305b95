"""What is `reviews` made of? Opinions on films, food, places, people and things, in two classes.

Written for advlab: nothing is quoted. Each text is one template filled with words (`words`), by rules
that make them agree (`rules`). Whether an adjective praises depends on its noun: cold beer and cold
soup, an unpredictable plot and unpredictable steering.

More than half of the texts are short and plain, as people type (`typed`). In most of the others
negation, contrast, concession or expectation decides (`kinds`), and counting words helps little.
Rebuild and print:

    python -c "from advlab.data.corpora import CORPORA; print(CORPORA['reviews'].build())"
"""

from __future__ import annotations

from dataclasses import replace

from advlab.data.grammar import Sentence, write
from advlab.data.reviews import kinds, typed
from advlab.data.reviews.rules import AMBIGUOUS, RULES
from advlab.data.reviews.words import DOMAINS, Aspect, Domain

__all__ = ["AMBIGUOUS", "DOMAINS", "Aspect", "Domain", "sentences"]


def sentences(seed: int = 2) -> list[Sentence]:
    """All texts in the order of their kinds, 0 = negative, 1 = positive."""
    plain = [replace(kind, finish=typed.as_typed) for kind in typed.KINDS]
    return write(RULES | typed.RULES, (*kinds.KINDS, *plain), 2, seed=seed)
