from __future__ import annotations

import numpy as np
import pytest
import torch
from samples import rectangular, renamed, robust_record, sample_record
from victims import TEXTS, chances, label_of, shared_victim

from advlab.attacks import PGD
from advlab.attacks.norms import norm
from advlab.capsule.legacy import as_reading
from advlab.explain.explore import analyse, explore
from advlab.pictures.reel import film, sweep
from advlab.pictures.sentences import number
from advlab.pictures.text import pieces
from advlab.records import AttackRecord, Frames


def real(steps: int = 5) -> AttackRecord:
    return explore(shared_victim("bert"), TEXTS[1], attack=PGD(2.0, steps=steps))


def test_the_slider_starts_at_the_attacks_own_epsilon_and_shows_the_record():
    record = real()
    reel = sweep([record], [analyse(shared_victim("bert"), record, "sweep")])
    rectangular(reel)
    assert reel.x[reel.start] == pytest.approx(2.0)
    panel = reel.panels[0]
    np.testing.assert_allclose(
        panel.bars["raw"][reel.start], record.delta_norm / record.scale.mean_norm, rtol=1e-3
    )
    np.testing.assert_allclose(sum(panel.bars["share"][reel.start]), 1.0, rtol=1e-2)
    line = reel.charts[0].series[0]
    c = label_of(record)
    assert line.y[reel.start] == pytest.approx(chances(record.attacked)[0, c], abs=1e-3)
    assert line.y[0] == pytest.approx(chances(record.clean)[0, c], abs=1e-3)


def test_no_bar_is_longer_than_a_whole_one():
    for reel in (sweep([sample_record(), robust_record()]),):
        rectangular(reel)
        for mode in reel.modes:
            longest = max(max(map(max, p.bars[mode.key])) for p in reel.panels)
            assert longest == pytest.approx(mode.full, rel=1e-3)


def test_a_token_is_renamed_exactly_in_the_frames_in_which_it_has_left_its_cell():
    record = explore(shared_victim("bert"), TEXTS[1], attack=PGD(30.0, steps=6))
    frames = analyse(shared_victim("bert"), record, "film")
    reel = film([record], [frames])
    rectangular(reel)
    nearest = reel.panels[0].nearest
    assert nearest is not None
    named = np.array([[bool(n) for n in row] for row in nearest])
    np.testing.assert_array_equal(named, frames.own_rank > 1)
    assert named.any()


def test_the_film_shows_the_steps_losses_and_marks_flip_and_best():
    victim, record = shared_victim("bert"), real()
    reel = film([record], [analyse(victim, record, "film")])
    loss, margins, chance = (chart.series[0] for chart in reel.charts)
    np.testing.assert_allclose(np.array(loss.y, dtype=float), record.losses, rtol=1e-3)
    probs, c = chances(record.steps), label_of(record)
    np.testing.assert_allclose(np.array(chance.y, dtype=float), probs[:, c], rtol=1e-3)
    assert chance.low is not None
    marks = {kind: k for k, kind, _ in loss.marks}
    assert marks["kept"] == record.best_step
    if record.flip_step:
        assert marks["flips"] == record.flip_step
    below = np.array(margins.y, dtype=float) < 0
    np.testing.assert_array_equal(below, probs.argmax(1) != c)


def test_models_that_took_other_steps_share_the_frames():
    victim, long, short = shared_victim("bert"), real(9), real(3)
    reel = film([long, short], [analyse(victim, r, "film") for r in (long, short)])
    rectangular(reel)
    assert reel.x[-1] == 9
    last = reel.panels[1].bars["raw"]
    assert last[3] == last[9]  # it stands still after its last step


def test_a_margin_is_the_difference_of_logits():
    logits = np.array([[1.0, -2.0, 0.5]])
    probs = np.exp(logits) / np.exp(logits).sum()
    names = ["a", "b", "c"]
    assert as_reading(probs, names, 0, 0).margin[0] == pytest.approx(0.5)
    assert as_reading(probs, names, 1, 0).margin[0] == pytest.approx(-3.0)
    assert as_reading(probs, names, 1, 0).hold[0] == pytest.approx(0.5)  # of what must stand
    assert as_reading(np.ones((1, 1)), ["only"], 0, 0).margin[0] == np.inf
    assert as_reading(np.eye(3)[:1], names, 1, 2).margin[0] == -np.inf
    assert not np.isnan(as_reading(np.zeros((1, 3)), names, 1, 2).margin).any()
    # and a real record's own is of its logits too
    record = real()
    logs, c = np.log(chances(record.steps).astype(float)), label_of(record)
    wanted = logs[:, c] - np.delete(logs, c, 1).max(1)
    np.testing.assert_allclose(record.steps.margin, wanted, rtol=1e-4, atol=1e-6)


