"""Shields: what a link keeps of them, and what the round trip shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from samples import sample_record

from advlab.ui.explore.request import LIMIT, from_link, merged, to_link
from advlab.ui.explore.shield import runs
from advlab.ui.explore.views.round_trip import round_trip_html, shielded_tokens

SPANS = some.lists(
    some.tuples(some.integers(0, LIMIT - 1), some.integers(1, 40)).map(
        lambda pair: (pair[0], min(pair[0] + pair[1], LIMIT))
    ),
    max_size=400,
)


def covered(spans) -> set[int]:
    return {k for start, end in spans for k in range(start, end)}


@given(SPANS)
def test_a_link_shields_what_was_shielded(spans: list[tuple[int, int]]) -> None:
    back = from_link(to_link(tuple(spans)), LIMIT)
    assert covered(back) == covered(spans)
    assert back == merged(back)


def test_no_text_is_too_long_for_its_link() -> None:
    letters = tuple((k, k + 1) for k in range(0, LIMIT, 2))  # the most spans that can be
    assert from_link(to_link(letters), LIMIT) == letters


@given(some.sets(some.integers(0, 89)))
def test_neighbouring_words_make_one_span_and_no_other_word_is_in_it(tokens: set[int]) -> None:
    places = [(5 * k, 5 * k + 4) for k in range(90)]
    spans = runs(sorted(tokens), places)
    inside = {
        k for k, (s, e) in enumerate(places) if any(s < end and e > start for start, end in spans)
    }
    assert inside == tokens
    assert len(spans) == sum(t - 1 not in tokens for t in tokens)


@pytest.mark.parametrize("value", ["", "4", "9-4", "a-b", "1-99999", "-1-4", "1.5-2"])
def test_what_is_no_span_is_left_out(value: str) -> None:
    assert from_link(value, 50) == ()


def test_shielded_words_stay_in_the_round_trip_and_are_marked() -> None:
    record = sample_record()
    T = len(record.tokens)
    words = np.flatnonzero(record.perturbable)
    places = np.array([[5 * t, 5 * t + 4] if record.perturbable[t] else [0, 0] for t in range(T)])
    free = record.perturbable.copy()
    free[words[1]] = False
    start, end = places[words[1]].tolist()
    held = replace(record, spans=places, perturbable=free, shield=((start, end),))
    assert np.flatnonzero(shielded_tokens(held)).tolist() == [words[1]]
    first = round_trip_html(held).split("2 · vectors")[0]
    for t in words:
        assert f">{record.tokens[t]}{' (shielded)' if t == words[1] else ''}<" in first
    assert "× mean norm" in round_trip_html(held)
