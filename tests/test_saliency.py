from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum import attr
from torch import Tensor
from victims import KINDS, TEXTS, make_victim, shared_victim

from advlab.errors import SettingError
from advlab.explain.saliency import SALIENCY, Margin, explain, to_words
from advlab.victim import Victim

SOME = ("bert", "distilbert", "gpt2")
TEXT = TEXTS[1]


def case(kind: str) -> tuple[Margin, Tensor, Tensor]:
    """A margin of one text, its embeddings and perturbed ones (each (1,T,D), float64)."""
    victim = shared_victim(kind)
    batch = victim.encode([TEXT])
    clean = victim.embed(batch.input_ids).detach()
    dice = torch.Generator().manual_seed(3)
    noise = torch.randn(clean.shape, generator=dice, dtype=clean.dtype)
    return Margin(victim, batch, 2, 0), clean, clean + 0.1 * noise * batch.perturbable.unsqueeze(-1)


def score(margin: Margin, embeds: Tensor) -> Tensor:
    """The margin written out, without the class under test: (1,T,D) -> ()."""
    logits = margin.victim.logits(embeds, margin.batch)[0]
    return logits[margin.target] - logits[margin.other]


def gradient(margin: Margin, embeds: Tensor) -> Tensor:
    x = embeds.clone().requires_grad_()
    return torch.autograd.grad(score(margin, x), x)[0]


def baseline_of(margin: Margin, embeds: Tensor) -> Tensor:
    victim, found = margin.victim, embeds.clone()
    for t, free in enumerate(margin.batch.perturbable[0].tolist()):
        if free:
            found[0, t] = victim.table[victim.tokenizer.pad_token_id]
    return found


def attributed(method: str, margin: Margin, *embeds: Tensor) -> Tensor:
    return SALIENCY[method](margin, torch.cat(embeds)).scores


