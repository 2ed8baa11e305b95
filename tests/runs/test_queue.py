"""Who comes next in the queue, and how many at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fake_runs import at_step, config, until

from advlab.errors import SettingError
from advlab.runs import scheduler
from advlab.runs.config import RunConfig, TrainConfig
from advlab.runs.jobs import Store
from advlab.runs.scheduler import worker_environment
from advlab.runs.starters import STARTER_GROUP


def test_runs_wait_in_the_order_in_which_they_were_submitted(store: Store) -> None:
    ids = [store.enqueue(config(f"run {n}"), group="pair") for n in range(3)]
    assert [store.get(i).position for i in ids] == [1, 2, 3]
    assert [i.id for i in store.listing(group="pair")] == ids[::-1]
    assert store.listing(group="other") == []
    assert [store.claim(9).id for _ in ids] == ids  # type: ignore[union-attr]
    assert store.claim(9) is None
    assert [store.get(i).position for i in ids] == [None] * 3


def test_a_resumed_run_goes_to_the_end_of_the_queue(store: Store) -> None:
    first, second = store.enqueue(config()), store.enqueue(config())
    store.request(first, "pause")
    assert store.get(second).position == 1
    store.resume(first)
    assert (store.get(second).position, store.get(first).position) == (1, 2)


def test_a_wrong_setting_is_named_at_submission(store: Store) -> None:
    with pytest.raises(SettingError, match=r"TrainConfig.epochs: expected a whole number"):
        store.enqueue(RunConfig(train=TrainConfig(epochs=0)))
    assert store.listing() == []
    assert not (store.root / "runs").exists()


def test_processes_that_claim_at_once_never_get_the_same_run(store: Store) -> None:
    program = (
        "import sys; from pathlib import Path; from advlab.runs.queue import Store\n"
        "store = Store(Path(sys.argv[1])); store.listing()\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "while (run := store.claim(1000)) is not None: print(run.id)\n"
    )
    ids = [store.enqueue(config()) for _ in range(40)]
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(store.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=worker_environment(store.root),
        )
        for _ in range(3)
    ]
    for claimer in claimers:
        assert claimer.stdout is not None
        assert claimer.stdout.readline() == "ready\n"
    for claimer in claimers:
        assert claimer.stdin is not None
        claimer.stdin.write("\n")
        claimer.stdin.flush()
    got = [claimer.communicate(timeout=30)[0].split() for claimer in claimers]
    assert [claimer.returncode for claimer in claimers] == [0] * 3
    assert sorted(i for mine in got for i in mine) == sorted(ids)


def test_processes_that_open_a_new_data_folder_at_once_all_succeed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from advlab.runs.config import RunConfig\n"
        "from advlab.runs.queue import Store\n"
        "sys.stdin.readline(); Store(Path(sys.argv[1])).enqueue(RunConfig())\n"
    )
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            text=True,
            env=worker_environment(tmp_path),
        )
        for _ in range(4)
    ]
    for opener in openers:
        opener.communicate("\n", timeout=30)
    assert [opener.returncode for opener in openers] == [0] * 4
    assert len(Store(tmp_path).listing()) == 4


def test_a_claim_stops_at_the_limit(store: Store) -> None:
    for _ in range(3):
        store.enqueue(config())
    assert [store.claim(2) is not None for _ in range(3)] == [True, True, False]


def test_starter_runs_go_beside_each_other_and_beside_no_other(store: Store) -> None:
    pair = [store.enqueue(config(), group=STARTER_GROUP) for _ in range(3)]
    other = store.enqueue(config(), group="sweep")
    assert [getattr(store.claim(1, together=2), "id", None) for _ in range(3)] == [*pair[:2], None]
    store.finish(pair[0], 1, "done")
    assert store.claim(1, together=2).id == pair[2]  # type: ignore[union-attr]
    for run_id in pair[1:]:
        assert store.claim(1, together=2) is None
        store.finish(run_id, 1, "done")
    assert store.claim(1, together=2).id == other  # type: ignore[union-attr]
    store.enqueue(config(), group=STARTER_GROUP)
    assert store.claim(1, together=2) is None


def test_a_starter_run_passes_nobody_in_the_queue(store: Store) -> None:
    first = store.enqueue(config(), group=STARTER_GROUP)
    between = store.enqueue(config())
    second = store.enqueue(config(), group=STARTER_GROUP)
    assert store.claim(1, together=2).id == first  # type: ignore[union-attr]
    assert store.claim(1, together=2) is None
    assert [store.get(i).position for i in (between, second)] == [1, 2]


@pytest.mark.parametrize(
    ("usable", "setting", "together"), [(1, None, 1), (2, None, 2), (8, None, 2), (8, "1", 1)]
)
def test_two_cores_train_both_starters_at_once(
    monkeypatch: pytest.MonkeyPatch, usable: int, setting: str | None, together: int
) -> None:
    monkeypatch.setattr(scheduler, "cores", lambda: usable)
    monkeypatch.delenv("ADVLAB_MAX_RUNS", raising=False)
    if setting:
        monkeypatch.setenv("ADVLAB_MAX_RUNS", setting)
    assert scheduler.starters_together() == together


@pytest.mark.parametrize(
    ("quota", "share"), [("100000 100000", 1.0), ("150000 100000", 1.5), ("50000 0", None)]
)
def test_cores_are_those_that_a_container_may_use(
    tmp_path: Path, quota: str, share: float | None
) -> None:
    bound = scheduler.cores(tmp_path / "absent")
    assert bound >= 1
    (tmp_path / "cpu.max").write_text(quota)
    found = scheduler.cores(tmp_path / "cpu.max")
    assert found == (bound if share is None else min(bound, share))
    (tmp_path / "cpu.max").write_text("max 100000")
    assert scheduler.cores(tmp_path / "cpu.max") == bound


def test_the_pair_is_trained_at_once_by_the_real_scheduler(
    store: Store, schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "cores", lambda: 2)
    monkeypatch.delenv("ADVLAB_MAX_RUNS", raising=False)
    pair = [store.enqueue(config(steps=2000, delay=0.01), group=STARTER_GROUP) for _ in range(2)]
    schedule()
    for run_id in pair:
        at_step(store, run_id, 1)
    assert [store.get(i).status for i in pair] == ["running"] * 2
    for run_id in pair:
        store.request(run_id, "cancel")
        until(store, run_id, "cancelled")
