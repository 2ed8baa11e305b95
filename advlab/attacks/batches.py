"""Many texts as batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from advlab.records import Example

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


def by_length(
    victim: Victim, examples: Sequence[Example], size: int
) -> Iterator[tuple[list[int], Batch]]:
    """Batches of similar length, with the places of their examples in the given order."""
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].text))
    for start in range(0, len(order), size):
        places = order[start : start + size]
        yield places, victim.encode([examples[i] for i in places])
