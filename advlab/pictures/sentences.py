"""What an `AttackRecord` says, in plain words: headline, findings, and one sentence per figure.

Takes a record, gives plain text: no markup, nothing escaped. Whoever draws it escapes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advlab.language import N_, _, in_a_row, listing
from advlab.pictures.jumps import jump
from advlab.pictures.style import UNITS
from advlab.pictures.wording import goal_named, named, reference_of, said, written
from advlab.records import AttackRecord, Saliency, Scale
from advlab.records.estimates import rank_correlation

STUCK = N_(
    "The attack could not begin: no gradient came, since the loss is flat here (where a model is this"
    " sure, it rounds to 0), and δ stayed where it was. That is no robustness. Try attacks that"
    " compare scores: Auto-PGD with the DLR loss, DeepFool or FMN."
)

NO_WORD = N_("No vector went far enough to become another word")


def number(value: float) -> str:
    """Two or three significant digits, no exponent for everyday sizes, a true minus sign."""
    if not np.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-3 or size >= 1e5:
        text = f"{value:.1e}"
    elif size >= 100:
        text = f"{value:.0f}"
    elif size >= 10:
        text = f"{value:.1f}"
    else:
        text = f"{value:.2f}" if size >= 0.1 else f"{value:.3f}" if size >= 0.01 else f"{value:.4f}"
    return text.replace("-", "−")


def alike(values: Sequence[float] | np.ndarray) -> list[str]:
    """Numbers of one strip, all with as many decimals as the largest needs for three digits."""
    sizes = [abs(float(v)) for v in values if np.isfinite(v)]
    top = max(sizes, default=0.0)
    places = int(np.clip(2 - np.floor(np.log10(top)), 0, 6)) if top > 0 else 0
    return [
        f"{float(v):.{places}f}".replace("-", "−") if np.isfinite(v) else number(float(v))
        for v in values
    ]


def percent(value: float) -> str:
    """A share as a percentage; extremes keep what tells them from 0 and 100."""
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return (
        f"{100 * value:.1f} %" if 0 < value < 0.01 or 0.99 < value < 1 else f"{100 * value:.0f} %"
    )


def units(raw: float, scale: Scale) -> str:
    """A length in all three units."""
    u = scale.units(raw)
    return _(
        "{raw} raw = {norm} × mean norm = {half_nn} × half nearest-neighbour distance",
        raw=number(u["raw"]),
        norm=number(u["norm"]),
        half_nn=number(u["half-nn"]),
    )


def at_eps(raw: float, record: AttackRecord) -> str:
    """‘ε = 0.25 × mean norm’: a raw radius in the unit that the attack was asked in."""
    unit = str(record.attack.get("unit", "norm"))
    return f"ε = {number(record.scale.units(raw)[unit])} {_(UNITS[unit])}"


def moved_words(record: AttackRecord, limit: int = 3) -> str:
    """The tokens that now stand nearest to another: ‘good’ → ‘bad’, … ; empty when none moved."""
    rows = np.flatnonzero(record.moved)
    pairs = [f"‘{record.tokens[t]}’ → ‘{record.neighbours.tokens[t][0]}’" for t in rows]
    more = _(" and {n_pairs} more", n_pairs=len(pairs) - limit) if len(pairs) > limit else ""
    return listing(pairs[:limit]) + more


def headline(record: AttackRecord) -> str:
    """What happened, in two or three sentences: the flip, and whether any of it is text."""
    if record.stuck and not record.flipped:
        return attack_sentence(record)
    return in_a_row(attack_sentence(record), text_sentence(record))


def attack_sentence(record: AttackRecord) -> str:
    """Whether and where the prediction flips."""
    name, clean = reference_of(record), record.clean
    before, after = float(clean.score[0]), float(record.attacked.score[0])
    if not record.perturbable.any():
        return _("There is no word here that the attack may change.")
    if record.stuck and not record.flipped and record.right:
        return _(STUCK)
    if record.goal:
        return goal_sentence(record)
    if record.attack.get("targeted"):
        met = record.attacked.answers[0] == record.reference or record.attacked.margin[0] > 0
        each = _(" per token") if written(record) else ""
        told = N_(
            "Does not reach the target {name} within {at_eps}: its probability{each} goes from"
            " {before} to {after}."
        )
        if met:
            told = N_(
                "Reaches the target {name} within {at_eps}: its probability{each} goes from"
                " {before} to {after}."
            )
        return _(
            told,
            name=name,
            at_eps=at_eps(record.eps, record),
            each=each,
            before=percent(before),
            after=percent(after),
        )
    if not record.right:
        return _(
            "Wrong before any attack: the {reference} is {name}, the model says {said} ({percent}).",
            reference=_("label") if named(record) else _("reference"),
            name=name,
            said=said(record, clean.answers[0]),
            percent=percent(float(clean.sure[0])),
        )
    flip = record.curve.flip_eps
    if record.flipped and (flip is None or flip > record.eps):
        flip = record.eps
    if flip is not None and flip <= record.eps:
        return in_a_row(_("Flips at {at_eps}.", at_eps=at_eps(flip, record)), jump(record))
    held = _("Holds at {at_eps}.", at_eps=at_eps(record.eps, record))
    if flip is not None:
        return _("{held} It flips only at {at_eps}.", held=held, at_eps=at_eps(flip, record))
    end = float(record.curve.eps[-1])
    return (
        _("{held} Nor does it flip up to {at_eps}.", held=held, at_eps=at_eps(end, record))
        if end > 1.01 * record.eps
        else held
    )


def goal_sentence(record: AttackRecord) -> str:
    """Whether the goal is met, and what the model writes then."""
    goal = goal_named(record.goal)
    told = (
        _("Meets its goal within {eps}: {goal}.", eps=at_eps(record.eps, record), goal=goal)
        if record.met
        else _("Misses its goal within {eps}: {goal}.", eps=at_eps(record.eps, record), goal=goal)
    )
    says = _(
        "Read behind the words of the answer; written freely, the answer goes from {clean} to"
        " {attacked}.",
        clean=said(record, record.clean.answers[0]),
        attacked=said(record, record.attacked.answers[0]),
    )
    return in_a_row(told, says)


def text_sentence(record: AttackRecord) -> str:
    """What is left of the attack when the vectors are read as text."""
    count = int(record.moved.sum())
    if not record.perturbable.any():
        return ""
    read = said(record, record.round_trip.answers[0])
    same = not record.round_trip.broken[0]
    if count == 0:
        if not record.flipped:
            return _("{no_word}: read as text, the sentence is unchanged.", no_word=_(NO_WORD))
        if same:
            return _(
                "{no_word}: read as text, the sentence is unchanged and the prediction reverts.",
                no_word=_(NO_WORD),
            )
        return _(
            "{no_word}, yet as text the sentence is split differently and is read as {read}.",
            no_word=_(NO_WORD),
            read=read,
        )
    vectors = (
        _("{count} vectors came nearest to another word", count=count)
        if count > 1
        else _("1 vector came nearest to another word")
    )
    verdict = (
        _("the prediction stays {said}", said=said(record, record.clean.answers[0]))
        if same
        else _("the new text is read as {read}", read=read)
    )
    if record.flipped and same:
        verdict = _("the prediction reverts")
    return _(
        "{vectors} ({words}): read as text, {verdict}.",
        vectors=vectors,
        words=moved_words(record),
        verdict=verdict,
    )


def noise_sentence(record: AttackRecord) -> str:
    """What random noise of the same norm does: the null that the attack must beat."""
    draws = len(record.noise)
    if not draws:
        return ""
    flips, score = int(record.noise.broken.sum()), record.noise.score
    low, high = (percent(float(v)) for v in (score.min(), score.max()))
    ends = low if low == high else _("{low} to {high}", low=low, high=high)
    return _(
        "Random noise of the same length flips {flips} of {draws} draws ({reference_of} {ends}).",
        flips=flips,
        draws=draws,
        reference_of=reference_of(record),
        ends=ends,
    )


def distance_sentence(record: AttackRecord) -> str:
    """How far the perturbed tokens are from becoming other tokens."""
    rows = np.flatnonzero(record.perturbable & (record.delta_norm > 0))
    if not len(rows):
        return _("δ is zero on every token.")
    share = exit_share(record)[rows]
    top = rows[int(share.argmax())]
    certified = bool((record.delta_norm[rows] < record.certificate[rows]).all())
    if share.max() >= 1:
        crossed = int((share >= 1).sum())
        text = _(
            "{crossed} of {n_rows} tokens left their cell; furthest ‘{tokens}’, ",
            crossed=crossed,
            n_rows=len(rows),
            tokens=record.tokens[top],
        )
    else:
        text = _("Closest to becoming another token is ‘{tokens}’, ", tokens=record.tokens[top])
    text += _("at {percent} of the way out along its δ.", percent=percent(float(share.max())))
    if certified:
        text += _(" Every ‖δ‖ is below its certificate: no direction of that length leaves a cell.")
    return text


def exit_share(record: AttackRecord) -> np.ndarray:
    """(T,) ‖δ‖ as a share of the exit radius; 0 where nothing lies that way."""
    radius = record.exit_radius
    reachable = np.isfinite(radius) & (radius > 0)
    return np.where(reachable, record.delta_norm / np.where(reachable, radius, 1.0), 0.0)


KINDS = {1: N_("beside"), 2: N_("answer")}  # parts of a row that are no words of its text


def token_kinds(record: AttackRecord) -> list[str]:
    """T: ‘word’ where the attack may change a token, else why not.

    ‘shielded’, ‘special’, ‘beside’ the text, or a token of the ‘answer’ that the model reads.
    """
    segment = np.zeros(len(record.tokens)) if record.segment is None else record.segment
    return [
        N_("word")
        if free
        else N_("shielded")
        if any(s < end and e > start for start, end in record.shield)
        else KINDS.get(int(part), N_("special"))
        for free, (s, e), part in zip(record.perturbable, record.spans, segment, strict=True)
    ]


def of_text(record: AttackRecord) -> np.ndarray:
    """The tokens that pictures of δ show: not what stands beside the text, not the answer's own."""
    kinds = token_kinds(record)
    return np.array([t for t, kind in enumerate(kinds) if kind not in KINDS.values()], dtype=int)


