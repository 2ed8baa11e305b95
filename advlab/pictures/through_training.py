"""One sentence through training, as a reel for the player and in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advlab.language import _
from advlab.pictures.reel import Chart, Chips, Mode, Panel, Reel, Series, chips_of
from advlab.pictures.sentences import exit_share, number, percent
from advlab.pictures.style import DASHES, SIDES, side
from advlab.pictures.tables import Columns
from advlab.pictures.wording import chance_of, listed, reference_of, said
from advlab.records import AttackRecord, Moment


def reel(
    names: Sequence[str], lapses: Sequence[Sequence[Moment]], sides: Sequence[int] | None = None
) -> Reel:
    """Runs over epochs on linked scales. Where a run has no such epoch, its last before stands.

    `sides` are the places of the runs among models A, B, C: one that has no epochs is left out here.
    """
    sides = range(len(names)) if sides is None else sides
    epochs = sorted({m.epoch for lapse in lapses for m in lapse})
    shown = [[_at(lapse, e) for e in epochs] for lapse in lapses]
    clean, hard, flips, gaps = [], [], [], []
    for i, name, row in zip(sides, names, shown, strict=True):
        flip = [_flip(m.record) for m in row]
        clean.append(_series(i, name, [float(m.record.clean.score[0]) for m in row]))
        hard.append(_series(i, name, [float(m.record.attacked.score[0]) for m in row]))
        flips.append(_series(i, name, flip))
        gaps.append(_series(i, name, [float(m.record.clean.margin[0]) for m in row]))
    ends = [float(m.record.curve.eps[-1]) / m.record.scale.mean_norm for row in shown for m in row]
    spans = [v for s in gaps for v in s.y if v is not None]
    low, high = min(*spans, 0.0), max(*spans, 0.0)
    chance = chance_of([row[0].record for row in shown])
    modes, bars = _bars(shown)
    chosen = [[m.epoch for m in lapse if m.chosen] for lapse in lapses]

    def keepers(epoch: int) -> list[str]:
        return [side(i) for i, found in zip(sides, chosen, strict=True) if epoch in found]

    opened = max((e for found in chosen for e in found), default=epochs[-1])
    return Reel(
        control=_("epoch"),
        labels=[_label(e, keepers(e)) for e in epochs],
        x=[float(e) for e in epochs],
        x_title=_("epoch"),
        start=epochs.index(opened),
        charts=(
            Chart(_("{chance}, clean", chance=chance), (0.0, 1.0), True, tuple(clean)),
            Chart(_("{chance}, attacked", chance=chance), (0.0, 1.0), True, tuple(hard)),
            Chart(
                _("Margin of the clean sentence (logits)"),
                (low - 0.05 * (high - low), high * 1.05),
                False,
                tuple(gaps),
            ),
            Chart(
                _(
                    "Smallest ε that flips (× mean norm; {most} where none was found)",
                    most=number(max(ends)),
                ),
                (0.0, 1.05 * max(ends) or 1.0),
                False,
                tuple(flips),
            ),
        ),
        modes=modes,
        panels=tuple(
            _panel(i, name, row, found)
            for i, name, row, found in zip(sides, names, shown, bars, strict=True)
        ),
    )


def _label(epoch: int, keepers: Sequence[str]) -> str:
    """An epoch in words, with the models whose run kept its weights."""
    name = _("after epoch {epoch}", epoch=epoch) if epoch else _("before training")
    return _("{name} (kept: {keepers})", name=name, keepers=listed(keepers)) if keepers else name


def _at(lapse: Sequence[Moment], epoch: int) -> Moment:
    before = [m for m in lapse if m.epoch <= epoch]
    return before[-1] if before else lapse[0]


def _flip(record: AttackRecord) -> float:
    """Smallest flipping ε, × mean norm; 0 where it is wrong already, the curve's end where none is."""
    if not record.right:
        return 0.0
    flip = record.curve.flip_eps
    end = float(record.curve.eps[-1])
    return (end if flip is None else flip) / record.scale.mean_norm


def _series(i: int, name: str, y: Sequence[float]) -> Series:
    colour, __, dash = SIDES[i]
    return Series(side(i, name), colour, DASHES[dash], [float(f"{v:.4g}") for v in y])


def _bars(
    shown: Sequence[Sequence[Moment]],
) -> tuple[tuple[Mode, ...], list[dict[str, np.ndarray]]]:
    """(F,T) a run: ‖δ‖, its share of the exit radius, and its word's attribution with its sign."""
    found = []
    for row in shown:
        words = []
        for m in row:
            places = m.record.word_of
            words.append([float(m.words[w]) if w >= 0 else 0.0 for w in places])
        found.append(
            {
                "raw": np.stack([m.record.delta_norm / m.record.scale.mean_norm for m in row]),
                "exit": np.stack([exit_share(m.record) for m in row]),
                "look": np.array(words),
            }
        )

    def top(key: str) -> float:
        return max(float(np.abs(bars[key]).max(initial=0.0)) for bars in found) or 1.0

    return (
        Mode("raw", "‖δ‖", top("raw"), False, _("× mean norm")),
        Mode("exit", _("share of exit radius"), top("exit"), True, _("of the way out")),
        Mode(
            "look",
            _("weight in the prediction"),
            top("look"),
            False,
            _("logits of margin, integrated gradients; − and pale: against the answer"),
        ),
    ), found