@pytest.mark.parametrize("kind", KINDS)
def test_saliency_is_the_length_of_the_gradient_taken_by_hand(kind: str) -> None:
    margin, clean, moved = case(kind)
    found = attributed("saliency", margin, clean, moved)
    for row, embeds in zip(found, (clean, moved), strict=True):
        by_hand = gradient(margin, embeds)[0].pow(2).sum(-1).sqrt()
        torch.testing.assert_close(row, by_hand, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_input_times_gradient_is_their_product_taken_by_hand(kind: str) -> None:
    margin, clean, moved = case(kind)
    found = attributed("input_x_gradient", margin, clean, moved)
    for row, embeds in zip(found, (clean, moved), strict=True):
        by_hand = (embeds * gradient(margin, embeds))[0].sum(-1)
        torch.testing.assert_close(row, by_hand, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", SOME)
def test_integrated_gradients_are_a_weighted_mean_of_gradients_taken_by_hand(kind: str) -> None:
    margin, clean, moved = case(kind)
    found = attributed("integrated_gradients", margin, clean, moved)
    marks, weights = np.polynomial.legendre.leggauss(32)  # on [−1, 1]
    weights = weights.astype(np.float32).astype(float)  # Captum keeps the weights in float32
    for row, embeds in zip(found, (clean, moved), strict=True):
        start = baseline_of(margin, embeds)
        mean = torch.zeros_like(embeds)
        for mark, weight in zip(marks, weights, strict=True):
            mean += weight / 2 * gradient(margin, start + (mark + 1) / 2 * (embeds - start))
        by_hand = ((embeds - start) * mean)[0].sum(-1)
        torch.testing.assert_close(row, by_hand, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", SOME)
def test_the_three_methods_are_captums_called_by_hand(kind: str) -> None:
    margin, clean, _ = case(kind)

    def forward(embeds: Tensor) -> Tensor:
        many = margin.batch.repeat(len(embeds))
        return margin.victim.logits(embeds, many).diff(dim=1)[:, 1]  # logit 2 − logit 1

    margin = Margin(margin.victim, margin.batch, 2, 1)
    x = clean.clone().requires_grad_()
    theirs = {
        "saliency": attr.Saliency(forward).attribute(x, abs=False).norm(dim=-1),
        "input_x_gradient": attr.InputXGradient(forward).attribute(x).sum(-1),
        "integrated_gradients": attr.IntegratedGradients(forward)
        .attribute(x, baselines=baseline_of(margin, clean), n_steps=32, method="gausslegendre")
        .sum(-1),
    }
    for method, expected in theirs.items():
        torch.testing.assert_close(
            attributed(method, margin, clean), expected.detach(), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("kind", SOME)
def test_integrated_gradients_add_up_to_what_they_explain(kind: str) -> None:
    margin, clean, moved = case(kind)
    found = SALIENCY["integrated_gradients"](margin, torch.cat([clean, moved]))
    assert found.completeness is not None
    assert found.baseline
    for i, embeds in enumerate((clean, moved)):
        with torch.no_grad():
            rise = score(margin, embeds) - score(margin, baseline_of(margin, embeds))
        gap = abs(float((found.scores[i].sum() - rise) / rise))
        assert gap < 1e-3
        assert float(found.completeness[i]) == pytest.approx(gap, rel=1e-6, abs=1e-9)


def test_too_few_steps_are_owned_up_to() -> None:
    from advlab.explain.saliency import integrated_gradients

    margin, clean, _ = case("bert")
    errors = []
    for steps in (1, 32):
        found = integrated_gradients(margin, clean, steps)
        assert found.completeness is not None
        errors.append(float(found.completeness[0]))
    assert errors[0] > 20 * errors[1]


class Linear:
    """A model whose logits are linear in the embeddings: Σₜ aₜ·W eₜ."""

    def __init__(self, victim: Victim, T: int) -> None:
        dice = torch.Generator().manual_seed(0)
        D = victim.table.shape[1]
        self.weight = torch.randn(T, D, 3, generator=dice, dtype=torch.float64)
        self.table, self.tokenizer = victim.table, victim.tokenizer
        self.label_names = victim.label_names

    def logits(self, embeds: Tensor, batch: Any) -> Tensor:
        assert len(batch) == len(embeds)
        return torch.einsum("btd,tdc->bc", embeds, self.weight)


def test_on_a_linear_model_every_method_has_its_closed_form() -> None:
    original, clean, moved = case("bert")
    model = Linear(original.victim, clean.shape[1])
    margin = Margin(model, original.batch, 2, 0)  # type: ignore[arg-type]
    slope = model.weight[:, :, 2] - model.weight[:, :, 0]  # (T,D)
    views = torch.cat([clean, moved])
    exact = {
        "saliency": slope.norm(dim=-1).expand(2, -1),
        "input_x_gradient": (views * slope).sum(-1),
        "integrated_gradients": ((views - baseline_of(original, clean)) * slope).sum(-1),
    }
    for method, expected in exact.items():
        # the weights of Captum's integral are rounded to float32
        near = 1e-7 if method == "integrated_gradients" else 1e-12
        torch.testing.assert_close(
            SALIENCY[method](margin, views).scores, expected, rtol=near, atol=near
        )
    found = SALIENCY["integrated_gradients"](margin, views)
    assert found.completeness is not None
    assert float(found.completeness.max()) < 1e-7


def test_special_tokens_get_nothing_from_integrated_gradients() -> None:
    margin, clean, moved = case("bert")
    found = attributed("integrated_gradients", margin, clean, moved)
    assert (found[:, ~margin.batch.perturbable[0]] == 0).all()
    assert (found[:, margin.batch.perturbable[0]] != 0).all()


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


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("method", list(SALIENCY))
def test_explained_words_agree_with_the_explained_tokens(kind: str, method: str) -> None:
    margin, clean, moved = case(kind)
    T = clean.shape[1]
    word_of = [t // 2 if free else -1 for t, free in enumerate(margin.batch.perturbable[0])]
    ranks = sorted({w for w in word_of if w >= 0})
    word_of = [ranks.index(w) if w >= 0 else -1 for w in word_of]
    found = explain(method, margin, clean, moved, word_of)
    assert found.clean.shape == found.adversarial.shape == (T,)
    assert not np.allclose(found.clean, found.adversarial)
    power = 1 if found.signed else 2
    for tokens, words, rest in (
        (found.clean, found.words_clean, found.remainder_clean),
        (found.adversarial, found.words_adversarial, found.remainder_adversarial),
    ):
        assert (words**power).sum() + rest**power == pytest.approx((tokens**power).sum(), abs=1e-9)
    assert found.target == "logit of maybe − logit of no"


def test_explaining_leaves_no_hook_and_no_gradient_behind() -> None:
    victim = make_victim("bert")
    batch = victim.encode([TEXT])
    embeds = victim.embed(batch.input_ids).detach()
    with victim.analysing():
        for method in SALIENCY:
            explain(method, Margin(victim, batch, 1, 0), embeds, embeds, [0] * embeds.shape[1])
    assert all(p.grad is None and p.requires_grad for p in victim.model.parameters())
    for module in victim.model.modules():
        assert not module._forward_hooks
        assert not module._backward_hooks
    assert not embeds.requires_grad


def test_an_unknown_method_is_named_with_the_known_ones() -> None:
    margin, clean, moved = case("bert")
    with pytest.raises(SettingError, match="'magic'; choose from input_x_gradient, integrated"):
        explain("magic", margin, clean, moved, [0] * clean.shape[1])
