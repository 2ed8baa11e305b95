from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from victims import KINDS, TEXTS, chances, shared_victim

from advlab.attacks import PGD
from advlab.explain.explore import analyse, explore
from advlab.records import AttackRecord, Neighbours

TEXT = TEXTS[1]
ENTERING = ("bert", "roberta", "distilbert", "deberta", "electra")


@lru_cache
def record_of(kind: str, eps: float = 0.8) -> AttackRecord:
    attack = PGD(eps, steps=4)
    return explore(shared_victim(kind), TEXT, attack=attack, seed=4, draws=4, points=5)


def by_hand(kind: str, x: np.ndarray, own: int, candidates: np.ndarray, metric: str) -> Any:
    """(order, scores) of the ordinary rows and the own one for one vector x (D,)."""
    victim = shared_victim(kind)
    lengths = np.maximum(np.linalg.norm(candidates, axis=1), 1e-12)  # the padding row is 0
    score = {
        "l2": np.sqrt(((x - candidates) ** 2).sum(1)),
        "cosine": 1 - candidates @ x / (lengths * np.linalg.norm(x)),
        "dot": candidates @ x,
    }[metric]
    usable = victim.ordinary.numpy().copy()
    usable[own] = True
    rows = np.flatnonzero(usable)
    return rows[(-score[rows] if metric == "dot" else score[rows]).argsort()], score


def check(kind: str, found: Neighbours, t: int, x: np.ndarray, candidates: np.ndarray) -> None:
    own = int(shared_victim(kind).encode([TEXT]).input_ids[0, t])
    order, score = by_hand(kind, x, own, candidates, found.metric)
    assert found.ids[t].tolist() == order[:5].tolist()
    np.testing.assert_allclose(found.scores[t], score[order[:5]], atol=1e-9)
    assert found.own_rank[t] == order.tolist().index(own) + 1
    assert found.own_score is not None
    assert found.own_score[t] == pytest.approx(score[own], abs=1e-9)
    assert found.margin[t] == pytest.approx(abs(score[order[1]] - score[order[0]]))


@pytest.mark.parametrize("kind", KINDS)
def test_nearest_rows_are_those_of_a_sorted_list_for_clean_and_perturbed_vectors(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    found = analyse(victim, record, "nearest")
    clean = victim.embed(victim.encode([TEXT]).input_ids)[0].detach().numpy()
    table = victim.table.numpy()
    for metric in ("l2", "cosine", "dot"):
        for t in range(len(record.tokens)):
            check(kind, found.clean[metric], t, clean[t], table)
            check(kind, found.perturbed[metric], t, clean[t] + record.delta[t], table)
    np.testing.assert_array_equal(found.perturbed["l2"].own_rank, record.neighbours.own_rank)
    assert (found.clean["l2"].own_rank == 1).all()
    assert found.clean["l2"].excluded == int((~victim.ordinary).sum())


@pytest.mark.parametrize("kind", ENTERING)
def test_embedded_neighbours_are_what_the_models_own_module_makes_of_substituted_ids(
    kind: str,
) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    found = analyse(victim, record, "embedded")
    module: Any = victim.model.base_model.embeddings
    batch = victim.encode([TEXT])
    ids = batch.input_ids
    pad = victim.tokenizer.pad_token_id
    with torch.no_grad():
        clean = module(input_ids=ids)[0].numpy()
        moved = victim.embed(ids) + torch.from_numpy(record.delta)
        perturbed = module(input_ids=None, inputs_embeds=moved)[0].numpy()
        for t in range(len(record.tokens)):
            substituted = ids.repeat(victim.table.shape[0], 1)
            substituted[:, t] = torch.arange(victim.table.shape[0])
            candidates = module(input_ids=substituted)[:, t].numpy()
            # RoBERTa counts no position for padding ids, which are not candidates
            candidates[pad] = candidates[pad] if int(ids[0, t]) == pad else 1e6
            for metric in ("l2", "cosine", "dot"):
                check(kind, found.clean[metric], t, clean[t], candidates)
                check(kind, found.perturbed[metric], t, perturbed[t], candidates)
    np.testing.assert_allclose(found.shift, np.linalg.norm(perturbed - clean, axis=1), atol=1e-9)
    assert found.note == ""


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_without_that_stage_says_so(kind: str) -> None:
    found = analyse(shared_victim(kind), record_of(kind), "embedded")
    assert not found.clean
    assert not found.perturbed
    assert "no second space" in found.note


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["nearest", "embedded"])
def test_without_a_delta_every_token_is_nearest_to_itself(kind: str, name: str) -> None:
    record = record_of(kind, 0.0)
    assert (record.delta == 0).all()
    found = analyse(shared_victim(kind), record, name)
    for metric in found.perturbed.keys() - {"dot"}:  # the largest product may be a longer row's
        assert (found.perturbed[metric].own_rank == 1).all()
        own = record_of(kind).tokens
        assert tuple(t[0] for t in found.perturbed[metric].tokens) == own
    assert (found.shift == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_just_past_its_exit_a_token_is_nearest_to_the_word_that_was_named(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    found = analyse(victim, record, "exits")
    np.testing.assert_allclose(found.radius, record.exit_radius)
    np.testing.assert_allclose(found.certificate, record.certificate)
    batch = victim.encode([TEXT])
    clean = victim.embed(batch)[0].detach().numpy()
    table, checked = victim.table.numpy(), 0
    for t in np.flatnonzero(record.perturbable):
        own = int(batch.input_ids[0, t])
        if not np.isfinite(found.radius[t]):
            assert found.becomes[t] == ""
            continue
        assert found.factor[t] == pytest.approx(found.radius[t] / record.delta_norm[t])
        for times, name in ((1 + 1e-7, found.becomes[t]), (1 - 1e-7, record.tokens[t])):
            x = clean[t] + times * found.factor[t] * record.delta[t]
            order, _ = by_hand(kind, x, own, table, "l2")
            assert victim.vocabulary.texts([int(order[0])]) == [name]
        checked += 1
    assert checked > 5
    assert (found.closest_factor <= found.factor + 1e-9).all()


def test_below_the_certificate_no_direction_changes_a_token() -> None:
    victim, record = shared_victim("bert"), record_of("bert")
    found = analyse(victim, record, "exits")
    batch = victim.encode([TEXT])
    clean = victim.embed(batch)[0].detach().numpy()
    table, dice = victim.table.numpy(), np.random.default_rng(0)
    for t in np.flatnonzero(record.perturbable):
        u = dice.normal(size=(50, table.shape[1]))
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        # and the worst direction of all: straight to the row that was named
        name = [victim.vocabulary.texts([i])[0] for i in range(len(table))].index(found.closest[t])
        straight = table[name] - clean[t]
        u[0] = straight / np.linalg.norm(straight)
        own = int(batch.input_ids[0, t])
        for step in u:
            order, _ = by_hand(
                "bert", clean[t] + 0.9999 * found.certificate[t] * step, own, table, "l2"
            )
            assert order[0] == own
        order, _ = by_hand(
            "bert", clean[t] + 1.0001 * found.certificate[t] * u[0], own, table, "l2"
        )
        assert order[0] == name


def test_shielded_words_stay_in_the_text_of_the_round_trip() -> None:
    victim = shared_victim("bert")
    at = TEXT.index("slow")
    record = explore(victim, TEXT, attack=PGD(0.05, steps=2), shield=[(at, at + 4)])
    assert record.round_trip_text == TEXT
    np.testing.assert_allclose(chances(record.round_trip)[0], chances(record.clean)[0], atol=1e-12)