def norm_share(record: AttackRecord) -> np.ndarray:
    """(T,) each token's part of ‖δ‖², which sums to 1: squares add up, lengths do not."""
    squares = record.delta_norm.astype(float) ** 2
    return squares / squares.sum() if squares.sum() > 0 else squares


def completeness_sentence(found: Saliency) -> str:
    """Whether the attributions add up to what they claim to explain; empty where none is claimed."""
    name = _(found.title) or found.method
    if found.clean.gap is None and found.clean.completeness is None:
        return ""
    against = _(" against {baseline}", baseline=found.baseline) if found.baseline else ""
    misses = [
        _(
            "{percent} of the change on the {version} sentence",
            percent=percent(one.completeness),
            version=_(version),
        )
        if one.completeness is not None
        else _(
            "{gap} {unit_of} on the {version} sentence, where the target hardly changes",
            gap=number(one.gap or 0.0),
            unit_of=unit_of(found),
            version=_(version),
        )
        for version, one in found.versions
    ]
    judged = _("adds up")
    if max(one.completeness or 0.0 for __, one in found.versions) >= 0.05:
        judged = _("does not add up; read it with care")
    return _(
        "{name}{against} {judged}: its sum misses {clean}, and {perturbed}.",
        name=name,
        against=against,
        judged=judged,
        clean=misses[0],
        perturbed=misses[1],
    )


