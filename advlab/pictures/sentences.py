"""What an `AttackRecord` says, in plain words: headline, findings, and one sentence per figure.

Takes a record, gives plain text: no markup, nothing escaped. Whoever draws it escapes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advlab.language import _
from advlab.pictures.jumps import jump
from advlab.pictures.style import UNITS
from advlab.pictures.wording import named, reference_of, said, written
from advlab.records import AttackRecord, Saliency, Scale
from advlab.records.estimates import rank_correlation

STUCK = (
    "The attack could not begin: no gradient came, since the loss is flat here (where a model is this"
    " sure, it rounds to 0), and δ stayed where it was. That is no robustness. Try attacks that"
    " compare scores: Auto-PGD with the DLR loss, DeepFool or FMN."
)

NO_WORD = "No vector went far enough to become another word"


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
    return (
        f"{number(u['raw'])} raw = {number(u['norm'])} × mean norm"
        f" = {number(u['half-nn'])} × half nearest-neighbour distance"
    )


def at_eps(raw: float, record: AttackRecord) -> str:
    """‘ε = 0.25 × mean norm’: a raw radius in the unit that the attack was asked in."""
    unit = str(record.attack.get("unit", "norm"))
    return f"ε = {number(record.scale.units(raw)[unit])} {UNITS[unit]}"


def moved_words(record: AttackRecord, limit: int = 3) -> str:
    """The tokens that now stand nearest to another: ‘good’ → ‘bad’, … ; empty when none moved."""
    rows = np.flatnonzero(record.moved)
    pairs = [f"‘{record.tokens[t]}’ → ‘{record.neighbours.tokens[t][0]}’" for t in rows]
    more = f" and {len(pairs) - limit} more" if len(pairs) > limit else ""
    return ", ".join(pairs[:limit]) + more


def headline(record: AttackRecord) -> str:
    """What happened, in two or three sentences: the flip, and whether any of it is text."""
    if record.stuck and not record.flipped:
        return attack_sentence(record)
    return f"{attack_sentence(record)} {text_sentence(record)}".strip()


def attack_sentence(record: AttackRecord) -> str:
    """Whether and where the prediction flips."""
    name, clean = reference_of(record), record.clean
    before, after = float(clean.score[0]), float(record.attacked.score[0])
    if not record.perturbable.any():
        return "There is no word here that the attack may change."
    if record.stuck and not record.flipped and record.right:
        return STUCK
    if record.goal:
        return goal_sentence(record)
    if record.attack.get("targeted"):
        met = record.attacked.answers[0] == record.reference or record.attacked.margin[0] > 0
        each = " per token" if written(record) else ""
        return (
            f"{'Reaches' if met else 'Does not reach'} the target {name} within"
            f" {at_eps(record.eps, record)}: its probability{each} goes from {percent(before)} to"
            f" {percent(after)}."
        )
    if not record.right:
        return (
            f"Wrong before any attack: the {'label' if named(record) else 'reference'} is {name}, the"
            f" model says {said(record, clean.answers[0])} ({percent(float(clean.sure[0]))})."
        )
    flip = record.curve.flip_eps
    if record.flipped and (flip is None or flip > record.eps):
        flip = record.eps
    if flip is not None and flip <= record.eps:
        return f"Flips at {at_eps(flip, record)}. {jump(record)}".strip()
    held = f"Holds at {at_eps(record.eps, record)}."
    if flip is not None:
        return f"{held} It flips only at {at_eps(flip, record)}."
    end = float(record.curve.eps[-1])
    return (
        f"{held} Nor does it flip up to {at_eps(end, record)}." if end > 1.01 * record.eps else held
    )


def goal_sentence(record: AttackRecord) -> str:
    """Whether the goal is met, and what the model writes then."""
    name, _colon, words = record.goal.partition(":")
    goal = {
        "other": _("no word of the answer stays in its place"),
        "keyword": _("‘{words}’ appears in the answer", words=words.strip()),
    }.get(name, record.goal)
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
    return f"{told} {says}"


def text_sentence(record: AttackRecord) -> str:
    """What is left of the attack when the vectors are read as text."""
    count = int(record.moved.sum())
    if not record.perturbable.any():
        return ""
    read = said(record, record.round_trip.answers[0])
    same = not record.round_trip.broken[0]
    if count == 0:
        if not record.flipped:
            return f"{NO_WORD}: read as text, the sentence is unchanged."
        if same:
            return f"{NO_WORD}: read as text, the sentence is unchanged and the prediction reverts."
        return f"{NO_WORD}, yet as text the sentence is split differently and is read as {read}."
    plural = (
        f"{count} vectors came nearest to another word"
        if count > 1
        else "1 vector came nearest to another word"
    )
    verdict = (
        f"the prediction stays {said(record, record.clean.answers[0])}"
        if same
        else f"the new text is read as {read}"
    )
    if record.flipped and same:
        verdict = "the prediction reverts"
    return f"{plural} ({moved_words(record)}): read as text, {verdict}."


def noise_sentence(record: AttackRecord) -> str:
    """What random noise of the same norm does: the null that the attack must beat."""
    draws = len(record.noise)
    if not draws:
        return ""
    flips, score = int(record.noise.broken.sum()), record.noise.score
    ends = list(dict.fromkeys(percent(float(v)) for v in (score.min(), score.max())))
    return (
        f"Random noise of the same length flips {flips} of {draws} draws"
        f" ({reference_of(record)} {' to '.join(ends)})."
    )


def distance_sentence(record: AttackRecord) -> str:
    """How far the perturbed tokens are from becoming other tokens."""
    rows = np.flatnonzero(record.perturbable & (record.delta_norm > 0))
    if not len(rows):
        return "δ is zero on every token."
    share = exit_share(record)[rows]
    top = rows[int(share.argmax())]
    certified = bool((record.delta_norm[rows] < record.certificate[rows]).all())
    if share.max() >= 1:
        crossed = int((share >= 1).sum())
        text = f"{crossed} of {len(rows)} tokens left their cell; furthest ‘{record.tokens[top]}’, "
    else:
        text = f"Closest to becoming another token is ‘{record.tokens[top]}’, "
    text += f"at {percent(float(share.max()))} of the way out along its δ."
    if certified:
        text += " Every ‖δ‖ is below its certificate: no direction of that length leaves a cell."
    return text


def exit_share(record: AttackRecord) -> np.ndarray:
    """(T,) ‖δ‖ as a share of the exit radius; 0 where nothing lies that way."""
    radius = record.exit_radius
    reachable = np.isfinite(radius) & (radius > 0)
    return np.where(reachable, record.delta_norm / np.where(reachable, radius, 1.0), 0.0)


KINDS = {1: "beside", 2: "answer"}  # parts of a row that are no words of its text


def token_kinds(record: AttackRecord) -> list[str]:
    """T: ‘word’ where the attack may change a token, else why not.

    ‘shielded’, ‘special’, ‘beside’ the text, or a token of the ‘answer’ that the model reads.
    """
    segment = np.zeros(len(record.tokens)) if record.segment is None else record.segment
    return [
        "word"
        if free
        else "shielded"
        if any(s < end and e > start for start, end in record.shield)
        else KINDS.get(int(part), "special")
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
    name = found.title or found.method
    if found.clean.gap is None and found.clean.completeness is None:
        return ""
    against = f" against {found.baseline}" if found.baseline else ""
    misses = [
        f"{percent(one.completeness)} of the change on the {version} sentence"
        if one.completeness is not None
        else f"{number(one.gap or 0.0)} {unit_of(found)} on the {version} sentence, where the target"
        " hardly changes"
        for version, one in found.versions
    ]
    judged = "adds up"
    if max(one.completeness or 0.0 for _, one in found.versions) >= 0.05:
        judged = "does not add up; read it with care"
    return f"{name}{against} {judged}: its sum misses {misses[0]}, and {misses[1]}."


def remainder_sentence(maps: Sequence[Saliency]) -> str:
    """How much of each signed method falls on special tokens, which are no words."""
    parts = [
        f"{s.title or s.method} {signed(s.clean.remainder)} clean,"
        f" {signed(s.perturbed.remainder)} perturbed, {unit_of(s)}"
        for s in maps
        if s.signed and not s.withheld
    ]
    return "Left on special tokens: " + "; ".join(parts) + "." if parts else ""


def unit_of(found: Saliency) -> str:
    """What an attribution is counted in: the target's unit, for lengths of gradients a unit of δ."""
    unit = "nats" if found.target.startswith("loss") else "logits"
    return unit if found.signed else f"{unit} per raw unit"


