"""The helpers of tests/benchmarks/findings.py against enumeration and by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from benchmarks.findings import (
    PIXELS,
    arrow_pixels,
    by_word,
    first_order,
    gauss_legendre,
    left_riemann,
    main_axes,
    margin_of,
    path_attributions,
    place_of,
    read,
    smallest_flips,
    spearman,
    substitutions,
)
from scipy.stats import spearmanr
from victims import TEXTS, make_victim

from advlab.records import Example


def test_first_order_substitutions_are_the_best_of_all_pairs() -> None:
    dice = torch.Generator().manual_seed(0)
    table = torch.randn(9, 3, generator=dice)
    gradient = torch.randn(4, 3, generator=dice)
    own = torch.tensor([0, 4, 5, 6])
    allowed, perturbable = torch.ones(9, dtype=torch.bool), torch.tensor([False, True, True, True])
    allowed[:2] = False
    by_hand = sorted(
        (
            (float(gradient[t] @ (table[w] - table[own[t]])), t, w)
            for t, w in product(range(4), range(9))
            if perturbable[t] and allowed[w] and w != own[t]
        ),
        reverse=True,
    )
    places, words, estimates = first_order(gradient, own, table, allowed, perturbable, 7)
    assert list(zip(places.tolist(), words.tolist(), strict=True)) == [p[1:] for p in by_hand[:7]]
    np.testing.assert_allclose(estimates, [p[0] for p in by_hand[:7]], rtol=1e-5)


def test_a_rank_counts_what_is_larger() -> None:
    assert place_of([3.0, 1.0, 3.0, 9.0], 0) == 2
    assert place_of([3.0, 1.0, 3.0, 9.0], 1) == 4
    assert place_of([3.0, 1.0, 3.0, 9.0], 3) == 1


def test_substitutions_of_a_real_model_are_ranked_by_their_actual_loss() -> None:
    victim = make_victim("bert", dtype=torch.float32)
    batch = victim.encode([TEXTS[0]])
    with torch.no_grad():
        label = int(victim.output(victim.embed(batch), batch).argmax())
    text = Example("0", TEXTS[0], (victim.head[label],))
    K = 12
    found = substitutions(victim, [text], K)
    own = batch.input_ids[0]
    weight = victim.model.get_input_embeddings().weight
    table = weight.detach()

    def loss(ids: torch.Tensor) -> torch.Tensor:
        logits = victim.model(input_ids=ids, attention_mask=batch.attention_mask).logits
        return -logits.log_softmax(-1)[0, label]

    (gradient,) = torch.autograd.grad(loss(own.unsqueeze(0)), weight)
    # each word of this text stands once, so the table's gradient is that of its place
    pairs = []
    for t, w in product(range(len(own)), range(len(weight))):
        if batch.perturbable[0, t] and victim.ordinary[w] and w != own[t]:
            pairs.append((float(gradient[own[t]] @ (table[w] - table[own[t]])), t, w))
    actual = []
    for _, t, w in sorted(pairs, reverse=True)[:K]:
        ids = own.clone().unsqueeze(0)
        ids[0, t] = w
        actual.append(loss(ids).item())
    before = loss(own.unsqueeze(0)).item()
    assert found["rank"] == [1 + sum(a > actual[0] for a in actual)]
    assert found["raises"] == [float(actual[0] > before)]
    assert found["share of rise"][0] == pytest.approx(
        (actual[0] - before) / (max(actual) - before), rel=1e-3
    )


def test_rank_correlation_is_scipys_and_undefined_where_it_means_nothing() -> None:
    dice = np.random.default_rng(0)
    for n in (3, 8, 30):
        a, b = dice.integers(0, 6, n) + np.arange(n) / 7, dice.integers(0, 6, n)
        assert spearman(a, b) == pytest.approx(spearmanr(a, b)[0])
    assert spearman([1, 2, 3], [10, 20, 90]) == pytest.approx(1)
    assert np.isnan(spearman([1, 2], [2, 1]))
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]))


def test_quadratures_integrate_what_they_must() -> None:
    for degree in range(8):
        nodes, weights = gauss_legendre(4)
        assert (weights * nodes**degree).sum() == pytest.approx(1 / (degree + 1))
    nodes, weights = left_riemann(10)
    np.testing.assert_allclose(nodes, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert (weights * nodes).sum() == pytest.approx(0.45)


def test_attributions_along_a_path_are_captums_and_add_up() -> None:
    from captum.attr import IntegratedGradients

    victim = make_victim("bert")
    batch = victim.encode([TEXTS[1]])
    margin = margin_of(victim, batch, 0, 1)
    x = victim.embed(batch)[0].detach()
    base = torch.where(batch.perturbable[0].unsqueeze(1), victim.table[0], x)
    with victim.analysing():
        mine = path_attributions(margin, x, base, *gauss_legendre(50))
        theirs = IntegratedGradients(margin).attribute(
            x.unsqueeze(0).requires_grad_(), base.unsqueeze(0), n_steps=50, method="gausslegendre"
        )
        rise = margin(torch.stack([x.detach(), base])).detach()
        coarse = path_attributions(margin, x.detach(), base, *left_riemann(10))
    torch.testing.assert_close(mine, theirs[0].sum(-1), atol=1e-9, rtol=1e-6)
    assert float(mine.sum()) == pytest.approx(float(rise[0] - rise[1]), rel=1e-4)
    assert abs(float(coarse.sum()) - float(rise[0] - rise[1])) > abs(
        float(mine.sum()) - float(rise[0] - rise[1])
    )


def test_an_arrow_is_as_long_on_the_plot_as_ruler_and_axes_say() -> None:
    points = torch.tensor([[0.0, 0, 0], [10, 0, 0], [0, 4, 0], [5, 2, 0.1], [5, 2, -0.1]])
    axes = main_axes(points)
    torch.testing.assert_close(axes.abs(), torch.eye(3)[:2], atol=0.35, rtol=0)
    length = arrow_pixels(points, (points[0], torch.tensor([3.0, 4, 9])), torch.eye(3)[:2])
    assert length == pytest.approx(PIXELS * 5 / 10)
    few, many = torch.randn(4, 9), torch.randn(40, 9)
    for cloud in (few, many):
        centred = cloud - cloud.mean(0)
        top = torch.linalg.svd(centred).Vh[:2]
        torch.testing.assert_close(
            (main_axes(cloud) @ top.T).abs(), torch.eye(2), atol=1e-3, rtol=0
        )


def test_a_smallest_flip_flips_and_half_of_it_does_not() -> None:
    victim = make_victim("bert", dtype=torch.float32)
    texts = [Example(str(i), t) for i, t in enumerate(TEXTS)]
    examples = []
    for text in texts:
        batch = victim.encode([text])
        with torch.no_grad():
            label = int(victim.output(victim.embed(batch), batch).argmax())
        examples.append(replace(text, answers=(victim.head[label],)))
    with victim.analysing():
        found = smallest_flips(victim, examples, top=20 * victim.scale.mean_norm, seed=0)
    assert any(d is not None for d in found)
    for example, delta in zip(examples, found, strict=True):
        if delta is None:
            continue
        batch = victim.encode([example])
        with torch.no_grad():
            x = victim.embed(batch)
            told = victim.output(torch.cat([x, x + delta, x + 0.5 * delta]), batch.repeat(3))
        said = [victim.head[i] for i in told.argmax(-1).tolist()]
        assert said[0] == example.answer
        assert said[1] != example.answer
        assert said[2] == example.answer
        assert (delta[~batch.perturbable[0]] == 0).all()
        assert float(delta.norm()) <= 20 * victim.scale.mean_norm * (1 + 1e-6)


def test_a_tsv_is_read_with_classes_as_numbers_or_names(tmp_path) -> None:
    file = tmp_path / "dev.tsv"
    file.write_text("a fine film\t1\nno\tnegative\n", encoding="utf-8")
    found = read(file, ("negative", "positive"))
    assert [(e.text, e.answer) for e in found] == [("a fine film", "positive"), ("no", "negative")]


def test_pieces_add_up_to_words_and_norms_join() -> None:
    values = torch.tensor([9.0, 1.0, -2.0, 3.0, 4.0, 9.0])
    owner = [-1, 0, 0, 1, 1, -1]
    assert by_word(values, owner, True).tolist() == [-1.0, 7.0]
    assert by_word(values, owner, False).tolist() == pytest.approx([5**0.5, 5.0])
