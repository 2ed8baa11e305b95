"""Models × attacks × ε on one data set, example by example; it can be stopped and gone on with.

One broken at ε is broken at every larger ε, since the smaller δ lies in the larger ball. Texts of
like length share a batch, no parameter gets a gradient, and each batch draws from a generator seeded
by its own content, so the table is the same wherever the work was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from advlab.attacks import Attack, attack_settings
from advlab.attacks.evaluate import by_length, first_broken, first_noisy
from advlab.errors import DataError, SettingError
from advlab.records import Evaluation, Example, Rate
from advlab.records.examples import constant
from advlab.records.measured import Grid, Row
from advlab.studies.kept import Outcomes, Progress, data_hash

if TYPE_CHECKING:
    from advlab.model.victim import Victim


def as_evaluation(grid: Grid, row: Row, seconds: float = 0.0) -> Evaluation:
    """One row as an `Evaluation`."""
    unit = str(row.attack["unit"])

    def listed(rates: Sequence[Rate]) -> tuple[tuple[float, str, float, Rate], ...]:
        return tuple(
            (eps, unit, raw, found)
            for eps, raw, found in zip(row.eps, row.raw_eps, rates, strict=True)
        )

    return Evaluation(
        row.model,
        row.model_hash,
        grid.data,
        row.attack,
        len(grid.ids),
        grid.majority,
        row.clean,
        listed(row.robust),
        listed(row.noisy),
        seconds,
    )


def grid(
    victims: Sequence[Victim],
    examples: Sequence[Example],
    attacks: Sequence[Attack],
    eps: Sequence[float],
    *,
    seed: int = 0,
    data: str = "",
    outcomes: Outcomes | None = None,
    batch_size: int = 128,
    noise_draws: int = 5,
    progress: Progress = lambda share, what: None,
) -> Grid:
    """Evaluate each model under each attack at each ε (in the attack's own unit).

    `outcomes` keeps finished batches on disk and reads them back. `progress` hears between
    batches which model is attacked; what it raises stops the work, with finished batches kept.
    DataError without examples or labels, SettingError for a radius below 0.
    """
    if not examples:
        raise DataError("expected at least one example to evaluate on, got none; check the data")
    if any(not e.answers for e in examples):
        raise DataError("expected a label on each example, found one without; give labelled texts")
    radii = tuple(sorted({float(e) for e in eps}))
    if not radii or radii[0] < 0 or not np.isfinite(radii).all():
        raise SettingError(f"expected radii of 0 or more, got {list(eps)}; change --eps")
    kept = outcomes or Outcomes()

    rows = []
    for m, victim in enumerate(victims):

        def told(_: float, what: str, m: int = m) -> None:
            progress(m / len(victims), what)

        def over(
            what: dict[str, Any], make: Any, victim: Victim = victim, told: Progress = told
        ) -> list[Any]:
            settings = {"seed": seed, **what}
            return kept.over(victim, examples, settings, make, size=batch_size, progress=told)

        rows += [_row(victim, attack, radii, noise_draws, told, over) for attack in attacks]
    return Grid(
        data,
        # classes in an order of their own: models need not agree on one
        data_hash(examples, tuple(sorted({e.answers[0] for e in examples}))),
        tuple(e.id for e in examples),
        tuple(e.answer for e in examples),
        constant(list(examples)),
        seed,
        tuple(rows),
    )


def _row(
    victim: Victim,
    attack: Attack,
    radii: tuple[float, ...],
    draws: int,
    progress: Progress,
    over: Callable[..., list[Any]],  # `Outcomes.over` with everything else given
) -> Row:
    def broken(chunk: list[Example], seed: int) -> list[int]:
        return first_broken(victim, chunk, attack, radii, seed=seed, progress=progress)

    def shaken(chunk: list[Example], seed: int) -> list[int]:
        return first_noisy(victim, chunk, attack, radii, draws=draws, seed=seed)

    settings = attack_settings(attack) | {"eps": radii}
    noise = {k: settings[k] for k in ("eps", "unit", "p", "ball")} | {"draws": draws}
    found = np.array(over({"broken": settings}, broken))
    first = np.array(over({"shaken": noise}, shaken))
    return Row(
        victim.name,
        victim.hash,
        attack_settings(attack),
        radii,
        tuple(victim.scale.raw(eps, attack.unit) for eps in radii),
        found >= 0,
        np.array(over({"clean": 1}, lambda chunk, _: _confidence(victim, chunk))),
        found,
        first > np.arange(len(radii))[:, None],
    )


def _confidence(victim: Victim, chunk: list[Example]) -> list[float]:
    """The probability of what the model says about each clean text."""
    found = [0.0] * len(chunk)
    with victim.analysing(), torch.no_grad():
        for places, batch in by_length(victim, chunk, len(chunk)):
            sure = victim.read(victim.embed(batch), batch).sure
            for place, value in zip(places, sure.tolist(), strict=True):
                found[place] = value
    return found
