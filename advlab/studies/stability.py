"""Over-stability beside over-sensitivity: does a model's answer change when it should, and only then?

A model that adversarial training has taught to ignore small changes may ignore those that matter: so
both are measured on the same examples (Niu and Bansal 2018, arXiv:1809.02079). Departure: the edits
are a corpus's own, whose right answers are known, where the paper negates and replaces by antonyms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from advlab.attacks.batches import by_length
from advlab.errors import DataError
from advlab.language import _
from advlab.records import Example
from advlab.records.contrasts import Contrast, Stability
from advlab.records.estimates import share_of

if TYPE_CHECKING:
    from advlab.model.victim import Victim


def stability(victim: Victim, contrasts: Sequence[Contrast], batch_size: int = 128) -> Stability:
    """Ask a model about both sides of each contrast. DataError where there is none."""
    if not contrasts:
        raise DataError(_("expected some edited examples, got none; choose data that knows edits"))
    before, said = (
        _answers(victim, [getattr(c, side) for c in contrasts], batch_size)
        for side in ("before", "after")
    )

    def right(answers: Sequence[str], side: str) -> np.ndarray:
        found = zip(answers, contrasts, strict=True)
        return np.array([_is_right(victim, a, getattr(c, side)) for a, c in found])

    known, after = right(before, "before"), right(said, "after")
    stale = right(said, "before")  # what was right before is said again
    changes = np.array([c.changes for c in contrasts])
    edits = sorted({c.edit for c in contrasts})
    of = {name: np.array([c.edit == name for c in contrasts]) for name in edits}
    return Stability(
        victim.name,
        right=share_of(known),
        over_stable=share_of(stale[known & changes]),
        followed=share_of(after[known & changes]),
        over_sensitive=share_of(~after[known & ~changes]),
        by_edit=tuple((name, share_of(~after[known & of[name]])) for name in edits),
    )


def _is_right(victim: Victim, answer: str, example: Example) -> bool:
    return victim.task.quality(answer, example)["exact"] == 1


def _answers(victim: Victim, examples: Sequence[Example], size: int) -> list[str]:
    examples = [replace(e, answers=(), place=None) for e in examples]
    found = [""] * len(examples)
    with victim.analysing():
        for places, batch in by_length(victim, examples, size):
            for place, answer in zip(
                places, victim.answers(victim.embed(batch), batch), strict=True
            ):
                found[place] = answer
    return found
