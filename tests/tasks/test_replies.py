"""What is said of many replies at once, with figures worked out by hand."""

from __future__ import annotations

import math

import pytest

from advlab.tasks.replies import distinct, flip_rate, perplexity


def test_perplexity_weighs_tokens_and_not_replies() -> None:
    assert perplexity([math.log(2), math.log(8)], [3, 1]) == pytest.approx(2 ** (6 / 4))
    assert perplexity([0.0], [5]) == 1.0
    assert perplexity([1e9], [1]) < math.inf


def test_replies_that_changed_are_counted() -> None:
    found = flip_rate(["a", "b", "c", "d"], ["a", "x", "c", "y"])
    assert found.value == 0.5
    assert found.low < 0.5 < found.high


def test_distinct_counts_different_n_grams_within_replies() -> None:
    replies = ["go north now", "go north", "go"]
    assert distinct(replies, 1) == 3 / 6  # go, north, now
    assert distinct(replies, 2) == 2 / 3  # go north, north now: none across two replies
    assert distinct(replies, 1, words=3) == 1.0
    assert distinct(replies, 2, words=4) == 1.0  # the second reply is cut to “go”
    assert distinct([], 2) == 0.0
    assert distinct(["好的好的"], 1) == 2 / 4  # 好, 的
    assert distinct(["好的好的", "好"], 2, words=4) == 2 / 3  # 好的, 的好