def _panel(i: int, name: str, row: Sequence[Moment], bars: dict[str, np.ndarray]) -> Panel:
    first = row[0].record
    keep = np.flatnonzero(first.perturbable)[:60]
    told = []
    for m in row:
        r = m.record
        told.append(
            _(
                "clean {clean} {clean_sure}, attacked {attacked} {attacked_sure}",
                clean=said(r, r.clean.answers[0]),
                clean_sure=percent(float(r.clean.sure[0])),
                attacked=said(r, r.attacked.answers[0]),
                attacked_sure=percent(float(r.attacked.sure[0])),
            )
        )
    return Panel(
        name=side(i, name),
        colour=SIDES[i][0],
        tokens=[first.tokens[t] for t in keep],
        fixed=[""] * len(keep),
        bars={
            key: [[float(f"{v:.4g}") for v in values] for values in rows[:, keep]]
            for key, rows in bars.items()
        },
        nearest=[
            [m.record.neighbours.tokens[t][0] if m.record.moved[t] else "" for t in keep]
            for m in row
        ],
        said=told,
        left_out=int(first.perturbable.sum()) - len(keep),
        chips=_chips(row),
    )


def _chips(row: Sequence[Moment]) -> Chips | None:
    """What each epoch writes under attack, against what it writes without; None for other answers."""
    told = [m.written for m in row if m.written is not None]
    return [chips_of(one)[0] for one in told] if len(told) == len(row) else None


def changed_sentence(lapse: Sequence[Moment]) -> str:
    """What training changed, first kept epoch against last."""
    first, last = lapse[0].record, lapse[-1].record
    words = lapse[-1].words - lapse[0].words if len(lapse[0].words) else np.zeros(0)
    most = (
        _(" The word that gained most weight is ‘{words}’.", words=last.words[int(words.argmax())])
        if len(words) and words.max() > 0
        else ""
    )
    start = (
        _("before training")
        if lapse[0].epoch == 0
        else _("after epoch {epoch}", epoch=lapse[0].epoch)
    )
    return _(
        "From {start} to epoch {epoch}, {reference} goes from {clean} to "
        "{clean_after} on the clean sentence and from {attacked} to {attacked_after} under "
        "attack.{most}{kept_sentence}",
        start=start,
        epoch=lapse[-1].epoch,
        reference=reference_of(last),
        clean=percent(float(first.clean.score[0])),
        clean_after=percent(float(last.clean.score[0])),
        attacked=percent(float(first.attacked.score[0])),
        attacked_after=percent(float(last.attacked.score[0])),
        most=most,
        kept_sentence=_kept_sentence(lapse),
    )


def _kept_sentence(lapse: Sequence[Moment]) -> str:
    """Which of the epochs the other views show, where it is not the last."""
    found = [m.epoch for m in lapse if m.chosen]
    if not found or found[-1] == lapse[-1].epoch:
        return ""
    return _(
        " The run keeps epoch {found}, the best on validation: the other views show that one.",
        found=found[-1],
    )


def flips_sentence(first: AttackRecord, last: AttackRecord) -> str:
    """How the smallest flipping ε changed; where none was found, that it does not flip up to which."""
    before, after = _flip(first), _flip(last)
    found = [_flips(record) for record in (first, last)]
    if all(found):
        return _(
            "The smallest ε that flips it goes from {before} to {after} × mean norm.",
            before=number(before),
            after=number(after),
        )
    if not any(found):
        return _(
            "Neither before nor after does it flip, up to ε = {after} × mean norm.",
            after=number(after),
        )
    if found[0]:
        return _(
            "Before, ε = {before} × mean norm flips it; after, it does not flip up to {after}.",
            before=number(before),
            after=number(after),
        )
    return _(
        "Before, it does not flip up to ε = {before} × mean norm; after, {after} flips it.",
        before=number(before),
        after=number(after),
    )


def _flips(record: AttackRecord) -> bool:
    """Whether there is an ε that makes it wrong, 0 among them."""
    return record.curve.flip_eps is not None or not record.right


def columns(lapse: Sequence[Moment]) -> Columns:
    """One row an epoch."""
    name = reference_of(lapse[-1].record)
    return {
        "epoch": [m.epoch for m in lapse],
        _("P({name}), clean", name=name): [float(m.record.clean.score[0]) for m in lapse],
        _("P({name}), attacked", name=name): [float(m.record.attacked.score[0]) for m in lapse],
        "margin, clean": [float(m.record.clean.margin[0]) for m in lapse],
        "flips at ε, × mean norm": [_flip(m.record) if _flips(m.record) else None for m in lapse],
        "largest ‖δ‖, × mean norm": [
            float(m.record.delta_norm.max()) / m.record.scale.mean_norm for m in lapse
        ],
        "tokens moved": [int(m.record.moved.sum()) for m in lapse],
    }
