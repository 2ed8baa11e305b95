from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from victims import KINDS, TEXTS, chances, shared_victim

from advlab.attacks import FGSM, PGD, Attack, RandomNoise
from advlab.attacks.norms import norm
from advlab.explain import frames as film_module
from advlab.explain.explore import analyse, explore
from advlab.explain.frames import nearest_frames
from advlab.explain.nearest import exit_radius, nearest_tokens
from advlab.explain.subject import Subject
from advlab.records import AttackRecord, Frames

TEXT = TEXTS[1]
FAR = PGD(30.0, steps=6)  # far enough for many tokens to leave their cells
# DeBERTa's best δ at these radii is a short one, carried upwards: its sweep stays at home
SERIES = [(k, n) for k in KINDS for n in ("film", "sweep") if (k, n) != ("deberta", "sweep")]


@lru_cache
def record_of(kind: str, attack: Attack = FAR) -> AttackRecord:
    return explore(shared_victim(kind), TEXT, attack=attack, seed=4)


@lru_cache
def frames_of(kind: str, name: str, attack: Attack = FAR) -> Frames:
    return analyse(shared_victim(kind), record_of(kind, attack), name)


@pytest.mark.parametrize(("kind", "name"), SERIES)
def test_every_frame_is_what_the_projection_says_of_it_alone(kind: str, name: str) -> None:
    victim, record, frames = shared_victim(kind), record_of(kind), frames_of(kind, name)
    deltas = record.path if name == "film" else record.curve.deltas
    assert deltas is not None
    own = victim.encode([TEXT]).input_ids[0]
    crossed = 0
    for f, delta in enumerate(torch.from_numpy(deltas)):
        x = victim.table[own] + delta
        ids, _, rank, _ = nearest_tokens(x, own, victim.table, victim.ordinary)
        exits = exit_radius(own, delta, victim.table, victim.ordinary)
        np.testing.assert_array_equal(frames.own_rank[f], rank.numpy())
        np.testing.assert_allclose(frames.exit_radius[f], exits.numpy(), rtol=1e-9)
        np.testing.assert_allclose(frames.delta_norm[f], np.linalg.norm(deltas[f], axis=1))
        moved = rank > 1
        crossed += int(moved.sum())
        np.testing.assert_array_equal(frames.nearest[f][moved], ids[moved, 0].numpy())
        np.testing.assert_array_equal(frames.nearest[f][~moved], own[~moved].numpy())
        assert frames.tokens[f] == tuple(victim.vocabulary.texts(frames.nearest[f].tolist()))
    assert crossed > 5


@pytest.mark.parametrize(("kind", "name"), SERIES)
def test_a_token_is_its_own_exactly_while_delta_is_shorter_than_its_exit(
    kind: str, name: str
) -> None:
    frames = frames_of(kind, name)
    inside = frames.delta_norm < frames.exit_radius
    np.testing.assert_array_equal(frames.own_rank == 1, inside)
    np.testing.assert_array_equal(frames.exit_share > 1, ~inside)
    assert inside.any()
    assert not inside.all()


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_the_frames_of_the_attack_itself_hold_the_records_delta(kind: str) -> None:
    near = PGD(0.5, steps=6)
    record = record_of(kind, near)
    curve = record.curve
    assert curve.deltas is not None
    at = int(np.abs(curve.eps - record.eps).argmin())
    kept = int(np.flatnonzero(record.path_steps == record.best_step)[0])
    np.testing.assert_array_equal(curve.deltas[at], record.delta)
    np.testing.assert_array_equal(record.path[kept], record.delta)
    for name, frame in (("sweep", at), ("film", kept)):
        frames = frames_of(kind, name, near)
        np.testing.assert_allclose(frames.delta_norm[frame], record.delta_norm)
        np.testing.assert_allclose(frames.exit_radius[frame], record.exit_radius, rtol=1e-9)
        np.testing.assert_array_equal(frames.own_rank[frame], record.neighbours.own_rank)
    np.testing.assert_array_equal(frames_of(kind, "film", near).at, record.path_steps)
    np.testing.assert_array_equal(frames_of(kind, "sweep", near).at, curve.eps)


