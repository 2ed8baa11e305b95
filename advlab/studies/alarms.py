"""Signs that a measured robustness is not what it seems, each with its evidence and what to do.

After Athalye et al. 2018 (arXiv:1802.00420) and Carlini et al. 2019 (arXiv:1902.06705). Differences
between attacks count only where McNemar's test on the same texts finds them at 1 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from advlab.attacks import ATTACKS, Attack
from advlab.attacks.evaluate import by_length
from advlab.language import _
from advlab.records import Example
from advlab.records.estimates import share_of
from advlab.records.measured import Alarm, Grid, Row
from advlab.studies.weak_attacks import MORE_IS_WEAKER, fewer, of_attack

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.records.measured import Transfer

TRIED = 64  # texts on which models and attacks are looked at


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
        found += of_texts(victim, examples) + of_model(victim, examples[:TRIED])
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


def of_texts(victim: Victim, examples: Sequence[Example]) -> list[Alarm]:
    """Whether the model reads the texts, and the known answers, to their end."""
    unread = victim.unread(examples)
    if not unread:
        return []
    advice = _("Allow longer ones, or measure on shorter ones: the figures are about what is read.")
    return [Alarm(_("not all is read"), victim.name, "; ".join(unread), advice)]


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
            and fewer(transfer.right[i, j], own)
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
        if fewer(row.noise[e], row.stands(e)):
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
        if fewer(weak.stands(e), strong.stands(e)):
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


__all__ = ["Alarm", "alarms_of", "of_attack", "of_model", "of_outcomes", "of_texts", "of_transfer"]