def spread_sentence(found: Saliency, words: Sequence[str]) -> str:
    """How much a single draw strays from the mean that is shown; empty for methods without draws."""
    spread, draws = found.clean.spread, int(found.settings.get("samples", 0))
    if spread is None or not len(spread) or not np.isfinite(spread).all():
        return ""
    w = int(spread.argmax())
    mean = f"; of the mean over {draws} draws {number(draws**0.5)} times less" if draws > 1 else ""
    return (
        f"{found.title or found.method}: the standard deviation of a single draw is"
        f" {number(float(spread[w]))} {unit_of(found)} at most, on ‘{words[w]}’{mean}."
    )


def baselines_sentence(maps: Sequence[Saliency], titles: Sequence[str]) -> str:
    """How far the baselines agree about the order of the words of the clean sentence."""
    pairs = [
        f"{titles[a]}–{titles[b]} ρ = {_rho(maps[a], maps[b])}"
        for a in range(len(maps))
        for b in range(a + 1, len(maps))
    ]
    return f"Agreement: {', '.join(pairs)}." if pairs else ""


def starts_sentence(maps: Sequence[Saliency]) -> str:
    """How sure the model is of the explained answer where there are no words."""
    starts = [f"{percent(s.p_baseline)} at {s.baseline}" for s in maps if s.p_baseline is not None]
    return f"Probability of the explained answer: {', '.join(starts)}." if starts else ""


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
        "as vectors": record.attacked,
        "as nearest tokens": record.projected,
        "as text, tokenised again": record.round_trip,
    }
    flips = [bool(reading.broken[0]) for reading in stages.values()]
    names = list(stages)
    if not flips[0]:
        return "The attack does not flip the prediction, so there is nothing to lose on the way."
    for before, after, flip in zip(names, names[1:], flips[1:], strict=False):
        if not flip:
            return f"The attack works {before} and is lost {after}."
    return "The attack survives all the way to text: this is a real change of words."


def loss_sentence(record: AttackRecord) -> str:
    """How the search went."""
    if len(record.losses) < 2:
        return f"The attack takes no steps; loss {number(float(record.losses[-1]))} nats."
    flip = f", first flip at step {record.flip_step}" if record.flip_step is not None else ""
    return (
        f"Loss from {number(float(record.losses[0]))} to"
        f" {number(float(record.losses[record.best_step]))} nats at step {record.best_step} of"
        f" {len(record.losses) - 1} (the one kept){flip}."
    )
