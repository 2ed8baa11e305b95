from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import places
import pytest
import torch
from victims import examples_for, make_victim, shared_victim

from advlab.attacks import PGD
from advlab.attacks.evaluate import evaluate
from advlab.errors import DataError, SettingError
from advlab.records.measured import Grid, Row
from advlab.studies.grid import grid
from advlab.studies.kept import Outcomes, key_of

EPS = (0.0, 0.05, 0.2, 0.5)


def same(a: Row, b: Row) -> bool:
    arrays = ("right", "confidence", "broken", "noise")
    return a.eps == b.eps and all(np.array_equal(getattr(a, n), getattr(b, n)) for n in arrays)


def made(folder: Path | None = None, **more: Any) -> tuple[Grid, Outcomes]:
    victim = shared_victim("bert")
    kept = Outcomes(folder)
    attack = PGD(steps=4, start="random")
    return (
        grid([victim], examples_for(victim), [attack], EPS, outcomes=kept, batch_size=6, **more),
        kept,
    )


def test_the_grid_finds_what_the_plain_evaluation_finds() -> None:
    victim = shared_victim("bert")
    examples = examples_for(victim)
    attack = PGD(steps=4)
    [row] = grid([victim], examples, [attack], EPS).rows
    plain = evaluate(victim, examples, attack, eps=EPS)
    assert row.clean == plain.clean
    assert row.robust == plain.robust
    assert np.array_equal(row.confidence, plain.confidence)
    assert vars(row).keys() == vars(plain).keys()
    assert row.robust[0] == row.clean
    assert row.robust[-1].value < row.clean.value  # the attack does something, so this can fail
    values = [r.value for r in row.robust]
    assert values == sorted(values, reverse=True)
    batch = victim.encode(examples)
    sure = victim.output(victim.embed(batch), batch).softmax(-1).amax(-1)
    np.testing.assert_allclose(row.confidence, sure.detach().numpy(), atol=1e-9)
    assert (row.first_eps[~row.right] == 0).all()


def test_noise_counts_from_the_radius_that_breaks_on() -> None:
    """Noise a thousand times too short breaks nothing, and at a hundred word vectors nearly all."""
    victim = shared_victim("bert")
    radii = (0.0, 1e-4, 1e-3, 100.0)
    [row] = grid([victim], examples_for(victim), [PGD(steps=1)], radii, noise_draws=20).rows
    for e in range(3):
        assert np.array_equal(row.noise[e], row.right)
    assert row.noise[3].sum() < 0.5 * row.right.sum()


def test_median_flip_is_the_smallest_tested_radius_that_breaks_half() -> None:
    broken = np.array([-1, 0, 1, 1, 3])
    none = np.zeros((3, 5))
    row = Row(
        "m", "h", {}, (0.1, 0.2, 0.4), (0.1, 0.2, 0.4), broken >= 0, none[0], broken, none > 1
    )
    assert row.first_eps.tolist() == [0.0, 0.1, 0.2, 0.2, np.inf]
    assert row.median_flip == 0.2
    assert [r.value for r in row.robust] == [0.6, 0.2, 0.2]


def test_a_rerun_reads_everything_and_finds_the_same(tmp_path: Path) -> None:
    first, kept = made(tmp_path)
    assert kept.made > 8
    assert kept.read == 0
    torch.manual_seed(99)
    again, reread = made(tmp_path)
    assert reread.made == 0
    assert reread.read == kept.made
    bare, _ = made()
    for other in (again, bare):
        assert all(same(a, b) for a, b in zip(first.rows, other.rows, strict=True))


def test_another_seed_radius_or_model_is_not_read_back(tmp_path: Path) -> None:
    made(tmp_path)
    _, kept = made(tmp_path, seed=1)
    assert kept.read == 0
    victim = make_victim("bert", seed=5)
    other = Outcomes(tmp_path)
    grid([victim], examples_for(victim), [PGD(steps=4)], EPS, outcomes=other, batch_size=6)
    assert other.read == 0


@pytest.mark.parametrize("junk", [b"", b"[]", b'{"key": "x", "columns": {}}'])
def test_a_damaged_file_is_made_anew(junk: bytes, tmp_path: Path) -> None:
    first, _ = made(tmp_path)
    files = sorted(tmp_path.rglob("*.json"))
    files[0].write_bytes(junk)
    again, kept = made(tmp_path)
    assert kept.made == 1
    assert same(first.rows[0], again.rows[0])


def test_a_stop_between_batches_keeps_what_is_done(tmp_path: Path) -> None:
    told: list[float] = []

    def stop(share: float, what: str) -> None:
        told.append(share)
        if len(told) > 9:
            raise InterruptedError(f"stopped at {what}")

    with pytest.raises(InterruptedError, match="stopped at"):
        made(tmp_path, progress=stop)
    written = len(list(tmp_path.rglob("*.json")))
    again, kept = made(tmp_path)
    assert 0 < written == kept.read
    assert same(again.rows[0], made()[0].rows[0])


def test_a_killed_evaluation_goes_on_and_ends_with_the_identical_table(tmp_path: Path) -> None:
    code = (
        "import sys, time; sys.path[:0] = ['tests', 'tests/studies']\n"
        "from pathlib import Path\nimport advlab.studies.kept as o\nimport test_grid\n"
        "put = o.Outcomes.put\n"
        "def slow(self, *a):\n    put(self, *a)\n    time.sleep(0.3)\n"
        "o.Outcomes.put = slow\n"
        f"test_grid.made(Path({str(tmp_path)!r}))\n"
    )
    root = places.ROOT
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, env={**os.environ})
    try:
        until = time.monotonic() + 90
        while len(list(tmp_path.rglob("*.json"))) < 4 and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    again, kept = made(tmp_path)
    assert kept.read >= 4
    assert kept.made > 0
    assert same(again.rows[0], made()[0].rows[0])


def test_keys_tell_apart_what_differs() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})


def test_what_cannot_be_evaluated_is_told() -> None:
    victim = shared_victim("bert")
    with pytest.raises(DataError, match="at least one example"):
        grid([victim], [], [PGD()], EPS)
    with pytest.raises(SettingError, match="0 or more"):
        grid([victim], examples_for(victim), [PGD()], [-1.0])
