"""Figures of answers: values by hand, and what their intervals know and do not know."""

from __future__ import annotations

import math

import numpy as np
import pytest

from advlab.records import Example
from advlab.records.estimates import Resampled, mean_of, wilson
from advlab.tasks import quoted
from advlab.tasks.bleu import corpus_figures
from advlab.tasks.quoted import Said, quote
from advlab.tasks.translation import Translation

N = 40


def test_a_mean_has_its_bootstrap_and_a_share_wilsons_interval() -> None:
    values = np.random.default_rng(0).random(N)
    draws = np.random.default_rng(1).choice(N, size=(1000, N))
    found = quoted._resampled(quoted.mean("F1", values.tolist()), draws).estimate
    wanted = mean_of(values, "share")
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=0.01)
    # of texts that are all alike a bootstrap would know no doubt
    none = quoted._resampled(quoted.share("exact", [False] * N), draws).estimate
    assert none == wilson(0, N)


def test_a_part_is_a_mean_over_its_own_texts_and_draws_without_any_say_nothing() -> None:
    draws = np.array([[0, 0, 0], [1, 1, 2], [0, 1, 2]])
    found = quoted._resampled(
        quoted.part("F1 without one", [0.9, 0.2, 0.4], [False, True, True]), draws
    )
    assert found.value == pytest.approx(0.3)
    assert math.isnan(found.drawn[0])
    assert found.estimate.low == pytest.approx(0.2667 + 0.025 * 0.0333, abs=1e-3)


def test_two_models_are_compared_draw_by_draw() -> None:
    """Texts that are hard for both widen each interval, and not that of the difference."""
    easy = np.random.default_rng(0).random(N)
    draws = np.random.default_rng(1).choice(N, size=(1000, N))
    a = quoted._resampled(quoted.mean("F1", easy.tolist()), draws)
    b = quoted._resampled(quoted.mean("F1", (easy - 0.05).tolist()), draws)
    apart = a.less(b)
    assert apart.value == pytest.approx(0.05)
    assert apart.low == pytest.approx(0.05)
    assert apart.high == pytest.approx(0.05)
    assert a.estimate.low < b.estimate.high  # side by side they overlap


def test_a_figure_without_draws_has_no_interval_and_says_none() -> None:
    found = Resampled(0.25, np.zeros(0), N, "").estimate
    assert str(found) == "0.25"
    assert math.isnan(found.low)
    assert math.isnan(Resampled(0.5, np.zeros(0), N, "").less(Resampled(0.2, np.zeros(9), N)).low)


def test_bleu_is_left_out_where_answers_are_too_short_for_it_to_count() -> None:
    short = ["14:30", "1984", "3 kg"]
    assert [f.name for f in corpus_figures(short, [[s] for s in short])] == ["chrF"]
    long = ["the old man sees a dog", "a dog sings in town"]
    found = {f.name: f for f in corpus_figures(long, [[s] for s in long])}
    assert found["BLEU"].of(np.arange(2)) == pytest.approx(100)
    assert found["chrF"].note.startswith("nrefs:1|case:mixed")


def test_texts_with_several_references_say_so_in_the_signature() -> None:
    known = [["the old man sees a dog", "an old man sees a dog"], ["a dog sings in town"]]
    assert all(f.note.startswith("nrefs:var") for f in corpus_figures([k[0] for k in known], known))


def test_what_changed_is_told_against_the_clean_answers() -> None:
    examples = [Example(str(i), "x", ("the old man sees a dog",)) for i in range(4)]
    clean = [Said("the old man sees a dog", 0.1, 7)] * 4
    worse = [Said("the old man sees a cat", 2.0, 7), *clean[1:]]
    found = {one.name: one for one in quote(Translation(), clean, [worse], [clean], examples)}
    assert found["answer changed"].robust[0].value == 0.25
    assert found["answer changed"].noisy[0].value == 0.0
    assert found["answer changed"].lower
    assert found["exact match"].robust[0].estimate == wilson(3, 4)
    assert found["BLEU"].clean.value == pytest.approx(100)
    assert 0 < found["BLEU"].robust[0].value < 100
