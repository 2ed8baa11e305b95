from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, spearmanr

from advlab.records.estimates import (
    Estimate,
    compare,
    difference_of,
    mcnemar,
    mean_of,
    over_seeds,
    rank_correlation,
    share_of,
    wilson,
)
from advlab.runs.standing import as_estimate


@pytest.mark.parametrize(("a", "b"), [(0, 0), (5, 0), (3, 9), (40, 61), (120, 80), (7, 7)])
def test_mcnemar_is_the_exact_binomial_test(a: int, b: int) -> None:
    wanted = binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
    assert mcnemar(a, b) == pytest.approx(wanted, rel=1e-9)


def test_many_pairs_go_to_the_normal_approximation_without_a_jump() -> None:
    assert mcnemar(530, 470) == pytest.approx(binomtest(530, 1000, 0.5).pvalue, rel=0.02)


@pytest.mark.parametrize(
    ("hits", "n"), [(0, 1), (1, 1), (0, 40), (40, 40), (3, 7), (88, 120), (1, 2000)]
)
def test_a_share_has_wilsons_interval(hits: int, n: int) -> None:
    found = wilson(hits, n)
    wanted = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert (found.value, found.n) == (hits / n, n)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_pairs_see_what_two_intervals_cannot() -> None:
    dice = np.random.default_rng(0)
    b = dice.random(500) < 0.7
    a = b.copy()
    a[np.flatnonzero(~b)[:15]] = True  # 3 points better, nowhere worse
    found = compare(a.tolist(), b.tolist())
    assert (found.only_a, found.only_b, found.n) == (15, 0, 500)
    assert found.gain == pytest.approx(0.03)
    assert 0 < found.low < 0.03 < found.high
    assert found.differ
    one, other = wilson(int(a.sum()), 500), wilson(int(b.sum()), 500)
    assert one.low < other.high  # their separate intervals overlap


def test_the_bootstrap_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    dice = np.random.default_rng(1)
    hits = 0
    for i in range(200):
        a, b = dice.random(300) < 0.6, dice.random(300) < 0.5
        found = compare(a.tolist(), b.tolist(), draws=400, seed=i)
        hits += found.low <= 0.1 <= found.high
    assert 180 <= hits <= 199


def test_alike_models_rarely_differ() -> None:
    dice = np.random.default_rng(2)
    alarms = sum(
        compare((dice.random(200) < 0.5).tolist(), (dice.random(200) < 0.5).tolist()).differ
        for _ in range(200)
    )
    assert alarms <= 20


def test_outcomes_on_different_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="same examples"):
        compare([True], [True, False])


def test_seeds_are_told_by_mean_and_range() -> None:
    found = over_seeds([0.5, 0.6, 0.7])
    assert (found.mean, found.low, found.high) == (pytest.approx(0.6), 0.5, 0.7)
    assert found.deviation == pytest.approx(0.1)
    assert np.isnan(over_seeds([0.5]).deviation)


def test_rank_correlation_is_scipys_and_undefined_where_it_means_nothing() -> None:
    dice = np.random.default_rng(0)
    for n in (3, 8, 30):
        a, b = dice.integers(0, 6, n) + np.arange(n) / 7, dice.integers(0, 6, n)
        assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b)[0])
    assert rank_correlation([1, 2, 3], [10, 20, 90]) == pytest.approx(1)
    assert rank_correlation([1, 2], [2, 1]) is None
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None


# ---- the mean of one value a text ---------------------------------------------------------------


def skewed(n: int, seed: int) -> np.ndarray:
    """Values whose mean is 1 and whose spread is 1."""
    return np.random.default_rng(seed).exponential(size=n)


def test_a_mean_has_the_percentile_interval_that_scipy_has() -> None:
    values = skewed(150, 4)
    found = mean_of(values, "F1", draws=20_000)
    wanted = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(9)
    ).confidence_interval
    assert (found.value, found.n, found.unit) == (pytest.approx(values.mean()), 150, "F1")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=0.01)
    assert found.high - found.low > 0.2


def test_the_interval_of_a_mean_holds_the_truth_about_as_often_as_it_says() -> None:
    found = [mean_of(skewed(100, i), "nats", draws=400, seed=i) for i in range(300)]
    hits = sum(one.low <= 1 <= one.high for one in found)
    assert 0.89 <= hits / 300 <= 0.98


def test_the_difference_of_two_means_pairs_the_texts() -> None:
    b = skewed(80, 1)
    noise = 0.01 * np.random.default_rng(2).normal(size=80)
    found = difference_of(b + 0.1 + noise, b, "F1")
    assert found.low < 0.1 < found.high
    assert found.high - found.low < 0.01  # two separate intervals are forty times as wide
    wanted = bootstrap(
        (b + 0.1 + noise, b),
        lambda x, y: np.mean(x - y),
        paired=True,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=5e-4)
    with pytest.raises(ValueError, match="same texts, got 2 and 3; evaluate both"):
        difference_of([1.0, 2.0], [1.0, 2.0, 3.0], "F1")


def test_an_interval_is_the_same_whenever_it_is_made() -> None:
    values = skewed(30, 0)
    assert mean_of(values, "F1") == mean_of(values.tolist(), "F1")
    assert mean_of(values, "F1", seed=1) != mean_of(values, "F1")


@pytest.mark.parametrize("values", [[0.25], [0.5] * 7])
def test_one_text_or_equal_ones_have_an_interval_of_no_width(values: list[float]) -> None:
    found = mean_of(values, "F1")
    assert (found.low, found.value, found.high) == (values[0],) * 3
    assert found.n == len(values)


def test_a_mean_of_nothing_or_of_no_numbers_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"expected one value of each text.*give at least one"):
        mean_of([], "F1")
    with pytest.raises(ValueError, match="expected finite values of F1, got 2 of 3 that are not"):
        mean_of([1.0, float("nan"), float("inf")], "F1")


def test_an_estimate_is_printed_in_one_way() -> None:
    assert str(wilson(88, 120)) == "73.3 % [65–80]"
    assert str(Estimate(31.24, 29.83, 32.66, 200, "BLEU")) == "31.2 [29.8–32.7] BLEU"


def test_estimates_of_older_runs_are_read_as_shares() -> None:
    old = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 100}
    assert as_estimate(old) == Estimate(0.8, 0.7, 0.9, 100, "share")
    made = share_of([True, False, True])
    assert as_estimate(vars(made)) == made
    made = mean_of([1.0, 2.0], "nats")
    assert as_estimate(vars(made)) == made
