"""The reel of a batch in slow motion shows what the record says, on shared frames and scales."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest
from samples import rectangular
from victims import LABELS, TEXTS, shared_victim

from advlab.explain.microscope import Conditions, slow_motion
from advlab.pictures import microscope
from advlab.pictures.reel import Reel
from advlab.pictures.stages import moments_of
from advlab.records import Example, SlowMotion
from advlab.training.methods import build_method

METHODS = ("plain", "fgm", "pgd", "freelb", "trades")
PGD, FREELB = METHODS.index("pgd"), METHODS.index("freelb")
TEXT = 1


@lru_cache
def records() -> tuple[SlowMotion, ...]:
    examples = [Example(str(i), text, (LABELS[i % 3],)) for i, text in enumerate(TEXTS)]
    made = [
        build_method({"name": name} | ({} if name == "plain" else {"eps": 0.4, "unit": "raw"}))
        for name in METHODS
    ]
    pinned = Example("pinned", "the film was good")
    return tuple(slow_motion(shared_victim("bert"), examples, made, pinned, Conditions()))


def reel() -> Reel:
    return microscope.reel(records(), TEXT)


def test_all_methods_share_the_frames_and_each_value_is_the_records() -> None:
    found, moments = reel(), moments_of(records())
    rectangular(found)
    ascent = [(phase, k) for k in (1, 2, 3) for phase in ("step", "projection")]
    assert moments == [("clean", 0), ("start", 0), *ascent, ("outer", 0), ("update", 0)]
    record, panel = records()[PGD], found.panels[PGD]
    for k in (1, 2, 3):
        frame = moments.index(("projection", k))
        now = record.at("projection", k)
        assert now is not None
        assert now.loss is not None
        line = found.charts[1].series[PGD].y
        assert line[frame] == pytest.approx(now.loss[TEXT], rel=1e-3)
        sizes = now.norms[TEXT][record.real[TEXT]] / record.mean_norm
        np.testing.assert_allclose(panel.bars["raw"][frame], sizes, rtol=1e-3)
        assert found.charts[0].series[PGD].y[frame] == pytest.approx(now.loss.mean(), rel=1e-3)


def test_a_method_without_a_clean_pass_has_no_loss_before_its_start() -> None:
    line = reel().charts[0].series[FREELB].y
    assert line[0] is None
    assert line[1] is not None


def test_the_lit_stage_is_what_the_method_does_and_none_while_it_waits() -> None:
    found, moments = reel(), moments_of(records())
    for record, panel in zip(records(), found.panels, strict=True):
        assert panel.stages is not None
        own = {(i.phase, i.step) for i in record.instants}
        for moment, lit, count in zip(moments, panel.stages.lit, panel.stages.count, strict=True):
            assert (lit >= 0) == (moment in own)
            assert bool(count) == (moment in own and moment[1] > 0)
    plain = found.panels[0]
    assert plain.stages is not None
    assert plain.stages.has == [True, False, False, False, True, True]
    assert plain.ball is None
    assert not plain.tokens  # no δ, so no bars


def test_the_ball_shows_true_lengths_and_true_angles_between_neighbours() -> None:
    record, ball = records()[PGD], reel().panels[PGD].ball
    assert ball is not None
    moved = [i for i in record.instants if i.phase in ("start", "step", "projection")]
    assert len(ball.points) == len(moved)
    for point, instant in zip(ball.points, moved, strict=True):
        assert point[0] == pytest.approx(instant.length[TEXT] / record.eps, rel=1e-3)
    angles = [angle for _radius, angle, _phase in ball.points]
    for before, after, instant in zip(angles, angles[1:], moved[1:], strict=False):
        turn = instant.turn[TEXT]
        assert after - before == pytest.approx(0.0 if math.isnan(turn) else turn, abs=1e-3)
    assert all(p.ball.reach == ball.reach for p in reel().panels if p.ball)
    assert "outside the ball" in ball.said[-2]
    assert "on the edge of the ball" in ball.said[-1]
    assert ball.upto[0] == 0
    assert ball.upto[-1] == len(ball.points)


def test_tables_hold_what_the_pictures_show() -> None:
    for record in records():
        columns = microscope.columns(record, TEXT)
        assert {len(v) for v in columns.values()} == {len(record.instants)}
    changed = microscope.changed_columns(records())
    assert changed["margin, before"] == [r.before.margin for r in records()]
    assert changed["margin, after"] == [r.after.margin for r in records()]
    assert len(set(changed["margin, after"])) == len(METHODS)  # each method moved elsewhere


def test_every_frame_of_every_method_is_told_in_a_sentence() -> None:
    for panel in reel().panels:
        assert all(panel.said)
    assert "waits" in reel().panels[0].said[2]
    assert "→" in reel().panels[0].said[-1]
