"""Is an attack on one sentence to be believed? Signs that it fooled itself, in plain words.

The same questions as of a whole data set (Carlini et al. 2019, arXiv:1902.06705), asked of one record.
"""

from __future__ import annotations

import numpy as np

from advlab.language import _, in_a_row
from advlab.pictures.sentences import number
from advlab.records import AttackRecord

LEAST = 1e-3  # nats: a rise below this is none
BETTER = 1.02  # so much more loss after one step than at the end is no rounding


def attack_health(record: AttackRecord) -> str:
    """One sentence for each sign of trouble; empty where there is none to see."""
    sign = -1.0 if record.attack.get("targeted") else 1.0
    losses = sign * record.losses.astype(float)
    # noise takes no step, and a goal is not what the loss tells
    if len(losses) < 2 or not record.perturbable.any() or record.goal:
        return ""
    found = []
    start, best = losses[0], losses[record.best_step]
    first = sign * float(record.clean.loss[0])
    rise = best - min(start, first)
    if not np.isfinite(losses).all():
        found.append(_("The loss was not finite at some step: do not read the rest."))
    if rise < LEAST:
        found.append(
            _(
                "The loss never moved: the gradient may vanish here (a saturated or masked "
                "model), so this says nothing about robustness. Try another start or SPSA."
            )
        )
    elif len(losses) > 2 and losses[1] - start > BETTER * (losses[-1] - start):
        found.append(_("One step does better than all of them: the step is too long."))
    elif len(losses) > 4 and record.best_step == len(losses) - 1 and _climbing(losses):
        found.append(_("The loss still rose at the last step: more steps would find more."))
    if len(record.noise) and rise >= LEAST:
        noise = sign * record.noise.loss.astype(float)
        if noise.max() >= best:
            found.append(
                _(
                    "Random noise as long does as well ({noise} against {attacked} nats): the "
                    "gradient found nothing special.",
                    noise=number(float(abs(noise.max()))),
                    attacked=number(float(abs(best))),
                )
            )
    return in_a_row(*found)


def _climbing(losses: np.ndarray) -> bool:
    """Whether the last step still brought a good share of the whole rise."""
    whole = float(losses[-1] - losses[0])
    return whole > LEAST and float(losses[-1] - losses[-2]) > 0.5 * whole / (len(losses) - 1)
