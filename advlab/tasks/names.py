"""Which of a head's answers are which of a data set's: one mapping of names, told where they differ.

Two sides name the same answers when their sets are equal, but for order, capitals and blanks; when both
are numbers (LABEL_1 and 1 are; negative and 差评 are 0, positive and 好评 1, as data sets of opinions
have it); and when one side has numbers from 0 alone, which then count the other side's names in their
order. Nothing is guessed from what a model predicts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from advlab.language import _

SIGNS = {"neg": 0, "negative": 0, "差评": 0, "pos": 1, "positive": 1, "好评": 1}
_NUMBER = re.compile(r"(?:label[_ -]?)?(\d{1,6})")


def named_alike(
    head: Sequence[str], names: Sequence[str], *, part: bool = False
) -> tuple[str, ...] | None:
    """The head's answers, in its order, called as in `names`; None where these do not fit.

    With `part`, as for texts that are only measured, `names` may lack some, which keep their own.
    """
    for key in (str, _folded, _number):
        found = _by(key, head, names)
        if found is not None and (part or len(names) == len(head)):
            return found
    if len(head) != len(names):
        return None
    own, others = _counted(head), _counted(names)
    if own and not others:  # the head's numbers count the names
        return tuple(names[i] for i in own)
    if others and not own:
        return tuple(names[others.index(i)] for i in range(len(head)))
    return None


def own_name(head: Sequence[str], name: str) -> str | None:
    """What a head calls the answer that is called `name` elsewhere; None where it has no such one."""
    found = named_alike(head, (name,), part=True)
    return head[found.index(name)] if found else None


def told(head: Sequence[str], names: Sequence[str]) -> str:
    """For people: which answer of a head is read as which name; empty where all are called alike."""
    pairs = [
        _("{own} is {name}", own=own, name=name)
        for own, name in zip(head, names, strict=True)
        if own != name
    ]
    return _("classes by name: {pairs}", pairs=", ".join(pairs)) if pairs else ""


def _by(
    key: Callable[[str], object], head: Sequence[str], names: Sequence[str]
) -> tuple[str, ...] | None:
    """The head with each name put in its answer's place, matched by what `key` makes of both."""
    own = {key(answer) for answer in head}
    by = {key(name): name for name in names}
    if None in by or len(own) < len(head) or len(by) < len(names) or not by.keys() <= own:
        return None
    return tuple(by.get(key(answer), answer) for answer in head)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _number(name: str) -> int | None:
    return SIGNS.get(_folded(name), _counting(name))


def _counting(name: str) -> int | None:
    match = _NUMBER.fullmatch(_folded(name))
    return int(match[1]) if match else None


def _counted(side: Sequence[str]) -> list[int]:
    """The numbers of names that are 0 … C−1 in some order; empty for others."""
    found = [n for n in map(_counting, side) if n is not None]
    return found if sorted(found) == list(range(len(side))) else []
