"""The sentence that each view opens with: its answer, from what was recorded. Plain text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advlab.language import _
from advlab.pictures.sentences import STUCK, at_eps, norm_share, number, percent, signed, unit_of
from advlab.pictures.through_training import flips_sentence
from advlab.pictures.wording import listed, said
from advlab.records import AttackRecord, Moment, Saliency, Surface

FEW = 3  # words that are named


def perturbation(record: AttackRecord) -> str:
    """On which words δ sits: the fewest that hold half of ‖δ‖²."""
    share = norm_share(record)
    free = int(record.perturbable.sum())
    if not share.any():
        return _(STUCK) if record.stuck else _("δ is zero: no word was moved.")
    order = (-share).argsort(kind="stable")
    half = int(np.searchsorted(share[order].cumsum(), 0.5)) + 1
    held = percent(float(share[order[:half]].sum()))
    if half == 1:
        return _(
            "One word holds {held} of ‖δ‖²: ‘{tokens}’.", held=held, tokens=record.tokens[order[0]]
        )
    if half <= FEW:
        names = listed([f"‘{record.tokens[t]}’" for t in order[:half]])
        return _(
            "{half} of {free} tokens hold {held} of ‖δ‖²: {names}.",
            half=half,
            free=free,
            held=held,
            names=names,
        )
    return _(
        "{half} of {free} tokens together hold half of ‖δ‖²; evenly spread it would take {even}.",
        half=half,
        free=free,
        even=-(-free // 2),
    )


def geometry(record: AttackRecord, found: Surface) -> str:
    """Where along δ the prediction changes, and how much of the ball beside it is read otherwise."""
    middle = int(np.abs(found.axis[found.rows]).argmin())
    ahead = found.axis >= 0
    over = np.flatnonzero(found.margin[middle][ahead] < 0)
    inside = found.share <= 1
    rest = percent(float((found.margin < 0)[inside].mean())) if inside.any() else _("none")
    name = said(record, record.clean.answers[0])
    if not len(over):
        way = _(
            "Straight along δ, up to {factor} × its length, it stays {name}",
            factor=number(float(found.axis[-1])),
            name=name,
        )
    elif over[0] == 0:
        way = _("The sentence itself stands beyond the boundary already")
    else:
        at = number(float(found.axis[ahead][over[0]]))
        way = _("Straight along δ the answer changes at about {at} × its length", at=at)
    return _(
        "{way}; {rest} of the ε ball in this picture is not {name}.", way=way, rest=rest, name=name
    )


def saliency(record: AttackRecord, found: Saliency) -> str:
    """Which word speaks most for what is explained, and which against it."""
    values = np.nan_to_num(found.clean.words.astype(float))
    if not len(values) or not values.any():
        return _("No word counts here: every value is 0.")
    unit = unit_of(found)
    top = int(values.argmax()) if found.signed else int(np.abs(values).argmax())
    name = f"‘{record.words[top]}’"
    if not found.signed:
        return _(
            "Most sensitive at {name} ({length} {unit}).",
            name=name,
            length=number(float(abs(values[top]))),
            unit=unit,
        )
    low = int(values.argmin())
    lead = _(
        "{name} speaks most for it ({signed} {unit})",
        name=name,
        signed=signed(float(values[top])),
        unit=unit,
    )
    worst = _(
        "‘{words}’ most against it ({signed})",
        words=record.words[low],
        signed=signed(float(values[low])),
    )
    if values[top] <= 0:
        return _("No word speaks for it; {worst}.", worst=worst)
    return (
        _("{lead}, {worst}.", lead=lead, worst=worst)
        if values[low] < 0
        else _("{lead}; no word speaks against it.", lead=lead)
    )


def projection(record: AttackRecord) -> str:
    """Whether the attack, read as text, is another sentence, and what the model says of that."""
    if not record.perturbable.any():
        return _("There is no word here that the attack may change.")
    read = record.round_trip
    says = f"{said(record, read.answers[0])} {percent(float(read.sure[0]))}"
    count = int(record.moved.sum())
    same = _letters(record.round_trip_text) == _letters(record.text)
    if not count:
        kept = _("Read as text it is still the same sentence")
        if not same:
            kept = _("Read as text no word is replaced, but it is written otherwise")
        back = _(", not what the attack made of the vectors") if record.flipped else ""
        if record.flipped and read.answers[0] == record.attacked.answers[0]:
            back = _(", as under attack")
        return _("{kept}: the model says {says}{back}.", kept=kept, says=says, back=back)
    many = _("1 word is replaced") if count == 1 else _("{count} words are replaced", count=count)
    flips = _("flipped") if read.broken[0] else _("not flipped")
    return _(
        "Read as text it is another sentence, {many}: the model says {says}, {flips}.",
        many=many,
        says=says,
        flips=flips,
    )


def training(lapse: Sequence[Moment]) -> str:
    """Whether training made the sentence harder to flip, first kept epoch against last."""
    first, last = lapse[0].record, lapse[-1].record
    if not first.right or not last.right:
        return flips_sentence(first, last)
    before, after = (
        float("inf") if r.curve.flip_eps is None else r.curve.flip_eps / r.scale.mean_norm
        for r in (first, last)
    )
    if before == after:
        return flips_sentence(first, last)
    told = flips_sentence(first, last)
    if after > before:
        return _("Training made it harder to flip. {told}", told=told)
    return _("Training made it easier to flip. {told}", told=told)


def data(record: AttackRecord, attack: str) -> str:
    """What has to be repeated, in a line. `attack`: its name, for people."""
    verdict = _("flips it") if record.flipped and record.right else _("does not flip it")
    return _(
        "{attack} at {at_eps}, seed {seed}, {verdict}: all that it takes to repeat this is here.",
        attack=attack,
        at_eps=at_eps(record.eps, record),
        seed=record.seed,
        verdict=verdict,
    )


def _letters(text: str) -> str:
    """A text without its blanks and its case, which many tokenizers do not keep."""
    return "".join(text.split()).casefold()
