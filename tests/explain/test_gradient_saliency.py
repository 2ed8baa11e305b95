from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from captum import attr
from explained import SOME, baseline_of, by_word, case, gradient, linear_case, score, without
from torch import Tensor
from victims import KINDS

from advlab.explain import attributions
from advlab.explain.saliency import METHODS, explain
from advlab.explain.targets import BASELINES, baselines_of

# ---- gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_saliency_is_the_length_of_the_gradient_taken_by_hand(kind: str) -> None:
    found = case(kind)
    rows = attributions.gradient_norm(found).tokens
    for row, view in zip(rows, found.views.split(1), strict=True):
        by_hand = gradient(found.target, view)[0].pow(2).sum(-1).sqrt()
        torch.testing.assert_close(row, by_hand, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_input_times_gradient_is_their_product_taken_by_hand(kind: str) -> None:
    found = case(kind)
    rows = attributions.input_x_gradient(found).tokens
    for row, view in zip(rows, found.views.split(1), strict=True):
        by_hand = (view * gradient(found.target, view))[0].sum(-1)
        torch.testing.assert_close(row, by_hand, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", SOME)
def test_integrated_gradients_are_a_weighted_mean_of_gradients_taken_by_hand(kind: str) -> None:
    found = case(kind)
    rows = attributions.integrated_gradients(found, steps=32).tokens
    marks, weights = np.polynomial.legendre.leggauss(32)  # on [−1, 1]
    weights = weights.astype(np.float32).astype(float)  # Captum keeps the weights in float32
    for row, view in zip(rows, found.views.split(1), strict=True):
        start = baseline_of(found, view)
        mean = torch.zeros_like(view)
        for mark, weight in zip(marks, weights, strict=True):
            mean += weight / 2 * gradient(found.target, start + (mark + 1) / 2 * (view - start))
        by_hand = ((view - start) * mean)[0].sum(-1)
        torch.testing.assert_close(row, by_hand, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", SOME)
def test_the_gradient_methods_are_captums_called_by_hand(kind: str) -> None:
    found = case(kind)
    target, clean = found.target, found.views[:1]

    def forward(embeds: Tensor) -> Tensor:
        logits = target.victim.output(embeds, target.batch.repeat(len(embeds)))
        return logits[:, 2] - logits[:, 0]

    x = clean.clone().requires_grad_()
    theirs = {
        "saliency": attr.Saliency(forward).attribute(x, abs=False).norm(dim=-1),
        "input_x_gradient": attr.InputXGradient(forward).attribute(x).sum(-1),
        "integrated_gradients": attr.IntegratedGradients(forward)
        .attribute(x, baselines=baseline_of(found, clean), n_steps=32, method="gausslegendre")
        .sum(-1),
    }
    for method, expected in theirs.items():
        torch.testing.assert_close(
            METHODS[method].run(found).tokens[:1], expected.detach(), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_smooth_grad_and_its_spread_are_captums_noise_tunnel(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = case(kind)
    found = replace(found, ordinary=torch.ones_like(found.ordinary))  # Captum knows no specials
    victim, D = found.target.victim, found.views.shape[2]
    mine = attributions.smooth_grad(found, samples=10, noise=0.5, seed=7)
    tunnel = attr.NoiseTunnel(attr.Saliency(found.target))
    size = 0.5 * victim.scale.mean_norm / D**0.5
    dice = torch.Generator().manual_seed(7)
    noise = size * torch.randn(10, *found.views.shape[1:], generator=dice, dtype=torch.float64)
    # Captum's own noise is float32 and from the process's dice
    monkeypatch.setattr(torch, "normal", lambda *_: noise)
    for i, view in enumerate(found.views.split(1)):
        theirs = []
        for kind_ in ("smoothgrad", "vargrad"):
            x = view.clone().requires_grad_()
            theirs.append(
                tunnel.attribute(
                    x,
                    nt_type=kind_,
                    nt_samples=10,
                    nt_samples_batch_size=10,
                    stdevs=size,
                    abs=False,
                )
            )
        torch.testing.assert_close(mine.tokens[i], theirs[0][0].norm(dim=-1).detach())
        assert mine.spread is not None
        torch.testing.assert_close(mine.spread[i], theirs[1][0].sum(-1).sqrt().detach())


def test_noise_without_size_is_the_plain_gradient() -> None:
    found = case("bert")
    still = attributions.smooth_grad(found, samples=3, noise=0.0)
    torch.testing.assert_close(still.tokens, attributions.gradient_norm(found).tokens)
    assert still.spread is not None
    assert float(still.spread.abs().max()) < 1e-7


def test_shap_draws_are_captums_gradient_shap_at_the_same_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = case("distilbert")
    x, start = found.views[1:], baseline_of(found, found.views[1:])
    place = torch.rand(12, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    monkeypatch.setattr(np.random, "uniform", lambda *_: place.numpy())
    theirs = attr.GradientShap(found.target).attribute(
        x.clone().requires_grad_(), baselines=start, n_samples=12, stdevs=0.0
    )
    mine = attributions.shap_draws(
        found.target, x.expand(12, -1, -1), start.expand(12, -1, -1), place[:, None, None]
    )
    torch.testing.assert_close(mine.mean(0), theirs[0].sum(-1).detach(), rtol=1e-9, atol=1e-11)


def test_gradient_shap_is_the_mean_of_its_draws_and_owns_up_to_their_spread() -> None:
    found = case("bert")
    raw = attributions.gradient_shap(found, samples=16, seed=2)
    assert raw.draws is not None
    torch.testing.assert_close(raw.tokens, raw.draws.mean(1))
    shown = explain("gradient_shap", found, samples=16, seed=2)
    rows = np.stack([by_word(found, d).numpy() for d in raw.draws[1]])
    assert shown.perturbed.spread is not None
    np.testing.assert_allclose(shown.perturbed.spread, rows.std(0), rtol=1e-9)
    assert "at random" in shown.baseline


# ---- completeness ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("baseline", list(BASELINES))
def test_integrated_gradients_add_up_to_what_they_explain(kind: str, baseline: str) -> None:
    found = case(kind, baseline=baseline)
    if baseline not in baselines_of(found.target.victim):
        pytest.skip("this tokenizer has no MASK")
    shown = explain("integrated_gradients", found, steps=256)
    errors = (shown.clean.completeness, shown.perturbed.completeness)
    for i, view in enumerate(found.views.split(1)):
        with torch.no_grad():
            start = score(found.target, without(found, view, range(found.W), baseline))
            rise = score(found.target, view) - start
        tokens = (shown.clean, shown.perturbed)[i].tokens
        gap = abs(float(tokens.sum() - rise))
        # DistilBERT's head has a ReLU: the path has kinks, where the integral converges slowly
        assert gap < (1e-2 if kind == "distilbert" else 1e-3) * abs(float(rise))
        assert errors[i] == pytest.approx(gap / abs(float(rise)), rel=1e-4, abs=1e-9)
        assert shown.value_baseline == pytest.approx(float(start))
    with torch.no_grad():
        value = float(score(found.target, found.views[:1]))
    assert shown.clean.value == pytest.approx(value)


def test_too_few_steps_are_owned_up_to() -> None:
    errors = [
        explain("integrated_gradients", case("bert"), steps=n).clean.completeness for n in (1, 32)
    ]
    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[0] > 20 * errors[1]


def test_where_the_target_hardly_changes_the_gap_is_absolute() -> None:
    found = case("bert")
    start = baseline_of(found, found.views[:1])
    still = replace(found, views=torch.cat([start, start + 1e-9]))
    shown = explain("integrated_gradients", still)
    assert shown.clean.completeness is None
    assert shown.clean.gap == pytest.approx(0.0, abs=1e-9)


# ---- closed forms ---------------------------------------------------------------------------


def test_on_a_linear_model_every_gradient_method_has_its_closed_form() -> None:
    found, slope = linear_case()
    start = baseline_of(found, found.views[:1])
    exact = {
        "saliency": slope.norm(dim=-1).expand(2, -1),
        "smooth_grad": slope.norm(dim=-1).expand(2, -1),
        "input_x_gradient": (found.views * slope).sum(-1),
        "integrated_gradients": ((found.views - start) * slope).sum(-1),
    }
    for method, expected in exact.items():
        # the weights of Captum's integral are rounded to float32
        near = 1e-7 if method == "integrated_gradients" else 1e-12
        torch.testing.assert_close(
            METHODS[method].run(found).tokens, expected, rtol=near, atol=near
        )
    error = explain("integrated_gradients", found).clean.completeness
    assert error is not None
    assert error < 1e-6


def test_on_a_linear_model_every_way_of_removing_words_gives_the_same_shares() -> None:
    found, slope = linear_case()
    assert found.W > 6
    start = baseline_of(found, found.views[:1])
    expected = torch.stack([by_word(found, row) for row in ((found.views - start) * slope).sum(-1)])
    for method in ("feature_ablation", "kernel_shap"):  # far fewer samples than coalitions
        settings = {"samples": 60} if method == "kernel_shap" else {}
        for i, row in enumerate(METHODS[method].run(found, **settings).tokens):
            # Captum's LIME works in float32
            torch.testing.assert_close(by_word(found, row), expected[i], rtol=1e-4, atol=1e-4)
