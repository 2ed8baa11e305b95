"""Models × attacks × ε on one data set, example by example; it can be stopped and gone on with.

One broken at ε is broken at every larger ε, since the smaller δ lies in the larger ball. Texts of
like length share a batch, no parameter gets a gradient, and each batch draws from a generator seeded
by its own content, so the table is the same wherever the work was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from advlab.attacks import Attack
from advlab.attacks.evaluate import measured, radii_for
from advlab.records import Example
from advlab.records.examples import constant
from advlab.records.measured import Grid
from advlab.studies.kept import Outcomes, Progress, data_hash

if TYPE_CHECKING:
    from advlab.model.victim import Victim


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
    quote: bool = True,
    progress: Progress = lambda share, what: None,
) -> Grid:
    """Evaluate each model under each attack at each ε (in the attack's own unit).

    `quote`: with what people quote of the answers, for one more attack at each ε.
    `outcomes` keeps finished batches on disk and reads them back. `progress` hears between
    batches which model is attacked; what it raises stops the work, with finished batches kept.
    DataError without examples or answers, SettingError for a radius below 0.
    """
    radii = radii_for(examples, eps)
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

        rows += [
            measured(victim, examples, attack, radii, noise_draws, over, told, quote=quote)
            for attack in attacks
        ]
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
