from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from samples import renamed
from victims import KINDS, TEXTS, chances, label_of, shared_victim

from advlab.attacks import PGD, Attack
from advlab.attacks.norms import norm
from advlab.errors import SettingError
from advlab.explain.explore import analyse, explore
from advlab.explain.landscape import direction
from advlab.explain.subject import Subject
from advlab.pictures import landscape, surface
from advlab.records import AttackRecord, Distances, Line, Map, Surface

TEXT = TEXTS[1]


@lru_cache
def record_of(kind: str, attack: Attack = PGD(1.0, steps=4)) -> AttackRecord:
    return explore(shared_victim(kind), TEXT, attack=attack, seed=4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_of_the_surface_is_what_the_model_says_there(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    found: Surface = analyse(victim, record, "surface", seed=1, grid=7)
    subject = Subject.of(victim, record)
    delta = torch.from_numpy(record.delta)
    across = direction(subject, delta, 1)
    start = int(chances(record.clean)[0].argmax())
    for r, b in enumerate(found.axis[found.rows]):
        for k, a in enumerate(found.axis):
            embeds = subject.embeds + a * delta + b * across
            with torch.no_grad():
                logits = victim.output(embeds, subject.batch)[0]
            loss = torch.nn.functional.cross_entropy(logits[None], subject.batch.target["labels"])
            assert found.loss[r, k] == pytest.approx(float(loss), rel=1e-9)
            rest = torch.cat([logits[:start], logits[start + 1 :]])
            assert found.margin[r, k] == pytest.approx(float(logits[start] - rest.max()), rel=1e-9)
            # beyond the boundary is exactly where the prediction is another
            assert (found.margin[r, k] < 0) == (int(logits.argmax()) != start)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_the_other_direction_is_random_across_delta_as_long_and_off_special_tokens(
    kind: str,
) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    subject, delta = Subject.of(victim, record), torch.from_numpy(record.delta)
    drawn = [direction(subject, delta, seed) for seed in range(3)]
    for across in drawn:
        assert float((across * delta).sum()) == pytest.approx(0.0, abs=1e-12)
        torch.testing.assert_close(across.norm(), delta.norm())
        assert not across[~subject.batch.perturbable[0]].any()
    assert float((drawn[0] * drawn[1]).sum().abs()) < 0.9 * float(delta.norm() ** 2)
    torch.testing.assert_close(direction(subject, delta, 1), drawn[1])


@pytest.mark.parametrize(
    "attack",
    [PGD(1.0, steps=4), PGD(1.0, steps=4, ball="token"), PGD(0.2, p="linf", steps=3)],
    ids=["sequence", "token", "linf"],
)
def test_the_edge_of_the_ball_is_where_the_attacks_own_norm_is_eps(attack: Attack) -> None:
    victim, record = shared_victim("bert"), record_of("bert", attack)
    found: Surface = analyse(victim, record, "surface", grid=5)
    raw = attack.at(victim.scale)
    subject, delta = Subject.of(victim, record), torch.from_numpy(record.delta)
    across = direction(subject, delta, 0)
    for r, b in enumerate(found.axis[found.rows]):
        for k, a in enumerate(found.axis):
            size = norm((a * delta + b * across).unsqueeze(0), raw.p, raw.ball).amax()
            assert found.share[r, k] == pytest.approx(float(size) / raw.eps)


def test_parts_of_a_surface_join_to_the_whole() -> None:
    victim, record = shared_victim("bert"), record_of("bert")
    whole: Surface = analyse(victim, record, "surface", grid=9)
    parts = [analyse(victim, record, "surface", grid=9, part=k, parts=4) for k in (2, 0, 3, 1)]
    joined = surface.joined(parts)
    np.testing.assert_array_equal(joined.rows, np.arange(9))
    np.testing.assert_allclose(joined.loss, whole.loss, rtol=1e-12)
    np.testing.assert_allclose(joined.margin, whole.margin, rtol=1e-9)
    with pytest.raises(SettingError, match="part"):
        analyse(victim, record, "surface", grid=9, part=4, parts=4)


def test_boundary_points_lie_between_a_point_that_holds_and_one_that_flips() -> None:
    found: Surface = analyse(shared_victim("bert"), record_of("bert", PGD(8.0, steps=6)), "surface")
    edge = surface.crossings(found)
    assert len(edge) > 3
    step = found.axis[1] - found.axis[0]
    for a, b, loss in edge:
        r = int(np.abs(found.axis[found.rows] - b).argmin())
        k = int(np.floor((a - found.axis[0]) / step + 1e-9))
        pair = found.margin[r, k : k + 2]
        assert pair.min() <= 0 <= pair.max()
        assert min(found.loss[r, k : k + 2]) <= loss <= max(found.loss[r, k : k + 2])


@pytest.mark.parametrize("kind", ["bert", "gpt2", "deberta"])
def test_the_straight_line_begins_at_the_sentence_and_is_delta_at_one(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    found: Line = analyse(victim, record, "line")
    at = int(np.abs(found.t - 1).argmin())
    assert found.t[at] == pytest.approx(1)
    assert found.loss[0] == pytest.approx(
        -np.log(chances(record.clean)[0][label_of(record)]), rel=1e-6
    )
    assert found.loss[at] == pytest.approx(
        -np.log(chances(record.attacked)[0][label_of(record)]), rel=1e-6
    )
    np.testing.assert_allclose(found.path_loss, record.losses[record.path_steps], rtol=1e-9)
    kept = int(np.flatnonzero(record.path_steps == record.best_step)[0])
    assert found.path_length[kept] == pytest.approx(1)
    assert found.path_along[kept] == pytest.approx(1)
    assert "straight line" in landscape.line_sentence(record, found)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_distances_are_true_and_cross_where_the_exit_says(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    own = victim.encode([TEXT]).input_ids[0]
    seen = 0
    for t in np.flatnonzero(record.delta_norm > 0).tolist():
        found: Distances = analyse(victim, record, "distances", token=t)
        for n in (0, 30, 60):
            x = victim.table[own[t]] + found.t[n] * torch.from_numpy(record.delta[t])
            assert found.own[n] == pytest.approx(float((x - victim.table[own[t]]).norm()))
            far = (victim.table[victim.ordinary] - x).norm(dim=1)
            assert found.far[:, n].min() >= float(far.min()) - 1e-9
        ratio = record.exit_radius[t] / record.delta_norm[t]
        assert found.exit == pytest.approx(ratio)
        if np.isfinite(ratio) and ratio < 1000:
            seen += 1
            k = found.rivals.index(found.becomes)
            at_exit = np.interp(found.exit, found.t, found.far[k])
            assert at_exit == pytest.approx(found.exit * record.delta_norm[t], rel=2e-2)
    assert seen
    for t in np.flatnonzero(record.delta_norm == 0).tolist():  # special tokens
        with pytest.raises(SettingError, match="perturbed token"):
            analyse(victim, record, "distances", token=t)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_the_map_tells_the_share_of_delta_that_it_shows(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    found: Map = analyse(victim, record, "map")
    words = victim.table[victim.ordinary].numpy()
    _, sizes, axes = np.linalg.svd(words - words.mean(0), full_matrices=False)
    assert found.variance == pytest.approx((sizes[:2] ** 2).sum() / (sizes**2).sum())
    shown = (record.delta @ axes[:2].T) ** 2
    assert found.energy == pytest.approx(shown.sum() / (record.delta**2).sum())
    arrows = np.linalg.norm(found.moved - found.tokens, axis=1)
    np.testing.assert_allclose(arrows, np.sqrt(shown.sum(1)), atol=1e-9)
    assert "Context only" in landscape.context_sentence(record, found)


def test_every_picture_draws_and_says_something() -> None:
    victim, record = shared_victim("bert"), record_of("bert")
    token = int(record.delta_norm.argmax())
    found: Surface = analyse(victim, record, "surface", grid=5)
    line: Line = analyse(victim, record, "line")
    far: Distances = analyse(victim, record, "distances", token=token)
    spots: Map = analyse(victim, record, "map")
    for figure in (
        surface.surface(found),
        surface.relief(found),
        landscape.lines([record, record], [line, line]),
        landscape.distances(far, record.tokens[token]),
        landscape.context(record, spots),
    ):
        assert len(figure.to_json()) > 500
    far = replace(far, exit=2.0, becomes="x", t=np.linspace(0, 4, len(far.t)))
    for reach, place in (((4.0, 3.0), "bottom right"), ((2.5, 3.0), "top left")):
        # the name of the next word stands away from the nearer edge of the picture
        assert landscape.distances(far, "a", reach=reach).data[-1].textposition == place
    for columns in (
        surface.surface_columns(found),
        landscape.line_columns(line),
        landscape.distance_columns(far),
        landscape.context_columns(record, spots),
    ):
        assert len(set(map(len, columns.values()))) == 1
    assert "Random direction 1" in surface.surface_sentence(record, found)


def test_without_a_delta_there_is_no_surface() -> None:
    victim = shared_victim("bert")
    record = explore(victim, TEXT, attack=PGD(0.0))
    for name in ("surface", "line"):
        with pytest.raises(SettingError, match="δ = 0"):
            analyse(victim, record, name)


@pytest.mark.parametrize("attack", [PGD(1.0, steps=4), PGD(0.3, steps=4, p="linf")], ids=str)
def test_the_edge_of_the_ball_is_a_closed_line_at_the_radius_eps(attack: Attack) -> None:
    victim, record = shared_victim("bert"), record_of("bert", attack)
    found: Surface = analyse(victim, record, "surface", grid=21)
    line = surface.edge(found)
    there = line[~np.isnan(line[:, 0])]
    assert len(there) > 20
    delta = torch.from_numpy(record.delta)
    across = direction(Subject.of(victim, record), delta, 0)
    for a, b, _ in there[::7]:
        length = norm((a * delta + b * across).unsqueeze(0), attack.p, attack.ball).max()
        assert float(length) == pytest.approx(record.eps, rel=2e-2)
    if attack.p == "l2":  # a circle, in lengths of δ; whole, so closed
        radius = record.eps / np.linalg.norm(record.delta)
        np.testing.assert_allclose(np.hypot(there[:, 0], there[:, 1]), radius, rtol=2e-2)
        assert len(there) == len(line)
        np.testing.assert_array_equal(line[0], line[-1])
    names = [t.hovertemplate or "" for t in surface.relief(found).data]
    assert any("edge of the ε ball" in n for n in names)


def test_three_directions_are_compared_in_a_sentence() -> None:
    victim, record = shared_victim("bert"), record_of("bert")
    found = [analyse(victim, record, "surface", seed=k, grid=5) for k in range(3)]
    assert "3 random directions" in surface.seeds_sentence(found)
    figure = surface.seeds(found)
    heats = [t for t in figure.data if t.type == "heatmap"]
    assert len(heats) == 3
    assert len({h.zmax for h in heats}) == 1
    shares = surface.seed_columns(found)["beyond the boundary"]
    same = [renamed(found[0], seed=k) for k in range(3)]
    assert "the same story" in surface.seeds_sentence(same)
    other = renamed(found[0], seed=1, margin=-np.ones_like(found[0].margin))
    held = renamed(found[0], margin=np.ones_like(found[0].margin))
    assert "different stories" in surface.seeds_sentence([held, other])
    assert shares == [surface.shares(f)[0] for f in found]


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_noise_on_the_line_is_as_long_as_the_scaled_delta(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    found: Line = analyse(victim, record, "line")
    assert found.noise is not None
    assert found.noise_t is not None
    subject = Subject.of(victim, record)
    drawn = subject.noise_as_long(
        torch.from_numpy(record.delta[None]), len(found.noise), record.seed + 1
    )
    for m in (0, 3, len(found.noise_t) - 1):
        moved = float(found.noise_t[m]) * drawn[1]
        assert float(moved.norm()) == pytest.approx(
            found.noise_t[m] * np.linalg.norm(record.delta), rel=1e-6
        )
        assert found.noise[1, m] == pytest.approx(
            float(subject.loss(subject.output(moved.unsqueeze(0)))[0]), rel=1e-6
        )
    np.testing.assert_allclose(found.noise[:, 0], found.loss[0])
    columns = landscape.line_columns(found)
    assert len(set(map(len, columns.values()))) == 1
    assert "random draws as long" in landscape.line_sentence(record, found)


def test_lines_of_models_keep_their_letters_where_one_has_no_delta() -> None:
    victim, record = shared_victim("bert"), record_of("bert")
    line: Line = analyse(victim, record, "line")
    names = [t.name for t in landscape.lines([record], [line], [1]).data if t.name]
    assert all(n.startswith("B: ") for n in names)
