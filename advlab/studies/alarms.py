"""Signs that a measured robustness is not what it seems, each with its evidence and what to do.

After Athalye et al. 2018 (arXiv:1802.00420) and Carlini et al. 2019 (arXiv:1902.06705). Differences
between attacks count only where McNemar's test on the same texts finds them at 1 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from advlab.attacks import ATTACKS, PGD, Attack, Perturbation
from advlab.attacks.evaluate import by_length
from advlab.attacks.norms import norm
from advlab.language import N_, _
from advlab.records import Example
from advlab.records.estimates import compare, share_of
from advlab.records.measured import Alarm, Grid, Row
from advlab.settings import plain

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.records.measured import Transfer

TRIED = 64  # texts on which models and attacks are looked at
HUGE = 50.0  # × mean norm: a ball with room for any change of every word
MORE_IS_WEAKER = N_("more steps or restarts are weaker")


def alarms_of(
    grid: Grid,
    victims: Sequence[Victim],
    examples: Sequence[Example],
    attacks: Sequence[Attack],
    *,
    more: bool = True,
) -> list[Alarm]:
    """Every check: the outcomes, each model, and on the first texts each attack that spends its ε.

    `more`: whether the data has further texts, which could be advised.
    """
    found = of_outcomes(grid, more=more)
    for victim in victims:
        found += of_model(victim, examples[:TRIED])
        for attack in attacks:
            if attack.eps > 0 and attack.kind not in ("minimal", "null"):
                found += of_attack(victim, examples[:TRIED], attack)
    return found


def of_outcomes(grid: Grid, *, precision: float = 0.05, more: bool = True) -> list[Alarm]:
    """Alarms that the outcomes alone raise. `precision`: widest half interval, as a share.

    `more`: whether the data has further texts, which could be advised.
    """
    found = []
    for row in grid.rows:
        found += _weaker_than_noise(row) + _constant(row, grid) + _too_few(row, precision, more)
        for other in grid.rows:
            if other is not row and row.model_hash == other.model_hash:
                found += _upside_down(row, other)
    return found


def of_model(victim: Victim, examples: Sequence[Example]) -> list[Alarm]:
    """Alarms that the model itself raises: random outputs, no gradient, grown embeddings."""
    found, unlike, zero, n = [], 0.0, 0, 0
    with victim.analysing():
        for __, batch in by_length(victim, examples, 64):
            x = victim.embed(batch).detach().requires_grad_()
            with torch.enable_grad():
                loss = victim.objective(batch)(x)
                grad = None
                if loss.requires_grad:
                    grad = torch.autograd.grad(loss.sum(), x, allow_unused=True)[0]
            with torch.no_grad():
                again = victim.objective(batch)(x)
            unlike = max(unlike, float((again - loss.detach()).abs().max()))
            n += len(batch)
            zero += len(batch) if grad is None else int((grad.flatten(1).norm(dim=1) < 1e-8).sum())
    if unlike > 1e-3:
        found.append(
            Alarm(
                _("outputs are random"),
                victim.name,
                _(
                    "two passes over the same texts differ by up to {unlike:.2g} in loss",
                    unlike=unlike,
                ),
                _("Switch dropout off, or average the gradient over many draws."),
            )
        )
    if zero > n / 4:
        found.append(
            Alarm(
                "no gradient",
                victim.name,
                _("{zero} of {n} texts have a gradient below 1e-8", zero=zero, n=n),
                _("Attack the logit margin in float64, and without gradients (spsa)."),
            )
        )
    grown = victim.measure_scale().raw(1.0, "norm") / victim.scale.raw(1.0, "norm")
    if grown > 1.5:
        found.append(
            Alarm(
                _("embeddings grew"),
                victim.name,
                _("word vectors are {grown:.1f} times as long as when ε was fixed", grown=grown),
                _("Compare at ε relative to today's vectors."),
            )
        )
    return found


def of_attack(victim: Victim, examples: Sequence[Example], attack: Attack) -> list[Alarm]:
    """Alarms that an attack's own δ raises: too short, on too few words, weaker with more room.

    For attacks that spend their whole ε (not those that look for the smallest δ). `attack` in any
    unit. PGD and Auto-PGD are also tried with twice their steps, and with the huge ε; for the others
    PGD of their norm and ball looks at the huge ε, where one long step, or guessing, shows nothing.
    """
    tried = _tried(victim, examples, attack)
    checks = (_too_short, _left_out, _rises_with_eps, _weaker_when_longer, _survives_huge)
    return [alarm for check in checks for alarm in check(tried)]


@dataclass(frozen=True)
class _Tried:
    """What an attack did to some texts, and what it does with more room and more steps."""

    model: str
    attack: Attack  # as it was given
    # of the texts read right, which stand: under the attack ("near"), with twice its ε ("wide"), with
    # twice its steps ("long", where it is an ascent of steps), at the huge ε
    stands: Mapping[str, list[bool]]
    whole: int  # texts whose best δ is not the start
    short: int  # of these, with less than half of ε spent
    words: int  # in these, that may be moved
    moved: int

    @property
    def name(self) -> str:
        return type(self.attack).__name__

    def standing(self, trial: str) -> str:
        """The share that stands, in per cent."""
        return f"{share_of(self.stands[trial]).value:.1%}"


def _trials(victim: Victim, raw: Attack) -> dict[str, Attack]:
    """The attack itself, and with more of what should make it stronger."""
    huge = victim.scale.raw(HUGE, "norm")
    trials = {"near": raw, "wide": replace(raw, eps=2 * raw.eps)}
    if raw.kind == "ascent" and "steps" in raw.efforts:
        more: dict[str, Any] = {"steps": 2 * plain(raw)["steps"]}
        return trials | {"long": replace(raw, **more), "huge": replace(raw, eps=huge)}
    return trials | {"huge": PGD(huge, "raw", raw.p, raw.ball, steps=20)}


def _tried(victim: Victim, examples: Sequence[Example], attack: Attack) -> _Tried:
    raw = attack.at(victim.scale)
    trials = _trials(victim, raw)
    stands: dict[str, list[bool]] = {kind: [] for kind in trials}
    short, whole, moved, words = 0, 0, 0, 0
    with victim.analysing():
        for __, batch in by_length(victim, examples, 64):
            x = victim.embed(batch).detach()
            objective = victim.objective(batch)
            clean = ~objective.flips(x)
            outcomes: dict[str, Perturbation] = {}
            for kind, trial in trials.items():
                dice = torch.Generator().manual_seed(0)
                outcomes[kind] = trial(objective, x, batch.perturbable, dice, flips=objective.flips)
                stands[kind] += (outcomes[kind].first_flip < 0)[clean].tolist()
            found = outcomes["near"]
            size = norm(found.delta, raw.p, raw.ball).reshape(len(batch), -1).amax(1)
            # the best iterate may be the first; the loss then fell all the way, which is another alarm
            taken = found.best_step > 0
            short += int((size[taken] < 0.5 * raw.eps).sum())
            whole += int(taken.sum())
            lengths = found.delta[taken].norm(dim=-1)
            free = batch.perturbable[taken]
            moved += int(((lengths > 0) & free).sum())
            words += int(free.sum())
    return _Tried(victim.name, attack, stands, whole, short, words, moved)


def _too_short(tried: _Tried) -> list[Alarm]:
    if tried.short <= tried.whole / 4:
        return []
    return [
        Alarm(
            _("δ is too short"),
            tried.model,
            _(
                "{short} of {whole} δ of {name} use less than half of their ε",
                short=tried.short,
                whole=tried.whole,
                name=tried.name,
            ),
            _("Check the step size and the number of steps: together they must reach ε."),
        )
    ]


def _left_out(tried: _Tried) -> list[Alarm]:
    # an L1 ball for the text spends ε on few numbers, as it should
    sparse = tried.attack.p == "l1" and tried.attack.ball == "example"
    if sparse or tried.moved >= 0.9 * tried.words:
        return []
    return [
        Alarm(
            _("words are left out"),
            tried.model,
            _(
                "{name} moves {moved} of {words} words that it may move",
                name=tried.name,
                moved=tried.moved,
                words=tried.words,
            ),
            _("Check the mask: an attack on part of the text overstates robustness."),
        )
    ]


def _rises_with_eps(tried: _Tried) -> list[Alarm]:
    if not _fewer(tried.stands["near"], tried.stands["wide"]):
        return []
    return [
        Alarm(
            _("accuracy rises with ε"),
            tried.model,
            _(
                "{standing} stand under {name} at ε = {eps:g}, {more_room} at twice that",
                standing=tried.standing("near"),
                name=tried.name,
                eps=tried.attack.eps,
                more_room=tried.standing("wide"),
            ),
            _(
                "The steps overshoot or the gradient misleads: take more and shorter "
                "steps, restarts."
            ),
        )
    ]


def _weaker_when_longer(tried: _Tried) -> list[Alarm]:
    if "long" not in tried.stands or not _fewer(tried.stands["near"], tried.stands["long"]):
        return []
    return [
        Alarm(
            _(MORE_IS_WEAKER),
            tried.model,
            _(
                "{standing} stand under {name} of {steps} steps, {longer} under twice as many",
                standing=tried.standing("near"),
                name=tried.name,
                steps=plain(tried.attack)["steps"],
                longer=tried.standing("long"),
            ),
            _(
                "The attack forgets what it found, or the model answers at random: keep "
                "the best iterate, switch dropout off."
            ),
        )
    ]


def _survives_huge(tried: _Tried) -> list[Alarm]:
    huge = tried.stands["huge"]
    if not huge or share_of(huge).low <= 0.1:
        return []
    return [
        Alarm(
            _("a huge ε does not suffice"),
            tried.model,
            _(
                "{standing} of {n} texts stand under {attack} at ε = {eps:g} × mean norm",
                standing=sum(huge),
                n=len(huge),
                attack=tried.name if "long" in tried.stands else "PGD",
                eps=HUGE,
            ),
            _("Check that ε reaches the attack, its mask, and whether gradients are hidden."),
        )
    ]


def of_transfer(transfer: Transfer) -> list[Alarm]:
    """Models that break more under what was made on another model than under their own attack.

    Whoever attacks a model knows more of it than whoever attacks another: where that does not help,
    its gradient misleads (Athalye et al. 2018). One alarm a model, for the strongest of the others.
    """
    found = []
    for j, model in enumerate(transfer.models):
        own = transfer.right[j, j]
        others = [
            i
            for i in range(len(transfer.models))
            if i != j
            and transfer.possible[i, j]
            and transfer.possible[j, j]
            and _fewer(transfer.right[i, j], own)
        ]
        if not others:
            continue
        i = min(others, key=lambda i: transfer.right[i, j].sum())
        what = "δ" if transfer.kind == "delta" else _("replaced words")
        found.append(
            Alarm(
                _("transfer is stronger than its own attack"),
                model,
                _(
                    "{transferred:.1%} are right under {what} made on {models}, {own:.1%} under "
                    "its own",
                    transferred=transfer.share(i, j).value,
                    what=what,
                    models=transfer.models[i],
                    own=transfer.share(j, j).value,
                ),
                _(
                    "Its gradient misleads: do not believe its robustness before spsa, "
                    "restarts and the ensemble agree."
                ),
            )
        )
    return found


def _weaker_than_noise(row: Row) -> list[Alarm]:
    for e, eps in enumerate(row.eps):
        if _fewer(row.noise[e], row.stands(e)):
            return [
                Alarm(
                    _("weaker than noise"),
                    row.model,
                    _(
                        "at ε = {eps:g} {noise:.1%} stand under random noise, {attacked:.1%} under "
                        "{attack}",
                        eps=eps,
                        noise=share_of(row.noise[e]).value,
                        attacked=share_of(row.stands(e)).value,
                        attack=row.attack["name"],
                    ),
                    _("Do not believe the attack: check its step size, mask and gradient."),
                )
            ]
    return []


def _constant(row: Row, grid: Grid) -> list[Alarm]:
    """One answer to all texts, as it was given; where that was not asked for, as the outcomes tell."""
    if len(set(grid.answers)) < 2:
        return []
    if row.said:
        if len(set(row.said)) > 1:
            return []
        told = _("every answer is “{said}”", said=row.said[0][:60])
    else:
        answers = np.array(grid.answers)
        seen = set(answers[row.right].tolist())
        if len(seen) != 1:
            return []
        same = answers == seen.pop()
        # where hardly two texts share an answer, to be right on one text is no sign
        if not row.right[same].all() or (same.sum() < 2 and len(set(grid.answers)) > 2):
            return []
        told = _("all of them have the same known answer")
    return [
        Alarm(
            _("constant predictor"),
            row.model,
            _("{right:.1%} are right, and {told}", right=share_of(row.right).value, told=told),
            _("The model ignores its input: train again, with a smaller ε or a longer warm-up."),
        )
    ]


def _too_few(row: Row, precision: float, more: bool) -> list[Alarm]:
    half = max((r.high - r.low) / 2 for r in row.robust)
    if half <= precision:
        return []
    return [
        Alarm(
            _("too few texts"),
            row.model,
            _(
                "with {n} texts an interval is ± {points:.1f} points wide, and no difference"
                " below {claim:.0f} points can be claimed",
                n=len(row.right),
                points=100 * half,
                claim=200 * half,
            ),
            _("Use more texts.") if more else _("The data has no more texts."),
        )
    ]


def _upside_down(weak: Row, strong: Row) -> list[Alarm]:
    """`weak` should leave at least as many standing as `strong`: does it break more?"""
    a, b = weak.attack["name"], strong.attack["name"]
    alike = ("unit", "p", "ball")
    if any(weak.attack[k] != strong.attack[k] for k in alike) or weak.eps != strong.eps:
        return []
    if weak.attack.get("targeted", False) != strong.attack.get("targeted", False):
        return []
    kinds = (ATTACKS[a].kind, ATTACKS[b].kind)
    if a == b and _does_less(weak, strong):
        name = _(MORE_IS_WEAKER)
    elif kinds == ("one step", "ascent"):
        name = _("one step is stronger than many")
    elif kinds == ("black box", "ascent"):
        name = _("black box is stronger than gradients")
    else:
        return []
    for e, eps in enumerate(weak.eps):
        if _fewer(weak.stands(e), strong.stands(e)):
            return [
                Alarm(
                    name,
                    weak.model,
                    _(
                        "at ε = {eps:g} {weak:.1%} stand under {a}, {strong:.1%} under {b}",
                        eps=eps,
                        weak=share_of(weak.stands(e)).value,
                        a=a,
                        strong=share_of(strong.stands(e)).value,
                        b=b,
                    ),
                    _(
                        "The gradient misleads or the steps are wrong: try restarts, spsa, the "
                        "ensemble."
                    ),
                )
            ]
    return []


def _does_less(weak: Row, strong: Row) -> bool:
    """Fewer steps, restarts, draws …, more of none, and every other setting the same."""
    a, b = dict(weak.attack), dict(strong.attack)
    efforts = [(a.pop(k, 1), b.pop(k, 1)) for k in ATTACKS[a["name"]].efforts]
    same = {k: v for k, v in a.items() if k != "eps"} == {k: v for k, v in b.items() if k != "eps"}
    return same and all(x <= y for x, y in efforts) and any(x < y for x, y in efforts)


def _fewer(a: Sequence[bool] | np.ndarray, b: Sequence[bool] | np.ndarray) -> bool:
    pair = compare(list(b), list(a))
    return pair.gain > 0 and pair.p < 0.01


__all__ = ["Alarm", "alarms_of", "of_attack", "of_model", "of_outcomes", "of_transfer"]
