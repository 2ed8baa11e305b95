from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from captum import attr
from explained import SOME, by_word, case, score, without
from torch import Tensor

from advlab.explain import ablations
from advlab.explain.saliency import explain
from advlab.explain.targets import BASELINES, Case


@pytest.mark.parametrize("kind", SOME)
def test_leaving_one_out_is_done_by_hand(kind: str) -> None:
    found = case(kind)
    own = "mask" if found.target.victim.tokenizer.mask_token_id is not None else "pad"
    rows = ablations.leave_one_out(found).tokens
    for row, view in zip(rows, found.views.split(1), strict=True):
        with torch.no_grad():
            whole = score(found.target, view)
            by_hand = torch.stack(
                [
                    whole - score(found.target, without(found, view, {w}, own))
                    for w in range(found.W)
                ]
            )
        torch.testing.assert_close(by_word(found, row), by_hand, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("baseline", list(BASELINES))
def test_feature_ablation_is_captums_with_a_mask_of_words(baseline: str) -> None:
    found = case("bert", baseline=baseline)
    mask = torch.tensor([max(w, 0) for w in found.word_of])[None, :, None]
    for i, view in enumerate(found.views.split(1)):
        theirs = attr.FeatureAblation(found.target).attribute(
            view,
            baselines=without(found, view, range(found.W), baseline),
            feature_mask=mask.expand_as(view),
            perturbations_per_eval=4,
        )
        mine = by_word(found, ablations.feature_ablation(found).tokens[i])
        first = [found.word_of.index(w) for w in range(found.W)]
        torch.testing.assert_close(mine, theirs[0, first, 0], rtol=1e-9, atol=1e-11)


def test_ablation_at_mask_is_leaving_one_out_and_so_is_occlusion_of_one_word() -> None:
    found = case("bert", baseline="mask")
    left = ablations.leave_one_out(found).tokens
    torch.testing.assert_close(ablations.feature_ablation(found).tokens, left)
    torch.testing.assert_close(ablations.occlusion(found, window=1).tokens, left)


def test_occlusion_is_the_mean_over_the_windows_of_a_word_by_hand() -> None:
    found = case("distilbert")
    view = found.views[:1]
    W = found.W
    with torch.no_grad():
        whole = score(found.target, view)
        drops = [
            float(whole - score(found.target, without(found, view, {w, w + 1})))
            for w in range(W - 1)
        ]
    by_hand = [np.mean([drops[k] for k in (w - 1, w) if 0 <= k < W - 1]) for w in range(W)]
    found_words = by_word(found, ablations.occlusion(found, window=2).tokens[0])
    np.testing.assert_allclose(found_words.numpy(), by_hand, rtol=1e-6, atol=1e-8)


def shapley(found: Case, view: Tensor) -> list[float]:
    """Shapley values by their definition, over all coalitions."""
    W = found.W
    with torch.no_grad():
        value = {
            kept: float(score(found.target, without(found, view, set(range(W)) - set(kept))))
            for k in range(W + 1)
            for kept in itertools.combinations(range(W), k)
        }
    values = [0.0] * W
    for kept, before in value.items():
        for w in set(range(W)) - set(kept):
            share = math.factorial(len(kept)) * math.factorial(W - len(kept) - 1)
            after = value[tuple(sorted((*kept, w)))]
            values[w] += share / math.factorial(W) * (after - before)
    return values


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("text", ["good", "the film was good", "we saw a very fine scene and a"])
def test_kernel_shap_with_all_coalitions_gives_shapley_values(kind: str, text: str) -> None:
    found = case(kind, text)
    rows = ablations.kernel_shap(found, samples=16).tokens
    assert 2**found.W <= 16
    for row, view in zip(rows, found.views.split(1), strict=True):
        np.testing.assert_allclose(
            by_word(found, row).numpy(), shapley(found, view), rtol=1e-4, atol=1e-5
        )


def test_drawn_coalitions_come_near_the_shapley_values_and_nearer_with_more() -> None:
    found = case("bert", "i would not see the slow dull movie again but the actor was great")
    exact = ablations.kernel_shap(found, samples=2**found.W).tokens[0]
    errors = []
    for samples in (24, 96):
        gaps = [
            float((ablations.kernel_shap(found, samples=samples, seed=s).tokens[0] - exact).norm())
            for s in range(4)
        ]
        errors.append(float(np.mean(gaps)))
    assert errors[1] < errors[0] < float(exact.norm())


def test_drawn_coalitions_follow_the_shapley_kernel() -> None:
    W = 6
    rows, weights = ablations.drawn_coalitions(W, 6000, seed=0)
    assert weights[:2].isinf().all()
    sizes = rows[2:].sum(1).long()
    expected = np.array([1 / (k * (W - k)) for k in range(1, W)])
    shares = np.array([(sizes == k).float().mean() for k in range(1, W)])
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.03)
    torch.testing.assert_close(rows[2::2], 1 - rows[3::2])  # each with its complement
    _, kernel = ablations.all_coalitions(W)
    assert int(kernel.isinf().sum()) == 2


def test_kernel_shap_adds_up_however_few_samples_it_has() -> None:
    shown = explain("kernel_shap", case("bert"), samples=8)
    assert shown.clean.completeness is not None
    assert shown.clean.completeness < 1e-5
    assert "few" in shown.note


def test_lime_is_a_weighted_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    found = case("bert")
    seen: list[tuple[np.ndarray, ...]] = []
    original = ablations.Surrogate.fit

    def watch(self: Any, train_data: Any, **_: object) -> None:
        seen.append(tuple(t.double().numpy() for t in train_data.dataset.tensors))
        original(self, train_data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablations.Surrogate, "fit", watch)
        rows = ablations.lime(found, samples=60, seed=4).tokens
    for row, (gates, values, weights) in zip(rows, seen, strict=True):
        theirs = Ridge(alpha=1.0).fit(gates, values, sample_weight=weights)
        np.testing.assert_allclose(by_word(found, row), theirs.coef_, rtol=1e-5, atol=1e-6)
        assert weights[0] == weights.max()  # the whole text counts most
