"""How an answer is called in a sentence: a name stands as it is, a text in quotes and shortened."""

from __future__ import annotations

from collections.abc import Sequence

from advlab.language import _, listing
from advlab.pictures.style import LONGEST, short, side
from advlab.records import AttackRecord, Reading
from advlab.records.examples import NO_ANSWER


def named(record: AttackRecord) -> bool:
    """Whether the parts of its readings are the shares of named answers."""
    return set(record.clean.answers) <= set(record.clean.parts)


def written(record: AttackRecord) -> bool:
    """Whether its answers are written token by token, so that what is sure is so per token."""
    return tells_tokens(record.clean)


def tells_tokens(reading: Reading) -> bool:
    """Whether a reading is of answers that are written token by token."""
    return "nats" in reading.parts


def said(record: AttackRecord, answer: str, limit: int = LONGEST) -> str:
    """An answer of a record within a sentence."""
    if answer == NO_ANSWER:
        return _(NO_ANSWER)
    if named(record):
        return answer
    return f"“{short(answer, limit)}”" if answer.strip() else _("nothing")


def reference_of(record: AttackRecord, limit: int = LONGEST) -> str:
    """The answer whose loss the attack raises."""
    return said(record, record.reference, limit)


def chance_of(records: Sequence[AttackRecord]) -> str:
    """What a score is: ‘Probability of positive’, of a written answer per token."""
    names = [reference_of(r) for r in records]
    told = (
        names[0]
        if len(set(names)) == 1
        else listing(f"{n} ({side(i)})" for i, n in enumerate(names))
    )
    if written(records[0]):
        return _("Probability per token of {told}", told=told)
    return _("Probability of {told}", told=told)


def listed(names: Sequence[str]) -> str:
    """‘a, b and c’."""
    if len(names) < 2:
        return "".join(names)
    return _("{first} and {last}", first=listing(names[:-1]), last=names[-1])


def goal_named(goal: str) -> str:
    """A goal as people read it."""
    name, _colon, words = goal.partition(":")
    return {
        "other": _("no word of the answer stays in its place"),
        "keyword": _("‘{words}’ appears in the answer", words=words.strip()),
    }.get(name, goal)
