"""Signs that an attack itself is weak: what its δ are like, and what more of everything does to it.

After Athalye et al. 2018 (arXiv:1802.00420) and Carlini et al. 2019 (arXiv:1902.06705).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from advlab.attacks import PGD, Attack, Perturbation
from advlab.attacks.evaluate import by_length
from advlab.attacks.norms import norm
from advlab.language import N_, _
from advlab.records import Example
from advlab.records.estimates import compare, share_of
from advlab.records.measured import Alarm
from advlab.settings import plain

if TYPE_CHECKING:
    from advlab.model.victim import Victim

HUGE = 50.0  # × mean norm: a ball with room for any change of every word
MORE_IS_WEAKER = N_("more steps or restarts are weaker")


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
    if not fewer(tried.stands["near"], tried.stands["wide"]):
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
    if "long" not in tried.stands or not fewer(tried.stands["near"], tried.stands["long"]):
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


def fewer(a: Sequence[bool] | np.ndarray, b: Sequence[bool] | np.ndarray) -> bool:
    """Whether `a` holds of fewer texts than `b`, by McNemar's test at 1 %."""
    pair = compare(list(b), list(a))
    return pair.gain > 0 and pair.p < 0.01
