"""Models × attacks × ε on one data set, example by example; it can be stopped and gone on with.

At each ε only the texts that still stand are attacked: one broken at ε is broken at every larger ε,
since the smaller δ lies in the larger ball. Texts of like length share a batch, no parameter gets a
gradient, and each batch draws from a generator seeded by its own content, so the table is the same
wherever the work was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from advlab.attacks import Attack, RandomNoise, attack_settings
from advlab.errors import DataError, SettingError
from advlab.evaluate import by_length
from advlab.outcomes import Outcomes, data_hash, key_of
from advlab.records import Example, Rate
from advlab.statistics import rate

if TYPE_CHECKING:
    from advlab.victim import Victim


@dataclass(frozen=True)
class Row:
    """One model under one attack: what happened to each of the N texts, in the given order."""

    model: str
    model_hash: str
    attack: Mapping[str, Any]
    eps: tuple[float, ...]  # ascending, in the attack's unit
    raw_eps: tuple[float, ...]
    right: np.ndarray  # (N,) bool, when clean
    clean_loss: np.ndarray  # (N,)
    broken: (
        np.ndarray
    )  # (N,) index into `eps` of the first that breaks; −1 clean mistake; len: none
    loss: np.ndarray  # (E,N) highest loss found; NaN where no attack was needed
    noise: (
        np.ndarray
    )  # (E,N) bool, right under random noise of the same norm, the worst of the draws

    def stands(self, e: int) -> np.ndarray:
        """(N,) bool: right at ε number `e` and at every smaller one."""
        return self.broken > e

    @property
    def clean(self) -> Rate:
        """Share right when clean."""
        return rate(self.right)

    @property
    def robust(self) -> tuple[Rate, ...]:
        """Share right at each ε."""
        return tuple(rate(self.stands(e)) for e in range(len(self.eps)))

    @property
    def noisy(self) -> tuple[Rate, ...]:
        """Share right under noise at each ε."""
        return tuple(rate(row) for row in self.noise)

    @property
    def first_eps(self) -> np.ndarray:
        """(N,) the smallest tested ε that breaks each text: 0 for clean mistakes, inf for none."""
        return np.array([0.0, *self.eps, np.inf])[self.broken + 1]

    @property
    def median_flip(self) -> float:
        """Median of `first_eps` over the texts read right; inf: most stand everywhere."""
        found = np.sort(self.first_eps[self.right])
        return float(found[(len(found) - 1) // 2]) if len(found) else float("nan")


@dataclass(frozen=True)
class Grid:
    """All rows of one evaluation, with what they were measured on."""

    data: str
    data_hash: str
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    majority: float  # share of the most frequent label: what a constant predictor gets
    seed: int
    rows: tuple[Row, ...]


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
    cancelled: Callable[[], bool] = lambda: False,
) -> Grid:
    """Evaluate each model under each attack at each ε (in the attack's own unit).

    `outcomes` keeps finished batches on disk and reads them back. `cancelled` is asked between
    batches; InterruptedError then, with everything finished kept. DataError without examples or
    labels, SettingError for a radius below 0.
    """
    if not examples:
        raise DataError("expected at least one example to evaluate on, got none; check the data")
    if any(e.label is None for e in examples):
        raise DataError("expected a label on each example, found one without; give labelled texts")
    radii = tuple(sorted({float(e) for e in eps}))
    if not radii or radii[0] < 0 or not np.isfinite(radii).all():
        raise SettingError(f"expected radii of 0 or more, got {list(eps)}; change --eps")
    kept = outcomes or Outcomes()
    labels = [e.label for e in examples]
    rows = [
        _row(_Work(victim, kept, seed, batch_size, cancelled), examples, attack, radii, noise_draws)
        for victim in victims
        for attack in attacks
    ]
    return Grid(
        data, data_hash(examples), tuple(e.id for e in examples), tuple(labels),
        max(labels.count(label) for label in set(labels)) / len(labels), seed, tuple(rows),
    )  # fmt: skip


@dataclass(frozen=True)
class _Work:
    """One model's batches, made or read back."""

    victim: Victim
    outcomes: Outcomes
    seed: int
    batch_size: int
    cancelled: Callable[[], bool]

    def over(
        self, examples: Sequence[Example], places: Sequence[int], attack: Attack | None
    ) -> dict[str, list[Any]]:
        """Columns `right` and `loss` for the examples at `places`, in their order."""
        columns: dict[str, list[Any]] = {
            "right": [None] * len(places),
            "loss": [None] * len(places),
        }
        order = sorted(range(len(places)), key=lambda i: len(examples[places[i]].text))
        for start in range(0, len(order), self.batch_size):
            if self.cancelled():
                raise InterruptedError("the evaluation was stopped; run it again to go on")
            part = order[start : start + self.batch_size]
            made = self._batch([examples[places[i]] for i in part], attack)
            for name, column in columns.items():
                for i, value in zip(part, made[name], strict=True):
                    column[i] = value
        return columns

    def _batch(self, chunk: list[Example], attack: Attack | None) -> dict[str, list[Any]]:
        key = key_of(
            {
                "model": self.victim.hash, "tokenizer": self.victim.tokenizer_hash,
                "max_length": self.victim.max_length,
                "texts": [[e.text, e.label] for e in chunk], "seed": self.seed,
                "attack": None if attack is None else attack_settings(attack),
            }
        )  # fmt: skip
        found = self.outcomes.get(key, len(chunk))
        if found is None:
            found = self._attacked(chunk, attack, int(key[:15], 16))
            self.outcomes.put(key, found)
        return found

    def _attacked(
        self, chunk: list[Example], attack: Attack | None, seed: int
    ) -> dict[str, list[Any]]:
        victim = self.victim
        with victim.analysing(), torch.no_grad():
            [(places, batch)] = by_length(victim, chunk, len(chunk))
            x = victim.embed(batch.input_ids).detach()
            objective = victim.objective(batch)
            if attack is None:
                loss = objective(x)
                right = ~objective.flips(x)
            else:
                dice = torch.Generator().manual_seed(seed)
                with torch.enable_grad():
                    result = attack(objective, x, batch.perturbable, dice, flips=objective.flips)
                loss, right = result.loss.detach(), result.first_flip < 0
        columns: dict[str, list[Any]] = {"right": [False] * len(chunk), "loss": [0.0] * len(chunk)}
        for place, ok, value in zip(places, right.tolist(), loss.tolist(), strict=True):
            columns["right"][place], columns["loss"][place] = ok, value
        return columns


def _row(
    work: _Work, examples: Sequence[Example], attack: Attack, radii: tuple[float, ...], draws: int
) -> Row:
    N, E = len(examples), len(radii)
    victim = work.victim
    first = work.over(examples, range(N), None)
    right = np.array(first["right"], dtype=bool)
    broken = np.where(right, E, -1)
    loss, noise = np.full((E, N), np.nan), np.zeros((E, N), dtype=bool)
    starting = [int(i) for i in right.nonzero()[0]]
    for e, eps in enumerate(radii):
        at = replace(attack, eps=eps).at(victim.scale)
        null = RandomNoise(at.eps, "raw", at.p, at.ball, draws=draws)
        standing = [int(i) for i in (broken == E).nonzero()[0]]
        if eps > 0 and standing:
            found = work.over(examples, standing, at)
            loss[e, standing] = found["loss"]
            broken[standing] = np.where(found["right"], E, e)
        noise[e, starting] = True
        if eps > 0 and starting:
            noise[e, starting] = work.over(examples, starting, null)["right"]
    return Row(
        victim.name, victim.hash, attack_settings(attack), radii,
        tuple(victim.scale.raw(eps, attack.unit) for eps in radii),
        right, np.array(first["loss"]), broken, loss, noise,
    )  # fmt: skip
