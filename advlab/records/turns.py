"""A history as text: one turn a line, each behind its speaker. What is said, by whom, and where.

User: i need a ticket.
Bot: from which city?
User: from bern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

USER, BOT = "User", "Bot"
MARK = re.compile(rf"^[ \t]*({USER}|{BOT}):", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Turn:
    """What one of the two said, and where it begins in the text, in characters."""

    speaker: str  # USER or BOT
    text: str
    start: int


def turns_of(text: str) -> list[Turn]:
    """The turns of a history; what stands before the first mark was said by the user.

    Empty turns are none.
    """
    marks = [(m.start(), m.end(), m[1].capitalize()) for m in MARK.finditer(text)]
    if not marks or marks[0][0] > 0:
        marks.insert(0, (0, 0, USER))
    ends = [start for start, _, _ in marks[1:]] + [len(text)]
    found = []
    for (_, start, speaker), end in zip(marks, ends, strict=True):
        said = text[start:end]
        if said.strip():
            found.append(Turn(speaker, said.strip(), start + len(said) - len(said.lstrip())))
    return found


def written(turns: Sequence[str], first: str = USER) -> str:
    """What two speakers said in alternation, `first` the first, as the text of a history."""
    other = BOT if first == USER else USER
    return "\n".join(f"{(first, other)[i % 2]}: {turn}" for i, turn in enumerate(turns))