def remainder_sentence(maps: Sequence[Saliency]) -> str:
    """How much of each signed method falls on special tokens, which are no words."""
    parts = [
        _(
            "{method} {clean} clean, {perturbed} perturbed, {unit}",
            method=_(s.title) or s.method,
            clean=signed(s.clean.remainder),
            perturbed=signed(s.perturbed.remainder),
            unit=unit_of(s),
        )
        for s in maps
        if s.signed and not s.withheld
    ]
    return _("Left on special tokens: {parts}.", parts=_("; ").join(parts)) if parts else ""


def unit_of(found: Saliency) -> str:
    """What an attribution is counted in: the target's unit, for lengths of gradients a unit of δ."""
    unit = _("nats") if found.target.startswith("loss") else _("logits")
    return unit if found.signed else _("{unit} per raw unit", unit=unit)


def spread_sentence(found: Saliency, words: Sequence[str]) -> str:
    """How much a single draw strays from the mean that is shown; empty for methods without draws."""
    spread, draws = found.clean.spread, int(found.settings.get("samples", 0))
    if spread is None or not len(spread) or not np.isfinite(spread).all():
        return ""
    w = int(spread.argmax())
    mean = (
        _(
            "; of the mean over {draws} draws {times} times less",
            draws=draws,
            times=number(draws**0.5),
        )
        if draws > 1
        else ""
    )
    return _(
        "{method}: the standard deviation of a single draw is {spread} {unit} at "
        "most, on ‘{words}’{mean}.",
        method=_(found.title) or found.method,
        spread=number(float(spread[w])),
        unit=unit_of(found),
        words=words[w],
        mean=mean,
    )