def test_frames_do_not_depend_on_how_many_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    victim, record = shared_victim("bert"), record_of("bert")
    subject = Subject.of(victim, record)
    deltas = torch.from_numpy(record.path)
    whole = nearest_frames(subject, deltas)
    monkeypatch.setattr(film_module, "CELLS", 1)
    for a, b in zip(whole, nearest_frames(subject, deltas), strict=True):
        torch.testing.assert_close(a, b)


def test_a_row_equal_to_the_own_one_is_not_nearer() -> None:
    victim, record = shared_victim("bert"), record_of("bert")
    subject = Subject.of(victim, record)
    table = victim.table.clone()
    own = subject.batch.input_ids[0]
    twin = next(int(i) for i in victim.ordinary.nonzero()[:, 0] if int(i) not in own.tolist())
    token = int(subject.batch.perturbable[0].nonzero()[0, 0])
    table[twin] = table[own[token]]

    class Doubled:
        def __getattr__(self, name: str) -> object:
            return table if name == "table" else getattr(victim, name)

    small = torch.from_numpy(record.path) * 1e-3
    doubled = replace(subject, victim=Doubled())  # type: ignore[arg-type]
    nearest, rank, exits = nearest_frames(doubled, small)
    assert (rank == 1).all()
    assert (nearest == own).all()
    assert (exits[1:, token] > 0).all()


@pytest.mark.parametrize(
    "attack",
    [FAR, PGD(2.0, ball="token"), FGSM(0.3), PGD(0.5, p="l1"), RandomNoise(0.8), PGD(0.0)],
    ids=lambda a: type(a).__name__,
)
def test_noise_is_as_long_as_delta_and_the_very_noise_of_the_record(attack: Attack) -> None:
    victim, record = shared_victim("bert"), record_of("bert", attack)
    found = analyse(victim, record, "noise")
    assert found.delta_norm.shape == found.exit_radius.shape == (20, len(record.tokens))
    assert (found.delta_norm[:, ~record.perturbable] == 0).all()
    np.testing.assert_allclose(found.delta_norm[0], np.linalg.norm(found.first, axis=1))
    raw = attack.at(victim.scale)
    sizes = [
        norm(torch.from_numpy(d).unsqueeze(0), raw.p, raw.ball).amax()
        for d in (record.delta, found.first)
    ]
    torch.testing.assert_close(sizes[0], sizes[1])
    batch = victim.encode([TEXT])
    embeds = victim.embed(batch).detach() + torch.from_numpy(found.first)
    np.testing.assert_allclose(
        victim.output(embeds, batch).softmax(-1)[0].detach().numpy(),
        chances(record.noise)[0],
        atol=1e-12,
    )


def test_the_films_band_is_noise_of_each_steps_own_length() -> None:
    record, frames = record_of("bert"), frames_of("bert", "film")
    assert frames.random is not None
    drawn = chances(frames.random).reshape(len(record.path_steps), 4, -1)
    np.testing.assert_allclose(drawn.sum(-1), 1.0)
    # the first step is the clean sentence: no length, no noise
    np.testing.assert_allclose(drawn[0], np.tile(chances(record.clean)[0], (4, 1)), atol=1e-12)
    assert np.ptp(drawn[-1], axis=0).max() > 0
    longer = analyse(shared_victim("bert"), record, "film", draws=7)
    assert longer.draws == 7
    assert len(longer.random) == 7 * len(record.path_steps)


def test_shielded_words_stay_at_zero_in_every_frame() -> None:
    victim = shared_victim("bert")
    start = TEXT.index("movie")
    record = explore(victim, TEXT, attack=FAR, seed=4, shield=[(start, start + 5)])
    (locked,) = [t for t, span in enumerate(record.spans.tolist()) if span == [start, start + 5]]
    for name in ("film", "sweep"):
        frames = analyse(victim, record, name)
        assert (frames.delta_norm[:, locked] == 0).all()
        assert (frames.own_rank[:, locked] == 1).all()
        assert np.isinf(frames.exit_radius[:, locked]).all()
    assert (analyse(victim, record, "noise").delta_norm[:, locked] == 0).all()
