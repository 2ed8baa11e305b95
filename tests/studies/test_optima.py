from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from victims import LABELS, examples_for, shared_victim, taught

from advlab.attacks import build_attack
from advlab.errors import DataError
from advlab.records.measured import Optima
from advlab.studies.kept import Outcomes
from advlab.studies.optima import optima


class Bowl:
    """A loss of the embeddings alone, with the clean text always read right."""

    def __init__(self, victim: Any, batch: Any, shape: Any) -> None:
        self.clean, self.shape = victim.embed(batch).detach(), shape
        self.mask = batch.perturbable.unsqueeze(-1)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.shape(((x - self.clean) * self.mask).sum(1)[:, 0])

    def flips(self, x: torch.Tensor) -> torch.Tensor:
        return self(x) > 1e9


def found_with(shape: Any, monkeypatch: pytest.MonkeyPatch) -> Optima:
    victim = shared_victim("bert")
    texts = [e for i, e in enumerate(examples_for(victim)) if i % 4]
    with monkeypatch.context() as patch:
        patch.setattr(victim, "objective", lambda batch: Bowl(victim, batch, shape))
        patch.setattr("advlab.studies.optima.survives", lambda v, e: [True] * len(e))
        return optima(victim, texts, 1.0, starts=6, steps=40)


def test_a_linear_loss_has_one_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_with(lambda s: s, monkeypatch)
    np.testing.assert_allclose(found.cosine, 1.0, atol=1e-3)
    assert found.distance.max() < 0.05
    assert found.spread.max() < 1e-3


def test_a_loss_with_two_peaks_sends_the_starts_to_both(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_with(lambda s: s.square(), monkeypatch)
    assert found.cosine.min() < 0.0  # opposite ends
    assert 0.6 < found.distance.max() < 1.25  # 2 ε apart in 9 of 15 pairs at most
    assert found.spread.max() < 0.01  # both as high
    lopsided = found_with(lambda s: torch.where(s > 0, 4 * s, -s), monkeypatch)
    assert lopsided.spread.max() > 0.5


def test_each_ascent_is_the_attack_from_one_start(tmp_path: Path) -> None:
    victim, texts = taught(0)
    kept = Outcomes(tmp_path)
    found = optima(victim, texts, 2.0, starts=4, steps=10, outcomes=kept)
    N = len(texts)
    assert found.loss.shape == found.start.shape == found.flips.shape == (N, 4)
    assert (found.loss >= found.start).all()
    shares = [found.broken_by(k) for k in range(1, 5)]
    assert shares == sorted(shares)
    assert (found.undecided == (found.flips.any(1) & ~found.flips.all(1))).all()
    again = optima(victim, texts, 2.0, starts=4, steps=10, outcomes=Outcomes(tmp_path))
    np.testing.assert_array_equal(again.loss, found.loss)
    assert build_attack(found.attack).eps == 2.0
    other = optima(victim, texts, 2.0, starts=4, steps=10, seed=1)
    assert not np.array_equal(other.start, found.start)


def test_a_stop_and_nothing_to_climb_are_told() -> None:
    victim, texts = taught(0)

    def stop(share: float, what: str) -> None:
        raise InterruptedError(what)

    with pytest.raises(InterruptedError, match="4 starts"):
        optima(victim, texts, 1.0, starts=4, progress=stop)
    wrong = [replace(e, answers=(LABELS[e.answer == "no"],)) for e in texts]
    with pytest.raises(DataError, match="reads right"):
        optima(victim, wrong, 1.0)
