"""A data folder that is damaged, full, read-only or gone: a sentence each, and the rest goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Command
from victims import write_reviews

from advlab.errors import AdvlabError, RunError, SettingError
from advlab.runs import jobs
from advlab.runs.config import RunConfig
from advlab.runs.folder import from_line, read_events
from advlab.runs.jobs import Scheduler, Store
from advlab.runs.scheduler import settle
from advlab.runs.standing import standing

SHORT = ("--epochs", "2", "--eval-limit", "16", "--batch-size", "8", "--max-length", "24")


def config(name: str = "", **how: object) -> RunConfig:
    return RunConfig(name=name, method={"name": "plain", **how})


def told(done: tuple[int, str, str], status: int = 2) -> str:
    """The standard error of a command that ended so."""
    found, _, err = done
    assert found == status, err
    assert "Traceback" not in err
    return err


def change(root: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(root / "runs.db") as db:
        db.execute(statement, values)


@pytest.mark.parametrize("where", ["head", "middle"])
def test_a_damaged_list_is_named_and_made_anew(advlab_home: Path, where: str) -> None:
    store = Store(advlab_home)
    ids = [store.enqueue(config(f"run {n} " + "x" * 150)) for n in range(30)]
    for run_id, reason in zip(ids, ("done", "paused"), strict=False):
        line = {"kind": "end", "step": 7, "time": 1.0, "values": {"reason": reason}}
        store.get(run_id).folder.diary.write_text(json.dumps(line) + "\n")
    change(advlab_home, "PRAGMA wal_checkpoint(TRUNCATE)")
    file = advlab_home / "runs.db"
    data = file.read_bytes()
    whole = b"garbage " * 400
    file.write_bytes(whole if where == "head" else data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(RunError, match=r"runs.db is damaged .* advlab runs rebuild"):
        Store(advlab_home).listing()
    assert "advlab runs rebuild" in told(Command("runs").ended())
    assert "30 runs are in the new list" in Command("runs", "rebuild").ended()[1]
    found = {info.id: info for info in Store(advlab_home).listing()}
    assert set(found) == set(ids)
    assert [found[i].status for i in ids[:3]] == ["done", "paused", "interrupted"]
    assert found[ids[1]].step == 7
    assert len(list(advlab_home.glob("runs.db.damaged-*"))) == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "gone mad"),
        ("metrics", "{"),
        ("metrics", "[1]"),
        ("config", b"\xff\x00"),
        ("created", "yesterday"),
        ("attempt", "two"),
        ("name", b"\xfe"),
        ("started", "x"),
        ("pid", "x"),
        ("id", "../../etc"),
    ],
)
def test_one_bad_row_does_not_hide_the_others(
    advlab_home: Path, column: str, value: object
) -> None:
    store = Store(advlab_home)
    good, bad = store.enqueue(config("good")), store.enqueue(config("bad"))
    change(advlab_home, f"UPDATE runs SET {column} = ? WHERE id = ?", value, bad)
    found = {info.id: info for info in store.listing()}
    assert found[good].config.name == "good"
    if column == "id":
        assert list(found) == [good]
        return
    if column != "config" or isinstance(found[bad].error, str):
        assert found[bad].status == "failed"
        assert "delete it" in (found[bad].error or "")
    with pytest.raises(AdvlabError) if column in ("config",) else _nothing():
        _ = found[bad].config
    jobs.delete(bad)
    assert [info.id for info in store.listing()] == [good]


class _nothing:  # noqa: N801  a context that expects nothing
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_settings_that_are_no_json_are_told_as_such() -> None:
    for text in ("{", "[]", "7", "[" * 100_000):
        with pytest.raises(SettingError, match="start the run anew"):
            RunConfig.from_json(text)


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "step", "step": 1e999, "time": 0, "values": {}}',
        b"[" * 100_000,
        b'{"kind": "step", "step": null, "time": 0, "values": {}}',
        b'{"kind": "step"}',
        b"\xff\xfe",
        b"null",
    ],
)
def test_one_bad_line_of_a_diary_is_passed_over(advlab_home: Path, line: bytes) -> None:
    assert from_line(line) is None
    good = b'{"kind": "step", "step": 3, "time": 0, "values": {"clean_loss": 0.5}}\n'
    file = advlab_home / "events.jsonl"
    file.write_bytes(good + line + b"\n" + good)
    tail = read_events(file)
    assert ([e.step for e in tail.events], tail.damaged) == ([3, 3], 1)


def test_a_damaged_value_of_an_event_counts_as_not_told() -> None:
    good = b'{"kind":"epoch","step":3,"time":0,"values":{"epoch":1,"clean_accuracy":0.75}}'
    for values in (
        {"epoch": "x"},
        {"epoch": 2, "clean_accuracy": {"value": "x"}},
        {"epoch": 2, "robust_accuracy": {"low": 1}},
        {"epoch": float("nan"), "eval_eps": "wide", "majority": []},
    ):
        bad = json.dumps({"kind": "epoch", "step": 4, "time": 0, "values": values}).encode()
        events = [e for line in (good, bad) if (e := from_line(line))]
        now = standing(events)
        assert (now.epoch, now.step) in ((1.0, 4), (2.0, 4), (0.0, 4))
        assert now.clean is None or now.clean.value == 0.75


def test_waiting_does_not_ask_a_clock_that_is_set_back_or_forward(
    advlab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year forward ends nothing early; a year back keeps nothing for ever."""
    real = time.time
    for shift in (365 * 86400.0, -365 * 86400.0):
        store = Store(advlab_home)
        run_id = store.enqueue(config())
        scheduler = Scheduler(store, command=lambda i: ["false"], start_limit=0.3)
        assert store.claim(1)
        monkeypatch.setattr(time, "time", lambda shift=shift: real() + shift)
        settle(store, start_limit=0.3, waited=lambda r, s=scheduler: s._waited(r, "start"))
        assert store.get(run_id).status == "running"
        time.sleep(0.35)
        settle(store, start_limit=0.3, waited=lambda r, s=scheduler: s._waited(r, "start"))
        assert store.get(run_id).status == "interrupted"
        monkeypatch.setattr(time, "time", real)