def baselines_sentence(maps: Sequence[Saliency], titles: Sequence[str]) -> str:
    """How far the baselines agree about the order of the words of the clean sentence."""
    pairs = [
        f"{titles[a]}–{titles[b]} ρ = {_rho(maps[a], maps[b])}"
        for a in range(len(maps))
        for b in range(a + 1, len(maps))
    ]
    return _("Agreement: {pairs}.", pairs=listing(pairs)) if pairs else ""


def starts_sentence(maps: Sequence[Saliency]) -> str:
    """How sure the model is of the explained answer where there are no words."""
    starts = [
        _("{percent} at {baseline}", percent=percent(s.p_baseline), baseline=s.baseline)
        for s in maps
        if s.p_baseline is not None
    ]
    return (
        _("Probability of the explained answer: {starts}.", starts=listing(starts))
        if starts
        else ""
    )


def _rho(one: Saliency, other: Saliency) -> str:
    value = rank_correlation(one.clean.words, other.clean.words)
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def signed(value: float) -> str:
    """A number that always shows its sign."""
    text = number(value)
    return text if text.startswith(("−", "–")) or value == 0 else f"+{text}"


def lost_stage(record: AttackRecord) -> str:
    """At which stage of the round trip the attack is lost."""
    stages = {
        N_("as vectors"): record.attacked,
        N_("as nearest tokens"): record.projected,
        N_("as text, tokenised again"): record.round_trip,
    }
    flips = [bool(reading.broken[0]) for reading in stages.values()]
    names = list(stages)
    if not flips[0]:
        return _("The attack does not flip the prediction, so there is nothing to lose on the way.")
    for before, after, flip in zip(names, names[1:], flips[1:], strict=False):
        if not flip:
            return _(
                "The attack works {before} and is lost {after}.", before=_(before), after=_(after)
            )
    return _("The attack survives all the way to text: this is a real change of words.")


def loss_sentence(record: AttackRecord) -> str:
    """How the search went."""
    if len(record.losses) < 2:
        return _(
            "The attack takes no steps; loss {loss} nats.", loss=number(float(record.losses[-1]))
        )
    flip = (
        _(", first flip at step {flip_step}", flip_step=record.flip_step)
        if record.flip_step is not None
        else ""
    )
    return _(
        "Loss from {before} to {after} nats at step {best_step} of {steps} (the one kept){flip}.",
        before=number(float(record.losses[0])),
        after=number(float(record.losses[record.best_step])),
        best_step=record.best_step,
        steps=len(record.losses) - 1,
        flip=flip,
    )
