from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from victims import KINDS, TEXTS, chances, shared_victim

from advlab.attacks import PGD
from advlab.attacks.norms import norm
from advlab.explain.explore import analyse, explore
from advlab.explain.next_word import LIMIT
from advlab.records import AttackRecord, Scaled

TEXT = TEXTS[1]


@lru_cache
def looked(kind: str, eps: float = 0.3, **attack: Any) -> tuple[AttackRecord, Scaled]:
    victim = shared_victim(kind)
    record = explore(victim, TEXT, attack=PGD(eps, steps=4, **attack), seed=4, draws=4, points=5)
    return record, analyse(victim, record, "scaled")


def probs(kind: str, embeds: torch.Tensor, text: str = TEXT) -> np.ndarray:
    victim = shared_victim(kind)
    with torch.no_grad():
        return victim.output(embeds, victim.encode([text])).softmax(-1)[0].numpy()


def nearest_ids(kind: str, x: np.ndarray, own: list[int], perturbed: np.ndarray) -> list[int]:
    """By a search for each token; ties go to the token itself."""
    victim = shared_victim(kind)
    table, found = victim.table.numpy(), []
    for row, vector, free in zip(own, x, perturbed, strict=True):
        far = ((vector - table) ** 2).sum(1)
        far[~victim.ordinary.numpy() & (np.arange(len(table)) != row)] = np.inf
        found.append(row if not free or far[row] <= far.min() else int(far.argmin()))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_factor_is_really_evaluated(kind: str) -> None:
    victim, (record, found) = shared_victim(kind), looked(kind)
    batch = victim.encode([TEXT])
    clean = victim.embed(batch).detach()
    own = batch.input_ids[0].tolist()
    assert found.changed.any()
    for i, factor in enumerate(found.factors):
        x = clean + factor * torch.from_numpy(record.delta)
        np.testing.assert_allclose(chances(found.vectors)[i], probs(kind, x), atol=1e-9)
        ids = nearest_ids(kind, x[0].numpy(), own, record.delta_norm > 0)
        assert found.tokens[i] == tuple(victim.vocabulary.texts(ids))
        assert found.changed[i].tolist() == [a != b for a, b in zip(ids, own, strict=True)]
        rows = victim.embed(torch.tensor([ids]))
        np.testing.assert_allclose(chances(found.projected)[i], probs(kind, rows), atol=1e-9)
        again = victim.encode([found.texts[i]])
        assert found.read[i] == tuple(victim.vocabulary.texts(again.input_ids[0].tolist()))
        np.testing.assert_allclose(
            chances(found.reread)[i], probs(kind, victim.embed(again), found.texts[i]), atol=1e-9
        )
        words = [t for t, word in zip(found.tokens[i], record.word_of, strict=True) if word >= 0]
        assert found.texts[i].split() == words


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_itself_stands_at_factor_one(kind: str) -> None:
    record, found = looked(kind)
    (i,) = np.flatnonzero(found.factors == 1.0)
    np.testing.assert_allclose(chances(found.vectors)[i], chances(record.attacked)[0], atol=1e-9)
    np.testing.assert_allclose(chances(found.projected)[i], chances(record.projected)[0], atol=1e-9)
    np.testing.assert_allclose(chances(found.reread)[i], chances(record.round_trip)[0], atol=1e-9)
    assert found.texts[i] == record.round_trip_text
    np.testing.assert_array_equal(found.changed[i], record.moved)


@pytest.mark.parametrize("kind", KINDS)
def test_thresholds_are_the_exit_radii_and_a_factor_stands_just_past_each(kind: str) -> None:
    record, found = looked(kind)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(record.delta_norm > 0, record.exit_radius / record.delta_norm, np.inf)
    expected[expected > LIMIT] = np.inf
    np.testing.assert_allclose(found.exits, expected)
    np.testing.assert_array_equal(found.changed, found.factors[:, None] > found.exits)
    counts = found.changed.sum(1)
    assert (np.diff(counts) >= 0).all(), "a token that left its cell does not come back"
    assert counts[-1] == np.isfinite(expected).sum()
    assert (np.diff(counts) <= 1).all(), "one change at a time"
    for path, first in zip(found.crossings, found.exits, strict=True):
        assert (path[0][0] if path else np.inf) == first


def test_half_stops_when_half_have_changed() -> None:
    record, whole = looked("bert")
    half = analyse(shared_victim("bert"), record, "scaled", until="half")
    can = int(np.isfinite(whole.exits).sum())
    assert half.changed[-1].sum() >= can / 2
    assert half.changed[-1].sum() < can
    assert half.factors[-1] < whole.factors[-1]


def test_a_token_that_changed_before_factor_one_is_seen_to_change() -> None:
    record, found = looked("bert", 6.0)
    assert record.moved.any()
    assert found.factors[0] < 1
    assert found.changed[0].sum() == 0


def test_without_a_delta_nothing_ever_changes() -> None:
    record, found = looked("bert", 0.0)
    assert not found.changed.any()
    assert not found.noise_changed.any()
    assert found.reachable == 0
    np.testing.assert_allclose(
        chances(found.vectors), np.tile(chances(record.clean)[0], (len(found.factors), 1))
    )


@pytest.mark.parametrize("p", ["l2", "linf", "l1"])
@pytest.mark.parametrize("ball", ["example", "token"])
def test_noise_is_as_long_as_the_scaled_delta(p: Any, ball: Any, monkeypatch: Any) -> None:
    from advlab.explain.subject import Subject

    kept = []
    draw = Subject.noise_as_long

    def spy(*given: Any) -> torch.Tensor:
        kept.append(draw(*given))
        return kept[0]

    victim = shared_victim("bert")
    record = explore(victim, TEXT, attack=PGD(0.2, p=p, ball=ball, steps=3), points=5)
    monkeypatch.setattr(Subject, "noise_as_long", spy)
    found = analyse(victim, record, "scaled", draws=3)
    (noise,) = kept
    lengths = norm(noise, p, ball)
    if ball == "token":
        lengths = lengths[:, torch.from_numpy(record.perturbable)]
    wanted = norm(torch.from_numpy(record.delta).unsqueeze(0), p, ball).amax()
    torch.testing.assert_close(lengths, wanted.expand_as(lengths))
    assert (noise[:, torch.from_numpy(~record.perturbable)] == 0).all()
    clean = victim.embed(victim.encode([TEXT]).input_ids).detach()
    own = victim.encode([TEXT]).input_ids[0].tolist()
    for i, factor in enumerate(found.factors):
        for r in range(3):
            x = clean + factor * noise[r]
            np.testing.assert_allclose(chances(found.noise)[3 * i + r], probs("bert", x), atol=1e-9)
            ids = nearest_ids("bert", x[0].numpy(), own, record.perturbable)
            assert found.noise_changed[i, r] == sum(a != b for a, b in zip(ids, own, strict=True))