def test_a_request_to_cancel_is_pressed_by_the_monotonic_clock(
    advlab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(advlab_home)
    run_id = store.enqueue(config())
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        run = store.claim(1)
        assert run is not None
        store.note_process(run_id, run.attempt, child.pid)
        store.request(run_id, "cancel")
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 1e6)
        scheduler = Scheduler(store, grace=0.4)
        scheduler.tick()
        assert child.poll() is None  # the clock jumped, the grace has not passed
        monkeypatch.setattr(time, "time", lambda: real() - 1e6)
        time.sleep(0.5)
        scheduler.tick()
        assert child.wait(10) == -signal.SIGTERM


def killed(run_id: str) -> None:
    pid = jobs.run(run_id).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_full_disk_fails_the_run_with_a_sentence_and_it_can_be_resumed(advlab_home: Path) -> None:
    data = str(write_reviews(advlab_home / "reviews.csv", n=60))
    command = Command("train", "--data", data, "--name", "big", *SHORT, limit=200_000)
    assert "may not grow further" in told(command.ended())
    [info] = jobs.runs()
    assert info.status == "failed"
    assert "may not grow further" in (info.error or "")
    assert "done: " in Command("runs", "resume", "big").ended()[1]


@pytest.mark.slow
def test_a_folder_that_is_deleted_during_training_ends_it_with_a_sentence(
    advlab_home: Path, tmp_path: Path
) -> None:
    data = str(write_reviews(tmp_path / "reviews.csv", n=60))
    words = ("train", "--data", data, "--name", "gone", *SHORT, "--epochs", "60")
    command = Command(*words)
    while not any("epoch" in r.folder.diary.read_text() for r in jobs.runs() if _began(r)):
        assert command.status is None
        time.sleep(0.05)
    while advlab_home.exists():  # a file may be written into a folder that is being emptied
        shutil.rmtree(advlab_home, ignore_errors=True)
    err = told(command.ended(120))
    assert "was deleted during the run; start the run anew" in err


def _began(info: jobs.RunInfo) -> bool:
    return info.folder.diary.is_file()


def test_plain_mistakes_of_training_print_a_sentence_and_no_traceback(advlab_home: Path) -> None:
    (advlab_home / "one.csv").write_text("text,label\n" + "good,a\n" * 50)
    for words in (("--data", "absent.csv"), ("--data", str(advlab_home / "one.csv"))):
        assert told(Command("train", *words, "--epochs", "1").ended()).startswith("advlab: ")


def test_a_home_that_is_a_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        monkeypatch.setenv("ADVLAB_HOME", str(tmp_path / place))
        assert "is a file; choose another place" in told(Command("runs").ended())


def read_only(act: Callable[[], None], root: Path) -> None:
    """Do it with a data folder that may only be read; as root, by a mount."""
    done = subprocess.run(
        ["mount", "--bind", "-o", "ro", str(root), str(root)], capture_output=True, check=False
    )
    if done.returncode:
        if os.geteuid() == 0:
            pytest.skip("no mount, and root may write anywhere")
        root.chmod(0o500)
    try:
        act()
    finally:
        subprocess.run(["umount", str(root)], capture_output=True, check=False)
        root.chmod(0o700)


def test_a_read_only_home_still_shows_its_list(advlab_home: Path) -> None:
    store = Store(advlab_home)
    run_id = store.enqueue(config("kept"))

    def act() -> None:
        assert "kept" in Command("runs").ended()[1]
        assert "may only be read" in told(Command("runs", "cancel", run_id).ended())

    read_only(act, advlab_home)
