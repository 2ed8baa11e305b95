"""One thing to look at next, made from the record: for each view a sentence and where it leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advlab.language import N_, _
from advlab.pictures.sentences import at_eps, exit_share, number, percent
from advlab.pictures.style import side
from advlab.pictures.wording import reference_of
from advlab.records import AttackRecord, Moment, Saliency


@dataclass(frozen=True)
class Look:
    """What to look at, in plain text, and the view where it is seen; none where it is this one."""

    text: str
    view: str = ""


STILL = Look(N_("δ is zero here: raise ε, choose another attack or free some words."))


def after_overview(records: Sequence[AttackRecord]) -> Look:
    """The word whose vector moved furthest, of the model that flips first."""
    i = _weakest(records)
    found = _furthest(records[i])
    if found is None:
        return _still(records)
    size = number(float(records[i].delta_norm[found]) / records[i].scale.mean_norm)
    return _word_in(
        _("Geometry"),
        records[i].tokens[found],
        _("its vector moved furthest{of}, {size} × mean norm.", of=_of(records, i), size=size),
    )


def after_perturbation(records: Sequence[AttackRecord]) -> Look:
    """The token that is nearest to becoming another."""
    i, t, share = _closest(records)
    if t is None:
        return _still(records)
    name = records[i].tokens[t]
    if share >= 1:
        other = records[i].neighbours.tokens[t][0]
        return _word_in(
            _("Projection"),
            name,
            _("it reads as ‘{other}’ now{of}.", other=other, of=_of(records, i)),
        )
    return _word_in(
        _("Projection"),
        name,
        _(
            "at {percent} of the way it is the closest to becoming another word{of}.",
            percent=percent(share),
            of=_of(records, i),
        ),
    )


def after_geometry(records: Sequence[AttackRecord]) -> Look:
    """Whether the model looks where δ is longest."""
    i = _weakest(records)
    word = _word(records[i])
    if word is None:
        return _still(records)
    return _word_in(
        _("Saliency"),
        records[i].words[word],
        _("δ is longest there{of}; does the model look there too?", of=_of(records, i)),
    )


def after_saliency(records: Sequence[AttackRecord], maps: Sequence[Saliency]) -> Look:
    """The word that counts most, beside the one that the attack moves furthest."""
    i = _weakest(records)
    values, word = np.abs(np.nan_to_num(maps[i].clean.words)), _word(records[i])
    if word is None or not len(values) or not values.any():
        return _still(records)
    most = int(values.argmax())
    name, moved = records[i].words[most], records[i].words[word]
    if name == moved:
        return _word_in(
            _("Geometry"),
            name,
            _("it counts most and the attack moves it furthest{of}.", of=_of(records, i)),
        )
    return _word_in(
        _("Perturbation"),
        moved,
        _(
            "the attack moves it furthest{of}, though ‘{name}’ counts most.",
            of=_of(records, i),
            name=name,
        ),
    )


def after_projection(records: Sequence[AttackRecord]) -> Look:
    """A word that was replaced, else the one that would be first."""
    i, t, share = _closest(records)
    if t is None or share <= 0:
        return _still(records)
    name = records[i].tokens[t]
    if share >= 1:
        other = records[i].neighbours.tokens[t][0]
        return _word_in(
            _("Saliency"),
            name,
            _("does it count as much as ‘{other}’ does{of}?", other=other, of=_of(records, i)),
        )
    return _word_in(
        _("Geometry"),
        name,
        _(
            "with δ {share} times as long it is the first to become another word{of}.",
            share=number(1 / share),
            of=_of(records, i),
        ),
    )


def after_training(names: Sequence[str], lapses: Sequence[Sequence[Moment]]) -> Look:
    """The epoch after which the attacked sentence changed most."""
    best: tuple[float, int, int] | None = None
    for i, lapse in enumerate(lapses):
        scores = [float(m.record.attacked.score[0]) for m in lapse]
        for k, rise in enumerate(np.abs(np.diff(scores)), start=1):
            if best is None or rise > best[0]:
                best = (float(rise), i, k)
    if best is None:
        return Look("")
    __, i, k = best
    before, after = lapses[i][k - 1].record, lapses[i][k].record
    whose = _(" of {names}", names=names[i]) if len(lapses) > 1 else ""
    return Look(
        _(
            "Look at epoch {epoch}{whose}: there {reference} under attack changed "
            "most, from {before} to {after}.",
            epoch=lapses[i][k].epoch,
            whose=whose,
            reference=reference_of(after),
            before=percent(float(before.attacked.score[0])),
            after=percent(float(after.attacked.score[0])),
        )
    )


def after_data(records: Sequence[AttackRecord]) -> Look:
    """The capsule that is most worth keeping."""
    i = _weakest(records)
    record, flip = records[i], records[i].curve.flip_eps
    whose = _(" of {side}", side=side(i)) if len(records) > 1 else ""
    if flip is None or not record.right:
        return Look(
            _("Keep the capsule{whose}, and open it on another machine to verify it.", whose=whose)
        )
    return Look(
        _(
            "Keep the capsule{whose}: a flip at {at_eps} is a claim that another "
            "machine can verify.",
            whose=whose,
            at_eps=at_eps(flip, record),
        )
    )


def _word_in(view: str, word: str, why: str) -> Look:
    return Look(_("Look at ‘{word}’ in {view}: {why}", word=word, view=view, why=why), view)


def _weakest(records: Sequence[AttackRecord]) -> int:
    """Whose δ is not zero and whose answer flips at the smallest ε; the first where none does."""

    def rank(i: int) -> tuple[bool, float]:
        flip = records[i].curve.flip_eps
        size = np.inf if flip is None else flip / records[i].scale.mean_norm
        return not (records[i].delta_norm > 0).any(), size

    return min(range(len(records)), key=rank)


def _furthest(record: AttackRecord) -> int | None:
    """The token with the longest δ."""
    return int(record.delta_norm.argmax()) if (record.delta_norm > 0).any() else None


def _word(record: AttackRecord) -> int | None:
    """The word with the longest δ."""
    t = _furthest(record)
    return int(record.word_of[t]) if t is not None and record.word_of[t] >= 0 else None


def _closest(records: Sequence[AttackRecord]) -> tuple[int, int | None, float]:
    """Model, token and share of the way of what is nearest to becoming another token."""
    tops = [float(exit_share(record).max(initial=0.0)) for record in records]
    i = int(np.argmax(tops))
    return i, int(exit_share(records[i]).argmax()) if tops[i] > 0 else None, tops[i]


def _of(records: Sequence[AttackRecord], i: int) -> str:
    return _(" in {side}", side=side(i)) if len(records) > 1 else ""


def _still(records: Sequence[AttackRecord]) -> Look:
    if any(record.stuck for record in records):
        return Look(
            _("Look at the film in Perturbation: no step moved δ, since no gradient came."),
            _("Perturbation"),
        )
    return STILL
