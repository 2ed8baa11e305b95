"""How sure can one be of a share, and of the difference between two? No torch here.

Two models judged on the same examples are compared in pairs: only the examples on which they differ
say anything, and far fewer of them are needed than two separate intervals suggest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np

Z = 1.959964  # 97.5 % point of the normal distribution


def wilson(hits: int, n: int) -> Rate:
    """A share with its 95 % interval (Wilson 1927, JASA 22, 209-212)."""
    if n == 0:
        return Rate(float("nan"), 0.0, 1.0, 0)
    share = hits / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return Rate(share, max(0.0, centre - half), min(1.0, centre + half), n)


def rank_correlation(
    a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray
) -> float | None:
    """Spearman's ρ, equal values sharing their mean rank; None below 3 pairs or without spread."""
    ranks = [_ranks(np.asarray(v, dtype=float)) for v in (a, b)]
    if len(ranks[0]) < 3 or min(r.std() for r in ranks) == 0:
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[places]


def rate(outcomes: Sequence[bool] | np.ndarray) -> Rate:
    """The share of true outcomes, with its interval."""
    return wilson(int(np.sum(outcomes)), len(outcomes))


@dataclass(frozen=True)
class Paired:
    """Two models on the same examples. `gain` is A's share right minus B's, with its interval."""

    only_a: int  # right under A alone
    only_b: int
    n: int
    gain: float
    low: float  # 95 % interval of `gain`, paired bootstrap
    high: float
    p: float  # McNemar's exact two-sided probability of so uneven a split if they were alike

    @property
    def differ(self) -> bool:
        """Whether the difference is more than chance explains, at 5 %."""
        return self.p < 0.05


def compare(a: Sequence[bool], b: Sequence[bool], *, draws: int = 2000, seed: int = 0) -> Paired:
    """Compare outcomes of two models on the same n examples, in the same order.

    McNemar's exact test (McNemar 1947, Psychometrika 12) and a paired bootstrap of the difference
    (Efron and Tibshirani 1993). ValueError when the lengths differ.
    """
    if len(a) != len(b):
        raise ValueError(
            f"expected outcomes on the same examples, got {len(a)} and {len(b)}; evaluate both "
            "models on one data set"
        )
    first, second = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    n = len(first)
    only_a, only_b = int((first & ~second).sum()), int((~first & second).sum())
    if n == 0:
        return Paired(0, 0, 0, float("nan"), -1.0, 1.0, 1.0)
    # a bootstrap sample of n pairs holds Multinomial counts of the three kinds of pair
    dice = np.random.default_rng(seed)
    counts = dice.multinomial(n, [only_a / n, only_b / n, (n - only_a - only_b) / n], size=draws)
    low, high = np.quantile((counts[:, 0] - counts[:, 1]) / n, [0.025, 0.975])
    return Paired(
        only_a, only_b, n, (only_a - only_b) / n, float(low), float(high), mcnemar(only_a, only_b)
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p: the chance of a split at least as uneven, were both sides as likely."""
    m, k = only_a + only_b, min(only_a, only_b)
    if m == 0:
        return 1.0
    tail = sum(comb(m, i) for i in range(k + 1))
    return min(1.0, float(2 * tail / 2**m)) if m < 1000 else _normal_p(only_a, only_b)


def _normal_p(only_a: int, only_b: int) -> float:
    """The normal approximation with continuity correction, for many differing pairs."""
    from math import erfc

    z = max(abs(only_a - only_b) - 1, 0) / sqrt(only_a + only_b)
    return erfc(z / sqrt(2))


@dataclass(frozen=True)
class Spread:
    """A figure over several seeds."""

    values: tuple[float, ...]
    mean: float
    low: float  # smallest
    high: float  # largest
    deviation: float  # sample standard deviation; not a number for one seed


def over_seeds(values: Sequence[float]) -> Spread:
    """Mean, range and standard deviation of one figure over runs that differ in their seed alone."""
    made = tuple(float(v) for v in values)
    deviation = float(np.std(made, ddof=1)) if len(made) > 1 else float("nan")
    return Spread(made, float(np.mean(made)), min(made), max(made), deviation)


@dataclass(frozen=True)
class Rate:
    """A share of examples with its Wilson 95 % interval."""

    value: float
    low: float
    high: float
    n: int
