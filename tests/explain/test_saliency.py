from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from captum import attr
from torch import Tensor
from victims import KINDS, TEXTS, make_victim, shared_victim

from advlab.errors import SettingError
from advlab.explain import ablations, attributions
from advlab.explain.saliency import METHODS, explain, to_words
from advlab.explain.targets import BASELINES, Case, Target, baselines_of, make_target
from advlab.model.victim import Victim
from advlab.records import Reading

SOME = ("bert", "distilbert", "gpt2")
TEXT = TEXTS[1]
QUICK: dict[str, dict[str, float]] = {
    "smooth_grad": {"samples": 6},
    "gradient_shap": {"samples": 8},
    "kernel_shap": {"samples": 80},
    "lime": {"samples": 80},
}


def case(kind: str, text: str = TEXT, baseline: str = "pad", victim: Victim | None = None) -> Case:
    """A margin of one text, clean and perturbed, two tokens a word, in float64."""
    victim = victim or shared_victim(kind)
    batch = victim.encode([text])
    clean = victim.embed(batch).detach()
    dice = torch.Generator().manual_seed(3)
    noise = torch.randn(clean.shape, generator=dice, dtype=clean.dtype)
    free = batch.perturbable[0]
    moved = clean + 0.1 * noise * free[None, :, None]
    places = (free.cumsum(0) - 1).tolist()
    word_of = tuple(p // 2 if f else -1 for p, f in zip(places, free.tolist(), strict=True))
    return Case(aimed(victim, batch), torch.cat([clean, moved]), word_of, free, baseline)


def aimed(victim: Victim, batch: Any) -> Target:
    """The margin of class 2 over class 0."""
    return make_target(victim, batch, torch.zeros(1, 3), "margin", 2, 0)


def score(target: Target, embeds: Tensor) -> Tensor:
    """The margin written out, without the class under test: (1,T,D) -> ()."""
    logits = target.victim.output(embeds, target.batch)[0]
    return logits[2] - logits[0]


def gradient(target: Target, embeds: Tensor) -> Tensor:
    x = embeds.clone().requires_grad_()
    return torch.autograd.grad(score(target, x), x)[0]


def baseline_of(found: Case, view: Tensor) -> Tensor:
    victim, start = found.target.victim, view.clone()
    for t, free in enumerate(found.target.batch.perturbable[0].tolist()):
        if free:
            start[0, t] = victim.table[victim.tokenizer.pad_token_id]
    return start


def without(found: Case, view: Tensor, words: Any, baseline: str = "pad") -> Tensor:
    """The view with the tokens of some words replaced, by hand."""
    row = BASELINES[baseline].row(found.target.victim)
    assert row is not None
    start = view.clone()
    for t, word in enumerate(found.word_of):
        if word in words:
            start[0, t] = row
    return start


def by_word(found: Case, tokens: Tensor) -> Tensor:
    return to_words(tokens, found.word_of, signed=True)[0]


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


class Linear:
    """A model whose logits are linear in the embeddings: Σₜ aₜ·W eₜ."""

    def __init__(self, victim: Victim, T: int) -> None:
        dice = torch.Generator().manual_seed(0)
        D = victim.table.shape[1]
        self.weight = torch.randn(T, D, 3, generator=dice, dtype=torch.float64)
        self.table, self.tokenizer, self.ordinary = victim.table, victim.tokenizer, victim.ordinary
        self.head, self.scale = victim.head, victim.scale
        self.task, self.reader = victim.task, victim.reader

    def output(self, embeds: Tensor, batch: Any) -> Tensor:
        assert len(batch) == len(embeds)
        return torch.einsum("btd,tdc->bc", embeds, self.weight)

    def read(self, embeds: Tensor, batch: Any) -> Reading:
        many = batch.repeat(len(embeds))
        out = self.output(embeds, many)
        return self.task.read(out, many, out, many, self.reader)


def linear_case() -> tuple[Case, Tensor]:
    """A case of the linear model, and the slope of its margin (T,D)."""
    found = case("bert")
    model: Any = Linear(found.target.victim, found.views.shape[1])
    found = replace(found, target=aimed(model, found.target.batch))
    return found, model.weight[:, :, 2] - model.weight[:, :, 0]


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


# ---- taking words away ----------------------------------------------------------------------


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


# ---- DeepLift -------------------------------------------------------------------------------


class Perceptron(torch.nn.Module):
    """Logits of one hidden layer over all embeddings, with ReLU: what DeepLift is made for."""

    def __init__(self, T: int, D: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.first, self.last = torch.nn.Linear(T * D, 12), torch.nn.Linear(12, 3)
        self.relu = torch.nn.ReLU()
        self.double().requires_grad_(False)

    def forward(self, embeds: Tensor) -> Tensor:
        return self.last(self.relu(self.first(embeds.flatten(1))))


class Plain(Linear):
    """A perceptron in place of a victim."""

    def __init__(self, victim: Victim, T: int) -> None:
        super().__init__(victim, T)
        self.model = Perceptron(T, victim.table.shape[1])

    def output(self, embeds: Tensor, batch: Any) -> Tensor:
        return self.model(embeds)

    def view(self) -> Plain:
        return self


def test_deep_lift_is_the_rescale_rule_where_it_is_valid() -> None:
    found = case("bert")
    victim: Any = Plain(found.target.victim, found.views.shape[1])
    found = replace(found, target=aimed(victim, found.target.batch))
    shown = explain("deep_lift", found)
    assert shown.withheld == ""
    assert shown.clean.completeness is not None
    assert shown.clean.completeness < 1e-6
    net = victim.model
    x, start = found.views[:1].flatten(1), baseline_of(found, found.views[:1]).flatten(1)
    into, into_start = net.first(x), net.first(start)
    slope = (net.relu(into) - net.relu(into_start)) / (into - into_start)  # Δout ÷ Δin
    back = ((net.last.weight[2] - net.last.weight[0]) * slope) @ net.first.weight
    by_hand = ((x - start) * back).view(found.views.shape[1:]).sum(-1)
    np.testing.assert_allclose(shown.clean.tokens, by_hand.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_deep_lift_is_withheld_where_its_rule_does_not_fit(kind: str) -> None:
    shown = explain("deep_lift", case(kind))
    assert "activation" in shown.withheld
    assert np.isnan(shown.clean.tokens).all()
    assert shown.clean.completeness is None


def test_deep_lift_is_withheld_where_it_does_not_add_up() -> None:
    victim = make_victim("bert")
    for module in list(victim.model.modules()):  # an activation that the rule knows
        if hasattr(module, "intermediate_act_fn"):
            module.intermediate_act_fn = torch.nn.ReLU()
    found = case("bert", victim=victim)
    with victim.analysing():
        shown = explain("deep_lift", found)
        assert "miss" in shown.withheld
        assert np.isnan(shown.clean.words).all()
        assert shown.clean.completeness is not None
        assert shown.clean.completeness > attributions.DEEP_LIFT_GAP
        assert not explain("deep_lift", found, tolerance=1e6).withheld


# ---- words, targets, settings ---------------------------------------------------------------

WORD_OF = (-1, 0, 0, 1, 2, 2, 2, 3, -1)


def test_signed_word_scores_and_the_remainder_add_up_to_the_tokens() -> None:
    scores = torch.randn(len(WORD_OF), generator=torch.Generator().manual_seed(0))
    words, remainder = to_words(scores, WORD_OF, signed=True)
    assert words.shape == (4,)
    assert float(words.sum()) + remainder == pytest.approx(float(scores.double().sum()), abs=1e-12)
    assert float(words[2]) == pytest.approx(float(scores[4:7].double().sum()), abs=1e-12)
    assert remainder == pytest.approx(float(scores[0].double() + scores[8].double()), abs=1e-12)


def test_unsigned_word_scores_are_lengths_of_the_joined_gradient() -> None:
    parts = torch.randn(len(WORD_OF), 6, generator=torch.Generator().manual_seed(1)).double()
    words, remainder = to_words(parts.norm(dim=1), WORD_OF, signed=False)
    for word in range(4):
        rows = [t for t, w in enumerate(WORD_OF) if w == word]
        assert float(words[word]) == pytest.approx(float(parts[rows].norm()), abs=1e-12)
    assert remainder == pytest.approx(float(parts[[0, 8]].norm()), abs=1e-12)


def test_a_text_of_special_tokens_only_has_no_words() -> None:
    words, remainder = to_words(torch.tensor([1.0, 2.0]), (-1, -1), signed=True)
    assert len(words) == 0
    assert remainder == 3.0
    found = case("bert")
    bare = replace(
        found, word_of=(-1,) * len(found.word_of), ordinary=torch.zeros_like(found.ordinary)
    )
    for method in METHODS:
        assert len(explain(method, bare, **QUICK.get(method, {})).clean.words) == 0


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("method", [m for m in METHODS if m != "deep_lift"])
def test_words_and_remainder_add_up_to_the_sub_words_for_every_method(
    kind: str, method: str
) -> None:
    found = case(kind)
    shown = explain(method, found, **QUICK.get(method, {}))
    assert shown.clean.tokens.shape == shown.perturbed.tokens.shape == (len(found.word_of),)
    assert not np.allclose(shown.clean.tokens, shown.perturbed.tokens)
    power = 1 if shown.signed else 2
    for _, one in shown.versions:
        tokens, words, rest = one.tokens, one.words, one.remainder
        assert (words**power).sum() + rest**power == pytest.approx((tokens**power).sum(), abs=1e-9)
    assert shown.target == "logit of maybe − logit of no"
    assert shown.title == METHODS[method].title


@pytest.mark.parametrize("method", [m for m, known in METHODS.items() if known.baseline])
def test_special_tokens_get_nothing_from_methods_that_keep_them(method: str) -> None:
    if method == "deep_lift":
        pytest.skip("withheld on this model")
    found = case("bert")
    scores = METHODS[method].run(found, **QUICK.get(method, {})).tokens
    assert (scores[:, ~found.ordinary] == 0).all()
    assert (scores[:, found.ordinary] != 0).any()


def test_every_target_is_what_it_says() -> None:
    found = case("bert")
    victim, batch = found.target.victim, found.target.batch.with_target(labels=torch.tensor([1]))
    with torch.no_grad():
        logits = victim.output(found.views[:1], batch)[0]
    order = logits.argsort(descending=True).tolist()
    value = {
        kind: float(make_target(victim, batch, logits[None], kind)(found.views[:1]).detach())
        for kind in ("margin", "logit", "loss")
    }
    assert value["margin"] == pytest.approx(float(logits[order[0]] - logits[order[1]]))
    assert value["logit"] == pytest.approx(float(logits[order[0]]))
    assert value["loss"] == pytest.approx(float(-logits.log_softmax(-1)[1]))
    pair = make_target(victim, batch, logits[None], "margin", "yes", 0)
    assert float(pair(found.views[:1]).detach()) == pytest.approx(float(logits[1] - logits[0]))
    assert pair.words == "logit of yes − logit of no"


def test_perturbed_text_explains_the_class_of_the_clean_one() -> None:
    found = case("bert")
    far = torch.cat([found.views[:1], -3 * found.views[:1]])
    shown = explain("input_x_gradient", replace(found, views=far))
    with torch.no_grad():
        value = float(score(found.target, far[1:]))
    assert shown.perturbed.value == pytest.approx(value)


def test_mistakes_are_named_with_what_would_be_right() -> None:
    found = case("bert")
    with pytest.raises(SettingError, match="'magic'; choose from deep_lift, feature_ablation"):
        explain("magic", found)
    with pytest.raises(SettingError, match="setting of saliency 'steps'"):
        explain("saliency", found, steps=3)
    for steps in (0, 2.5, 10**6, True):
        with pytest.raises(SettingError, match="whole number from 1 to 1024 for steps"):
            explain("integrated_gradients", found, steps=steps)
    clean = torch.tensor([[0.2, 0.3, 0.5]])
    target = found.target
    with pytest.raises(SettingError, match="two different classes"):
        make_target(target.victim, target.batch, clean, "margin", 1, "yes")
    with pytest.raises(SettingError, match="a class among no, yes, maybe"):
        make_target(target.victim, target.batch, clean, "logit", "nope")
    with pytest.raises(SettingError, match="'odds'"):
        make_target(target.victim, target.batch, clean, "odds")
    with pytest.raises(SettingError, match="'none'; choose from"):
        _ = case("bert", baseline="none").start
    with pytest.raises(SettingError, match="no such token; choose among pad, zero, mean"):
        _ = case("gpt2", baseline="mask").start
