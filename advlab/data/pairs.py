"""Tables whose label belongs to a pair of texts: one of the two alone does not say what it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advlab.language import _

PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("sentence_a", "sentence_b"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("query", "passage"),
    ("query", "document"),
    ("claim", "evidence"),
    ("headline", "body"),
    ("context", "response"),
    ("prompt", "response"),
)


def find_pair(columns: Sequence[str]) -> tuple[str, str] | None:
    """The two columns that are one pair of texts by their names; None where there are none."""
    known = {re.sub(r"[^a-z0-9]", "", column.lower()): column for column in reversed(columns)}
    for first, second in PAIRS:
        one, other = (known.get(name.replace("_", "")) for name in (first, second))
        if one is not None and other is not None:
            return one, other
    return None


def refusal(pair: tuple[str, str], name: str) -> str:
    """Why a table of pairs is not read, and the way out."""
    return _(
        "{name} holds pairs of texts, in columns {first!r} and {second!r}: its "
        "labels belong to both, and one text is read here. Choose the one to read "
        "as the text column (--text-column {first!r}), or join both in one column",
        name=name,
        first=pair[0],
        second=pair[1],
    )


def note(pair: tuple[str, str], text: str, name: str) -> str | None:
    """That the other text of a pair is not read; None where the text is no part of it."""
    if text not in pair:
        return None
    other = pair[1] if text == pair[0] else pair[0]
    return _(
        "{name} holds pairs of texts: {text!r} is read, as it was chosen, and "
        "{other!r} is not; what the labels say of both cannot be learned from one.",
        name=name,
        text=text,
        other=other,
    )
