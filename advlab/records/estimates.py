"""How sure can one be of a share or a mean, and of the difference between two? No torch here.

Two models judged on the same examples are compared in pairs: only the examples on which they differ
say anything, and far fewer of them are needed than two separate intervals suggest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np

Z = 1.959964  # 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Estimate:
    """A figure over n texts with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    unit: str = "share"  # of the texts, 0 to 1; else the unit of the mean, as "F1" or "nats"

    def __str__(self) -> str:
        """The one way in which it is printed: ‘76.8 % [74–80]’, ‘31.2 [29.8–32.7] BLEU’."""
        if self.unit == "share":
            return f"{100 * self.value:.1f} % [{100 * self.low:.0f}–{100 * self.high:.0f}]"
        if self.low != self.low:  # not a number: nobody knows how sure it is
            return f"{self.value:.3g} {self.unit}".strip()
        return f"{self.value:.3g} [{self.low:.3g}–{self.high:.3g}] {self.unit}".strip()


def wilson(hits: int, n: int) -> Estimate:
    """A share with its 95 % interval (Wilson 1927, JASA 22, 209-212)."""
    if n == 0:
        return Estimate(float("nan"), 0.0, 1.0, 0)
    share = hits / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), n)


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


def share_of(outcomes: Sequence[bool] | np.ndarray) -> Estimate:
    """The share of true outcomes, with its interval."""
    return wilson(int(np.sum(outcomes)), len(outcomes))


def mean_of(
    values: Sequence[float] | np.ndarray, unit: str, *, draws: int = 2000, seed: int = 0
) -> Estimate:
    """The mean of one value a text, with its percentile bootstrap interval over the texts.

    Efron and Tibshirani 1993, §13.3. One text, or equal ones, give an interval of no width: they tell
    nothing about the spread. ValueError without texts, or where a value is not a finite number.
    """
    found = np.asarray(values, dtype=float)
    if found.ndim != 1 or not len(found):
        raise ValueError(
            f"expected one value of each text, got an array of shape {found.shape}; give at least one"
        )
    if not np.isfinite(found).all():
        raise ValueError(
            f"expected finite values of {unit}, got {int((~np.isfinite(found)).sum())} of "
            f"{len(found)} that are not; leave those texts out and say so"
        )
    n, generator = len(found), np.random.default_rng(seed)
    # a draw at a time: all of them at once would hold draws × n places
    means = [found[generator.integers(n, size=n)].mean() for _ in range(draws)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(found.mean()), float(low), float(high), n, unit)


def difference_of(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    unit: str,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """The mean of A's value less B's on the same texts: the texts are drawn in pairs.

    ValueError as of `mean_of`, and when the lengths differ.
    """
    if len(a) != len(b):
        raise ValueError(
            f"expected values of the same texts, got {len(a)} and {len(b)}; evaluate both models on "
            "one data set"
        )
    apart = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    return mean_of(apart, unit, draws=draws, seed=seed)


@dataclass(frozen=True)
class Resampled:
    """A figure over n texts, and what it is on R sets of n texts drawn from them with replacement.

    Figures of the same texts that were drawn with the same seed are of the same sets: draw by draw they
    may be subtracted.
    """

    value: float
    drawn: np.ndarray  # (R,); empty: drawing texts anew says nothing of the figure
    n: int
    unit: str = "share"
    counted: bool = False  # a share of texts of which each does or does not

    @property
    def estimate(self) -> Estimate:
        """With Wilson's interval where texts are counted, else that of the draws, or none.

        The draws' percentiles: Efron and Tibshirani 1993, §13.3. Of a share they would know no doubt
        where all texts are alike.
        """
        if self.counted:
            return wilson(round(self.value * self.n), self.n)
        low, high = _middle(self.drawn)
        return Estimate(self.value, low, high, self.n, self.unit)

    def less(self, other: Resampled) -> Estimate:
        """This figure minus another of the same texts, in pairs of draws."""
        paired = len(self.drawn) == len(other.drawn)
        low, high = _middle(self.drawn - other.drawn) if paired else _middle(np.zeros(0))
        return Estimate(self.value - other.value, low, high, self.n, self.unit)


def _middle(drawn: np.ndarray) -> tuple[float, float]:
    """Where 95 % of the draws lie; not a number without draws.

    A draw without any of the texts that a figure is about says nothing.
    """
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


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