def test_models_with_other_scales_share_the_axis_of_the_unit_that_was_asked_for():
    record = sample_record()
    record = renamed(record, attack={"name": "pgd", "eps": record.eps / 2, "unit": "norm"})
    big = renamed(
        record,
        scale=renamed(record.scale, mean_norm=2.0),
        curve=renamed(record.curve, eps=2 * record.curve.eps),
    )
    reel = sweep([record, big])
    assert reel.x[-1] == pytest.approx(record.eps)
    assert reel.labels[3] == f"ε = {number(reel.x[3])} × mean norm"


def test_long_texts_keep_the_tokens_with_the_longest_delta_and_say_how_many_are_left_out():
    tokens = ("[CLS]", *(f"word{k}" for k in range(90)), "[SEP]")
    record = sample_record(tokens=tokens, width=24)
    panel = sweep([record]).panels[0]
    assert panel.left_out == len(tokens) - len(panel.tokens) > 0
    kept = {int(t.removeprefix("word")) for t in panel.tokens if t.startswith("word")}
    peaks = record.curve.delta_norm.max(0)[1:-1]
    assert kept == set(np.argsort(-peaks)[: len(panel.tokens)].tolist())


def test_the_margin_says_what_holds_for_targeted_attacks_and_misread_sentences_too():
    record = sample_record()
    frames = Frames(
        record.path_steps,
        record.step_norms,
        1 + record.step_norms,
        np.ones_like(record.step_norms),
        np.zeros_like(record.step_norms),
        tuple(record.tokens for _ in record.path_steps),
    )
    for attack, way in (({}, "down"), ({"targeted": True}, "up")):
        asked = renamed(record, attack={**record.attack, **attack})
        title = film([asked], [frames]).charts[1].title
        assert title.startswith(f"Margin of {record.reference}, logits")
        assert "above 0 it is the prediction" in title
        assert title.endswith(f"pushes {way}")
        assert "flip" not in title


@pytest.mark.parametrize("attack", [PGD(2.0, steps=4), PGD(0.5, steps=4, p="linf", ball="token")])
def test_noise_behind_the_bars_is_as_long_as_delta_in_every_frame(attack: PGD):
    victim = shared_victim("bert")
    record = explore(victim, TEXTS[1], attack=attack)
    noise = analyse(victim, record, "noise")
    reel = sweep([record], [analyse(victim, record, "sweep")], [noise])
    rectangular(reel)
    panel = reel.panels[0]
    assert panel.noise is not None
    assert panel.grown is not None
    assert record.curve.deltas is not None
    lengths = norm(torch.from_numpy(record.curve.deltas), attack.p, attack.ball).flatten(1).amax(1)
    own = norm(torch.from_numpy(record.delta[None]), attack.p, attack.ball).amax()
    np.testing.assert_allclose(panel.grown, (lengths / own).numpy(), rtol=1e-3)
    low, high = np.array(panel.noise["raw"]).T
    rows = [record.tokens.index(t) for t in panel.tokens if record.tokens.count(t) == 1]
    places = [panel.tokens.index(record.tokens[t]) for t in rows]
    per_token = noise.delta_norm[:, rows] / record.scale.mean_norm
    np.testing.assert_allclose(low[places], per_token.min(0), rtol=1e-3)
    np.testing.assert_allclose(high[places], per_token.max(0), rtol=1e-3)
    assert "20 random draws" in reel.notes[1]
    assert f"range of {record.curve.draws} random draws" in reel.notes[0]
    for mode in reel.modes:
        grown = 1.0 if mode.key == "share" else max(panel.grown)
        assert max(h for _, h in panel.noise[mode.key]) * grown <= mode.full * (1 + 1e-3)
    shots = analyse(victim, record, "film")
    rectangular(film([record], [shots], [noise]))


@pytest.mark.parametrize("kind", ["bert", "gpt2", "deberta"])
def test_the_coloured_sentence_is_the_text_as_it_was_typed(kind: str):
    record = explore(shared_victim(kind), "  The  film was good,\tagain!", attack=PGD(1.0, steps=2))
    shown = [t for t in range(len(record.tokens)) if t != 2]  # one is left out
    found = pieces(record, shown)
    assert "".join(piece for piece, _ in found) == record.text
    places = [k for _, k in found if k >= 0]
    assert places == sorted(set(places))
    out = record.text[slice(*record.spans[2].tolist())]
    assert all(not piece.strip() or k >= 0 or piece in out for piece, k in found)


def test_the_reel_says_what_was_said_before_and_where_it_flips():
    record = sample_record()
    panel = sweep([record]).panels[0]
    assert panel.before.startswith(record.clean.answers[0])
    assert panel.flipped == record.curve.attacked.broken.tolist()
    assert panel.said[0] == panel.before
    assert panel.event.startswith("Flips at ε")
