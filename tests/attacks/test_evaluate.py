from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy.stats import binomtest
from victims import KINDS, WORDS, examples_for, make_victim, shared_victim

from advlab.attacks import FGM, FGSM, PGD, RandomNoise
from advlab.attacks.evaluate import by_length, evaluate, first_noisy, share_of, survives, wilson
from advlab.errors import DataError
from advlab.model.victim import Victim
from advlab.records import Example

GRID = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@pytest.fixture(scope="module")
def case() -> tuple[Victim, list[Example]]:
    victim = shared_victim("bert")
    return victim, examples_for(victim)


@pytest.mark.parametrize(
    ("hits", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (437, 872), (1, 5000)]
)
def test_intervals_are_wilsons(hits: int, n: int) -> None:
    mine = wilson(hits, n)
    theirs = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert (mine.value, mine.n) == (hits / n, n)
    assert mine.low == pytest.approx(theirs.low, abs=1e-7)
    assert mine.high == pytest.approx(theirs.high, abs=1e-7)


def test_intervals_have_the_published_widths() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263
    found = wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    nothing = wilson(0, 0)
    assert math.isnan(nothing.value)
    assert (nothing.low, nothing.high) == (0.0, 1.0)


def test_batches_of_like_length_hold_each_example_once(case: Any) -> None:
    victim, examples = case
    places = []
    for where, batch in by_length(victim, examples, 5):
        assert len(where) == len(batch) <= 5
        for i, ids in zip(where, batch.input_ids, strict=True):
            words = [w for w in victim.tokenizer.convert_ids_to_tokens(ids) if w in WORDS]
            assert words == examples[i].text.split()
        places += where
    assert sorted(places) == list(range(len(examples)))


def brute_force(victim: Victim, example: Example, attack: Any) -> bool:
    """One text alone: right when clean, and no iterate of the attack is wrong."""
    batch = victim.encode([example])
    x = victim.embed(batch).detach()
    path = attack.at(victim.scale)(
        victim.objective(batch), x, batch.perturbable, keep_path=True
    ).path
    deltas = [torch.zeros_like(x), *path]
    said = [victim.head[int(victim.output(x + d, batch).argmax())] for d in deltas]
    return all(name == example.answer for name in said)


@pytest.mark.parametrize("attack", [PGD(0.15, steps=4), FGM(0.15), FGSM(0.03), PGD(0.02, p="linf")])
def test_survival_is_what_attacking_each_text_alone_finds(attack: Any, case: Any) -> None:
    victim, examples = case
    wanted = [brute_force(victim, e, attack) for e in examples]
    for size in (1, 5, 128):
        assert survives(victim, examples, attack, batch_size=size) == wanted
    right = survives(victim, examples)
    assert sum(right) == 18  # six of 24 carry a wrong label
    assert sum(wanted) < sum(right)


@pytest.mark.parametrize("kind", KINDS)
def test_clean_survival_is_accuracy_and_zero_eps_changes_nothing(kind: str) -> None:
    victim = shared_victim(kind)
    examples = examples_for(victim, 8)
    right = survives(victim, examples)
    assert right == [i % 4 > 0 for i in range(8)]
    assert survives(victim, examples, PGD(0.0)) == right


def test_robust_accuracy_never_rises_with_eps_and_noise_hurts_less(case: Any) -> None:
    victim, examples = case
    found = evaluate(victim, examples, PGD(steps=5), eps=GRID[::-1])
    robust = [r.value for r in found.robust]
    noise = [r.value for r in found.noisy]
    assert found.eps == GRID
    assert robust[0] == noise[0] == found.clean.value == 0.75
    assert robust == sorted(robust, reverse=True)
    assert robust[-1] < 0.3  # an ε as long as a word vector breaks a random model
    assert all(n >= r for n, r in zip(noise, robust, strict=True))
    assert sum(noise) > sum(robust)
    for eps, raw, share in zip(found.eps, found.raw_eps, found.robust, strict=True):
        assert raw == eps * victim.scale.mean_norm
        assert share.n == len(examples)
        assert share.low <= share.value <= share.high
    assert (found.model, found.model_hash) == ("bert", victim.hash)
    assert (found.attack["name"], found.attack["unit"]) == ("pgd", "norm")


def test_a_broken_example_stays_broken_at_every_larger_eps(case: Any) -> None:
    """Each ε alone may find fewer: the smaller δ lies in the larger ball, so the worst counts."""
    victim, examples = case
    weak = FGM()
    found = evaluate(victim, examples, weak, eps=GRID, noise_draws=1)
    alive = [True] * len(examples)
    for eps, share in zip(found.eps, found.robust, strict=True):
        alone = survives(victim, examples, FGM(eps))
        alive = [a and b for a, b in zip(alive, alone, strict=True)]
        assert share == share_of(alive)


def test_evaluation_repeats_and_leaves_the_model_alone() -> None:
    victim = make_victim("bert", dropout=0.2)
    examples = examples_for(victim, 12)
    victim.model.train()
    attack = PGD(0.2, start="random", restarts=2)
    first = survives(victim, examples, attack, seed=1)
    torch.manual_seed(99)
    assert survives(victim, examples, attack, seed=1) == first
    assert victim.model.training
    assert all(p.requires_grad and p.grad is None for p in victim.model.parameters())
    noise = RandomNoise(0.5, draws=3)
    assert survives(victim, examples, noise, seed=2) == survives(victim, examples, noise, seed=2)


def test_nothing_to_evaluate_is_told() -> None:
    with pytest.raises(DataError, match="at least one example"):
        survives(shared_victim("bert"), [])


def test_noise_is_looked_at_from_the_largest_radius_down(case: Any) -> None:
    victim, examples = case
    radii = (0.5, 2.0, 8.0)  # long enough that noise alone breaks some
    found = first_noisy(victim, examples, PGD(), radii, draws=3, seed=1)
    right = survives(victim, examples)
    assert [place < 0 for place in found] == [not ok for ok in right]
    largest = survives(victim, examples, RandomNoise(8.0, draws=3), seed=1)
    alive = [i for i, ok in enumerate(right) if ok]
    standing = survives(victim, [examples[i] for i in alive], RandomNoise(8.0, draws=3), seed=1)
    assert [found[i] == len(radii) for i in alive] == standing
    assert sum(largest) < sum(right)
    assert sum(0 <= place < len(radii) for place in found) > 0
