"""How often is a model right, clean and under attack? Whole data sets, with intervals.

Accuracy under attack counts an example as right only if no iterate of any restart flips it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from advlab.attacks import Attack, Problem, RandomNoise, attack_settings
from advlab.attacks.answers import Over, quoted
from advlab.attacks.batches import by_length
from advlab.attacks.norms import norm
from advlab.errors import DataError, SettingError
from advlab.language import _
from advlab.records import Example, Row
from advlab.records.estimates import share_of, wilson
from advlab.tasks.base import broken_in

if TYPE_CHECKING:
    from advlab.model.victim import Victim


def survives(
    victim: Victim,
    examples: Sequence[Example],
    attack: Attack | None = None,
    *,
    seed: int = 0,
    batch_size: int = 128,
) -> list[bool]:
    """For each example: is the answer right, and still so at every iterate of the attack?

    `attack` may be in any unit; without one this is clean correctness. Examples that are wrong
    already are not attacked.
    """
    if not examples:
        raise DataError(_("expected at least one example to evaluate on, got none; check the data"))
    right = [False] * len(examples)
    generator = torch.Generator().manual_seed(seed)
    with victim.analysing(), torch.no_grad():
        for places, batch in by_length(victim, examples, batch_size):
            scores = victim.task.scores(victim.output(victim.embed(batch), batch), batch)
            for place, ok in zip(places, (~broken_in(scores)).tolist(), strict=True):
                right[place] = ok
        if attack is None:
            return right
        raw = attack.at(victim.scale)
        alive = [i for i, ok in enumerate(right) if ok]
        if not alive or raw.eps == 0:
            return right
        for places, batch in by_length(victim, [examples[i] for i in alive], batch_size):
            objective = victim.objective(batch)
            with torch.enable_grad():
                found = raw(
                    objective,
                    victim.embed(batch).detach(),
                    batch.perturbable,
                    generator,
                    flips=objective.flips,
                )
            for place, step in zip(places, found.first_flip.tolist(), strict=True):
                right[alive[place]] = step < 0
    return right


def first_broken(
    victim: Victim,
    examples: Sequence[Example],
    attack: Attack,
    radii: Sequence[float],
    *,
    seed: int = 0,
    batch_size: int = 128,
    progress: Callable[[float, str], None] = lambda share, what: None,
) -> list[int]:
    """For each example, the place in `radii` (ascending, the attack's unit) of the first to break it.

    −1: wrong without any attack. len(radii): none breaks it. `progress` hears before each attack how
    much is done; what it raises stops the work.

    An attack that is `from_above`, as PGD, begins at the largest ε: a δ that breaks an example is
    shortened to every smaller ε and tried there, and the next attack is at the largest ε that is still
    open; an example that holds is taken to hold at every smaller ε, where the attack has less room.
    Broken examples leave their batch at once. So most examples cost about one and a half attacks,
    however many ε there are. Other attacks go from the smallest ε up, on what still stands.
    """
    right = survives(victim, examples, seed=seed, batch_size=batch_size)
    if attack.from_above:
        return _from_above(
            victim, examples, attack, sorted(radii), right, seed, batch_size, progress
        )
    found = [len(radii) if ok else -1 for ok in right]
    for k, radius in enumerate(sorted(radii)):
        standing = [i for i, place in enumerate(found) if place == len(radii)]
        if not standing or radius == 0:
            continue
        progress(k / len(radii), victim.name)
        kept = survives(
            victim,
            [examples[i] for i in standing],
            replace(attack, eps=float(radius)),
            seed=seed,
            batch_size=batch_size,
        )
        for i, ok in zip(standing, kept, strict=True):
            if not ok:
                found[i] = k
    return found


def first_noisy(
    victim: Victim,
    examples: Sequence[Example],
    attack: Attack,
    radii: Sequence[float],
    *,
    draws: int = 5,
    seed: int = 0,
) -> list[int]:
    """As `first_broken`, under random noise of the attack's norm and ball, the worst of the draws.

    From the largest ε down: what stands there is taken to stand under less noise.
    """
    right = survives(victim, examples, seed=seed)
    found = [len(radii) if ok else -1 for ok in right]
    falling = [i for i, ok in enumerate(right) if ok]
    for k in reversed(range(len(radii))):
        radius = sorted(radii)[k]
        if not falling or radius == 0:
            break
        noise = RandomNoise(float(radius), attack.unit, attack.p, attack.ball, draws=draws)
        kept = survives(victim, [examples[i] for i in falling], noise, seed=seed)
        falling = [i for i, ok in zip(falling, kept, strict=True) if not ok]
        for i in falling:
            found[i] = k
    return found


def _from_above(
    victim: Victim,
    examples: Sequence[Example],
    attack: Attack,
    radii: Sequence[float],
    right: Sequence[bool],
    seed: int,
    batch_size: int,
    progress: Callable[[float, str], None],
) -> list[int]:
    near = attack.at(victim.scale)
    raw = torch.tensor([victim.scale.raw(float(r), attack.unit) for r in radii])
    N = len(raw)
    found = [N if ok else -1 for ok in right]
    ask = {i: N - 1 for i, ok in enumerate(right) if ok}  # example -> the ε that is tried next
    generator = torch.Generator().manual_seed(seed)
    with victim.analysing():
        while ask:
            waiting = list(ask)
            for places, batch in by_length(victim, [examples[i] for i in waiting], batch_size):
                progress(1 - len(ask) / len(examples), victim.name)
                rows = [waiting[k] for k in places]
                eps = raw[[ask[i] for i in rows]].to(batch.input_ids.device)
                embeds = victim.embed(batch).detach()
                objective = victim.objective(batch)
                problem = Problem(
                    objective, embeds, batch.perturbable, eps, generator, objective.flips
                )
                broken, deltas = near.breaks(problem)
                smallest = _shortened(problem, attack, deltas, raw)
                for i, hit, place in zip(rows, broken.tolist(), smallest, strict=True):
                    if not hit:
                        del ask[i]
                        continue
                    found[i] = min(found[i], ask[i], place)
                    if found[i] == 0:
                        del ask[i]
                    else:
                        ask[i] = found[i] - 1
    return found


def _shortened(problem: Problem, attack: Attack, deltas: Tensor, raw: Tensor) -> list[int]:
    """For each example the smallest ε at which its δ, shortened to fit, still breaks it; else N."""
    assert problem.flips is not None
    size = norm(deltas, attack.p, attack.ball).reshape(len(deltas), -1).amax(1)
    places = torch.full((len(deltas),), len(raw))
    open_ = size > 0
    with torch.no_grad():
        for k in reversed(range(len(raw))):
            factor = (raw[k].to(size) / size.clamp_min(1e-30)).clamp_max(1.0)
            shorter = factor.reshape(-1, 1, 1) * deltas
            flips = problem.flips(problem.embeds + shorter) & open_
            places[flips.cpu()] = k
            open_ &= flips
            if not open_.any():
                break
    return places.tolist()


def evaluate(
    victim: Victim,
    examples: Sequence[Example],
    attack: Attack,
    *,
    eps: Sequence[float],
    seed: int = 0,
    noise_draws: int = 5,
    quote: bool = True,
) -> Row:
    """What becomes of each text clean, under `attack` and under equal-norm noise at each ε.

    `eps` is in the attack's own unit; `quote` as of `measured`. DataError without examples or answers,
    SettingError for a radius below 0.
    """
    radii = radii_for(examples, eps)
    return measured(
        victim,
        examples,
        attack,
        radii,
        noise_draws,
        lambda _, make: make(examples, seed),
        quote=quote,
    )


def measured(
    victim: Victim,
    examples: Sequence[Example],
    attack: Attack,
    radii: Sequence[float],
    noise_draws: int,
    over: Over,
    progress: Callable[[float, str], None] = lambda share, what: None,
    *,
    quote: bool = True,
) -> Row:
    """The one measurement: an attack at each of the ascending `radii`, noise, the clean answers.

    `over(settings, make)` runs `make(examples, seed)` over all texts, at once or piece by piece, and
    gives one result a text; the settings tell what is made, for whoever keeps it. An example broken at
    one ε counts as broken at every larger one, since the smaller δ lies in the larger ball.
    `quote`: with what people quote of the answers, for one more attack at each ε.
    """

    def broken(part: Sequence[Example], seed: int) -> list[int]:
        return first_broken(victim, part, attack, radii, seed=seed, progress=progress)

    def shaken(part: Sequence[Example], seed: int) -> list[int]:
        return first_noisy(victim, part, attack, radii, draws=noise_draws, seed=seed)

    settings = attack_settings(attack) | {"eps": radii}
    noise = {k: settings[k] for k in ("eps", "unit", "p", "ball")} | {"draws": noise_draws}
    found = np.array(over({"broken": settings}, broken))
    first = np.array(over({"shaken": noise}, shaken))
    noisy = RandomNoise(max(radii), attack.unit, attack.p, attack.ball, draws=noise_draws)
    told = quoted(victim, examples, attack, radii, noisy, over) if quote else ((), ())
    return Row(
        victim.name,
        victim.hash,
        attack_settings(attack),
        tuple(radii),
        tuple(victim.scale.raw(eps, attack.unit) for eps in radii),
        found >= 0,
        np.array(over({"clean": 1}, lambda part, _: _confidence(victim, part))),
        found,
        first > np.arange(len(radii))[:, None],
        *told,
    )


def radii_for(examples: Sequence[Example], eps: Sequence[float]) -> tuple[float, ...]:
    """The radii in ascending order, once each.

    DataError without examples or answers, SettingError for a radius below 0.
    """
    if not examples:
        raise DataError(_("expected at least one example to evaluate on, got none; check the data"))
    if any(not e.answers for e in examples):
        raise DataError(
            _("expected a known answer to each example, found one without; give texts with answers")
        )
    radii = tuple(sorted({float(e) for e in eps}))
    if not radii or radii[0] < 0 or not np.isfinite(radii).all():
        raise SettingError(_("expected radii of 0 or more, got {eps}; change --eps", eps=list(eps)))
    return radii


def _confidence(victim: Victim, part: Sequence[Example]) -> list[float]:
    """The probability of what the model says about each clean text."""
    found = [0.0] * len(part)
    with victim.analysing(), torch.no_grad():
        for places, batch in by_length(victim, part, 128):
            sure = victim.read(victim.embed(batch), batch).sure
            for place, value in zip(places, sure.tolist(), strict=True):
                found[place] = value
    return found


__all__ = [
    "Over",
    "by_length",
    "evaluate",
    "first_broken",
    "measured",
    "radii_for",
    "share_of",
    "survives",
    "wilson",
]
