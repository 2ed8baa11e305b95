from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, spearmanr

from advlab.records.estimates import compare, mcnemar, over_seeds, rank_correlation, wilson


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
