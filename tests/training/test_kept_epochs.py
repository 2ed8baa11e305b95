from __future__ import annotations

import json
from pathlib import Path

import pytest
from short_runs import config_for, of_kind, run

from advlab.attacks.evaluate import wilson
from advlab.training.checkpoints import State
from advlab.training.judging import Judgement, Ranked


@pytest.mark.parametrize(
    ("number", "rank"),
    [
        (-9.0, None),
        (0.75, Ranked(True, 0.75)),
        (2.0, Ranked(True, 2.0)),
        (-0.5, Ranked(False, 0.5)),
    ],
)
def test_ranks_of_an_earlier_release_are_understood(number: float, rank: Ranked | None) -> None:
    """One number, less by 1 where every text got the same class."""
    assert State.from_json(json.dumps({"best": number})).best == rank


@pytest.mark.parametrize("choose", ["robust", "clean"])
def test_an_epoch_of_one_class_never_ranks_above_one_that_tells_texts_apart(choose: str) -> None:
    good, bad = wilson(9, 10), wilson(2, 10)
    constant, varied = Judgement(good, good, 0.7, 1), Judgement(bad, bad, 0.7, 2)
    assert varied.rank(choose, 1) > constant.rank(choose, 5)
    assert constant.rank(choose, 2) >= constant.rank(choose, 1)
    state = State()
    assert state.improves(constant.rank(choose, 1), 1)  # better than no model at all
    assert state.improves(varied.rank(choose, 2), 2)
    assert not state.improves(constant.rank(choose, 3), 3)
    assert (state.best_epoch, state.idle) == (2, 1)


def test_the_last_epoch_is_kept_unless_it_alone_collapsed() -> None:
    rate, state = wilson(5, 10), State()
    constant, varied = Judgement(rate, rate, 0.7, 1), Judgement(rate, rate, 0.7, 2)
    kept = [
        state.improves(judged.rank("last", epoch), epoch)
        for epoch, judged in enumerate((constant, varied, constant, constant, varied), start=1)
    ]
    assert kept == [True, True, False, True, True]


def test_the_best_epoch_is_kept_and_patience_ends_a_run(texts: Path, tmp_path: Path) -> None:
    config = config_for(texts, epochs=12, choose="clean", patience=2, lr=1e-2)
    events = run(config, tmp_path)
    scores = [e.values["clean_accuracy"]["value"] for e in of_kind(events, "epoch")]
    best = scores.index(max(scores)) + 1
    assert events[-1].values["best_epoch"] == best
    assert [e.values["best"] for e in of_kind(events, "epoch")][best:] == [False] * (
        len(scores) - best
    )
    if len(scores) < 12:
        assert events[-1].values["reason"] == "early stop"
        assert len(scores) == best + 2
