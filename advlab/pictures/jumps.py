"""How an attack changed an answer that is a text, in a sentence; one function a task."""

from __future__ import annotations

from collections.abc import Callable

from advlab.language import _, n_
from advlab.pictures import spans
from advlab.pictures.chips import aligned, cut
from advlab.pictures.wording import named, said
from advlab.records import AttackRecord


def jump(record: AttackRecord) -> str:
    """What became of the answer; empty where it stayed, or where answers are names."""
    if named(record) or record.clean.answers[0] == record.attacked.answers[0]:
        return ""
    return JUMPS.get(str(record.task["name"]), replaced)(record)


def replaced(record: AttackRecord) -> str:
    """One answer in place of another, for any task."""
    before, after = (said(record, r.answers[0]) for r in (record.clean, record.attacked))
    return _("Under attack {before} becomes {after}.", before=before, after=after)


def words(record: AttackRecord) -> str:
    """The first word of the answer that changed, and how many did; signs where no blanks part words."""
    old, new = cut(record.clean.answers[0], record.attacked.answers[0])
    pairs = aligned(old, new)
    changed = [k for k, (i, j) in enumerate(pairs) if i is None or j is None or old[i] != new[j]]
    if not changed or not old or not new:
        return replaced(record)
    i, j = pairs[changed[0]]
    was, now = None if i is None else old[i], None if j is None else new[j]
    place = 1 + sum(j is not None for __, j in pairs[: changed[0]])
    told = (
        _("‘{was}’ becomes ‘{now}’", was=was, now=now)
        if was and now
        else _("‘{was}’ goes", was=was)
        if was
        else _("‘{now}’ comes in", now=now)
    )
    rest = len(changed) - 1
    more = n_("; {n} more follows", "; {n} more follow", rest) if rest else ""
    return _(
        "The first change is at place {place} of the answer: {told}{more}.",
        place=place,
        told=told,
        more=more,
    )


JUMPS: dict[str, Callable[[AttackRecord], str]] = {
    "qa": spans.jump,
    "translation": words,
    "dialogue": words,
}
