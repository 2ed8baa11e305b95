from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from explored import ATTACK, TEXT, same
from victims import KINDS, chances, label_of, shared_victim

from advlab.attacks import FGM, FGSM, PGD, Attack, RandomNoise
from advlab.attacks.norms import norm
from advlab.explain import curve as radii
from advlab.explain.explore import analyse, explore
from advlab.explain.subject import Subject
from advlab.model.victim import Victim
from advlab.records import AttackRecord, Example


@lru_cache
def record_of(kind: str, attack: Attack = ATTACK, text: str = TEXT) -> AttackRecord:
    return explore(shared_victim(kind), text, attack=attack, seed=4, draws=6)


def probs(victim: Victim, text: str, delta: np.ndarray | None = None) -> np.ndarray:
    """By ids and the model's own head when δ is None, else from embeddings."""
    batch = victim.encode([text])
    embeds = victim.embed(batch)
    moved = embeds if delta is None else embeds + torch.from_numpy(delta)
    with torch.no_grad():
        return victim.output(moved, batch).softmax(-1)[0].numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_record_says_of_probabilities_can_be_had_by_hand(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    np.testing.assert_allclose(chances(record.clean)[0], probs(victim, TEXT), atol=1e-12)
    np.testing.assert_allclose(
        chances(record.attacked)[0], probs(victim, TEXT, record.delta), atol=1e-12
    )
    assert label_of(record) == chances(record.clean)[0].argmax()
    assert (
        chances(record.attacked)[0][label_of(record)] < chances(record.clean)[0][label_of(record)]
    )
    assert len(record.tokens) == len(record.word_of) == len(record.perturbable)
    assert [record.words[w] for w in record.word_of[record.perturbable]] == TEXT.split()


@pytest.mark.parametrize("kind", KINDS)
def test_delta_is_zero_on_special_tokens_and_stays_in_its_ball(kind: str) -> None:
    record = record_of(kind)
    assert (record.delta[~record.perturbable] == 0).all()
    assert np.linalg.norm(record.delta) <= record.eps * (1 + 1e-9)
    assert record.eps == pytest.approx(0.8 * record.scale.mean_norm)
    np.testing.assert_allclose(record.delta_norm, np.linalg.norm(record.delta, axis=1))
    assert (np.linalg.norm(record.curve.delta_norm, axis=1) <= record.curve.eps + 1e-9).all()


@pytest.mark.parametrize("p", ["l2", "linf", "l1"])
@pytest.mark.parametrize("ball", ["example", "token"])
def test_every_norm_and_ball_is_respected_by_delta_and_matched_by_noise(p: Any, ball: Any) -> None:
    victim = shared_victim("bert")
    record = record_of("bert", PGD(0.3, "raw", p, ball, steps=3))
    batch = victim.encode([TEXT])
    delta = torch.from_numpy(record.delta).unsqueeze(0)
    size = norm(delta, p, ball).amax()
    assert size <= 0.3 * (1 + 1e-9)
    subject = Subject.of(victim, record)
    draws = len(record.noise)
    noise = subject.noise_as_long(delta, draws, record.seed + 1)
    told = victim.output(subject.embeds + noise, batch.repeat(draws)).softmax(-1).detach()
    np.testing.assert_allclose(told, chances(record.noise), rtol=1e-9)  # what stands in the record
    exact = norm(noise, p, ball)
    if ball == "token":
        exact = exact[batch.perturbable.expand(draws, -1)]
    torch.testing.assert_close(exact, size.expand_as(exact))
    assert (noise[~batch.perturbable.expand(draws, -1)] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_curve_starts_clean_and_never_gets_easier(kind: str) -> None:
    record = record_of(kind)
    curve = record.curve
    assert len(curve.eps) == 25
    assert curve.eps[0] == 0
    assert curve.eps[-1] == pytest.approx(2 * record.eps)
    assert curve.draws > 0
    for row in (curve.attacked.score, curve.low, curve.mean, curve.high):
        assert row[0] == pytest.approx(record.clean.score[0], abs=1e-12)
    assert (np.diff(chances(curve.attacked)[:, label_of(record)]) <= 1e-12).all()
    assert (curve.low <= curve.mean + 1e-12).all()
    assert (curve.mean <= curve.high + 1e-12).all()
    assert (
        chances(curve.attacked)[12, label_of(record)]
        <= chances(record.attacked)[0][label_of(record)] + 1e-12
    )
    assert (curve.delta_norm[:, ~record.perturbable] == 0).all()


@pytest.mark.parametrize(
    "attack",
    [
        FGM(0.6),
        FGSM(0.05),
        RandomNoise(0.8, draws=5),
        PGD(0.5, restarts=2, start="random"),
        PGD(0.5, momentum=0.9, ball="token"),
        PGD(0.5, "half-nn", "linf"),
        PGD(0.0),
    ],
    ids=lambda a: type(a).__name__,
)
def test_curve_keeps_its_promises_for_every_attack(attack: Attack) -> None:
    record = record_of("bert", attack)
    along = chances(record.curve.attacked)[:, label_of(record)]
    np.testing.assert_allclose(
        chances(record.curve.attacked)[0], chances(record.clean)[0], atol=1e-12
    )
    assert (np.diff(along) <= 1e-12).all()
    assert along[12] <= chances(record.attacked)[0][label_of(record)] + 1e-12


def test_curve_at_the_attacks_own_radius_shows_the_records_delta() -> None:
    record = record_of("bert")
    np.testing.assert_allclose(
        chances(record.curve.attacked)[12], chances(record.attacked)[0], atol=1e-12
    )
    np.testing.assert_allclose(record.curve.delta_norm[12], record.delta_norm, atol=1e-12)


def test_radii_in_between_are_as_good_as_attacks_of_their_own() -> None:
    """Filling in from neighbours costs little of the loss that a full attack finds."""
    victim, record = shared_victim("bert"), record_of("bert")
    for i in range(1, 25):
        alone = replace(ATTACK, eps=float(record.curve.eps[i]), unit="raw")
        found = explore(victim, TEXT, attack=alone, seed=4, draws=1, points=3)
        assert chances(record.curve.attacked)[i, label_of(record)] <= found.attacked.score[0] + 0.03


def flipping(kind: str) -> AttackRecord:
    record = record_of(kind, PGD(3.0, steps=6))
    assert record.curve.flip_eps is not None
    return record


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
def test_flip_point_lies_between_the_last_radius_that_holds_and_the_first_that_flips(
    kind: str,
) -> None:
    record = flipping(kind)
    curve = record.curve
    flips = chances(curve.attacked).argmax(1) != chances(record.clean)[0].argmax()
    first = int(np.flatnonzero(flips)[0])
    assert curve.eps[first - 1] < curve.flip_eps <= curve.eps[first]
    assert not flips[:first].any()


def test_flip_point_flips_and_a_slightly_smaller_radius_of_its_grid_does_not() -> None:
    """The curve's δ made again, so that the flips can be looked at one by one."""
    victim = shared_victim("bert")
    places = set()
    for size in (1.5, 2.0, 3.0, 4.0, 5.0):
        record = record_of("bert", PGD(size, steps=6))
        attack = PGD(record.eps, "raw", steps=6)
        subject = Subject.set(victim, Example("text", TEXT), attack)
        eps = torch.from_numpy(record.curve.eps)
        deltas, logits = radii._attacked(
            subject, eps, torch.from_numpy(record.delta), 4, radii.THOROUGH
        )
        np.testing.assert_allclose(
            logits.softmax(-1).numpy(), chances(record.curve.attacked), atol=1e-12
        )
        first = int((logits.argmax(-1) != label_of(record)).nonzero()[0, 0])
        radius = record.curve.flip_eps
        assert radius is not None

        def flips(at: float) -> bool:
            tries = [deltas[i] * (at / eps[i]) for i in (first - 1, first) if i > 0]  # noqa: B023
            assert all(float(d.norm()) <= at * (1 + 1e-9) for d in tries)
            found = subject.output(torch.stack(tries)).argmax(-1)  # noqa: B023
            return bool((found != label_of(record)).any())  # noqa: B023

        step = float(eps[first] - eps[first - 1]) / (radii.FINER + 1)
        places.add(round((radius - float(eps[first - 1])) / step))
        assert flips(radius)
        assert not flips(radius - step)
    assert len(places) > 2


def test_targeted_attack_never_gets_farther_from_its_target_as_the_ball_grows() -> None:
    victim = shared_victim("bert")
    aim = int(chances(record_of("bert").clean)[0].argmin())
    record = explore(
        victim, TEXT, label=aim, attack=replace(ATTACK, targeted=True, eps=2.0), draws=2
    )
    along = chances(record.curve.attacked)[:, aim]
    assert (np.diff(along) >= -1e-12).all()
    assert chances(record.attacked)[0][aim] > chances(record.clean)[0][aim]
    assert along[12] >= chances(record.attacked)[0][aim] - 1e-12
    assert record.given


def test_a_large_model_gets_fewer_draws_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advlab.explain.subject.LARGE", 100)
    quick = explore(shared_victim("bert"), TEXT, attack=ATTACK, draws=2)
    assert quick.curve.draws == radii.QUICK.draws < record_of("bert").curve.draws
    assert (np.diff(chances(quick.curve.attacked)[:, label_of(quick)]) <= 1e-12).all()
    np.testing.assert_allclose(
        chances(quick.curve.attacked)[12], chances(quick.attacked)[0], atol=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_when_no_token_moves_the_projected_sentence_is_the_clean_one(kind: str) -> None:
    record = record_of(kind, PGD(0.02, steps=3))
    assert not record.moved.any()
    np.testing.assert_allclose(chances(record.projected)[0], chances(record.clean)[0], atol=1e-12)
    np.testing.assert_allclose(chances(record.round_trip)[0], chances(record.clean)[0], atol=1e-12)
    assert record.round_trip_text == TEXT


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "llama"])
def test_round_trip_is_the_prediction_on_the_text_made_of_the_nearest_tokens(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind, PGD(40.0, steps=4))
    assert record.moved.any()
    near = record.neighbours
    words = [near.tokens[t][0] for t in np.flatnonzero(record.perturbable)]
    assert record.round_trip_text.split() == words
    np.testing.assert_allclose(
        chances(record.round_trip)[0], probs(victim, " ".join(words)), atol=1e-12
    )
    ids = victim.encode([TEXT]).input_ids
    ids[0, record.perturbable] = torch.from_numpy(near.ids[record.perturbable, 0])
    with torch.no_grad():
        swapped = victim.output(victim.embed(ids), victim.encode([TEXT])).softmax(-1)[0]
    np.testing.assert_allclose(chances(record.projected)[0], swapped, atol=1e-12)
    outside = record.delta_norm > record.exit_radius
    assert (outside == record.moved)[record.perturbable].all()


def test_steps_are_all_there_and_the_best_one_is_kept() -> None:
    record = record_of("bert")
    assert len(record.losses) == len(chances(record.steps)) == len(record.step_norms) == 7
    assert record.best_step == record.losses.argmax()
    np.testing.assert_allclose(
        record.losses, -np.log(chances(record.steps)[:, label_of(record)]), atol=1e-10
    )
    np.testing.assert_allclose(record.step_norms[record.best_step], record.delta_norm, atol=1e-12)
    flips = np.flatnonzero(chances(record.steps).argmax(1) != chances(record.clean)[0].argmax())
    assert record.flip_step == (int(flips[0]) if len(flips) else None)


def test_planes_are_of_their_token_and_names_are_the_vocabularys() -> None:
    record = record_of("bert")
    for token in sorted(np.argsort(-record.delta_norm)[:2].tolist()):
        plane = analyse(shared_victim("bert"), record, "plane", token=token)
        assert plane.token == token
        assert plane.delta == pytest.approx(record.delta_norm[plane.token])
        assert plane.exit_radius == pytest.approx(record.exit_radius[plane.token])
        assert not {"[PAD]", "[CLS]"} & set(plane.labels)


@pytest.mark.parametrize("kind", ["bert", "electra", "gpt2"])
def test_the_same_seed_gives_the_same_record(kind: str) -> None:
    attack = PGD(0.8, steps=3, start="random", restarts=2)
    victim = shared_victim(kind)
    first, again = (explore(victim, TEXT, attack=attack, seed=7) for _ in range(2))
    assert same(first, again)
    other = explore(victim, TEXT, attack=attack, seed=8)
    assert not np.array_equal(chances(first.noise), chances(other.noise))
