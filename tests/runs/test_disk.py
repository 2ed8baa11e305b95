"""What is left on the disk when a writer is stopped at any step that it takes there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import places
import pytest
from safetensors.numpy import save_file

from advlab.runs import disk
from advlab.runs.disk import checkpoints, is_whole, put_folder, step_of, write_aside

# counts what a process asks of the file system, and ends it without a word before the n-th
STOPPER = """
import os, sys
limit, seen, folder = int(sys.argv[1]), 0, sys.argv[2]
KINDS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "ctypes.dlsym"}
def hook(name, args):
    global seen
    named = any(folder in os.fsdecode(a) for a in args if isinstance(a, str | bytes | os.PathLike))
    writing = name != "open" or (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR))
    if ready and name in KINDS and (named or name in ("ctypes.dlsym", "os.remove")) and writing:
        seen += 1
        if seen == limit:
            os._exit(9)
ready = False
sys.addaudithook(hook)
def sync(handle, real=os.fsync):
    global seen
    seen += 1
    if seen == limit:
        os._exit(9)
    real(handle)
os.fsync = sync
"""
FILES = """
from pathlib import Path
from advlab.runs.disk import put_folder, write_aside
home = Path(folder)
ready = True
write_aside(home / "config.json", b"new " * 1000)
aside = home / ".writing-model"
aside.mkdir()
(aside / "weights").write_bytes(b"new")
put_folder(aside, home / "model")
"""


def stopped(program: str, limit: int, folder: Path) -> bool:
    """Whether the program was stopped before its `limit`-th step; False where it came to its end."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPER + program, str(limit), str(folder)],
        cwd=places.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, 9), done.stderr
    return done.returncode == 9


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_a_file_and_a_folder_are_old_or_new_wherever_the_writer_stops(
    tmp_path: Path, exchange: bool
) -> None:
    program = (
        FILES
        if exchange
        else FILES.replace(
            "home =", "import advlab.runs.disk as disk; disk._exchange = lambda a, b: False; home ="
        )
    )
    limit, going, seen = 0, True, set()
    while going:
        limit += 1
        home = tmp_path / str(limit)
        (home / "model").mkdir(parents=True)
        (home / "model" / "weights").write_bytes(b"old")
        (home / "config.json").write_bytes(b"old")
        going = stopped(program, limit, home)
        assert (home / "config.json").read_bytes() in (b"old", b"new " * 1000)
        model = home / "model"
        if not exchange and not model.exists():
            model = disk.old_of(model)
        seen.add((model / "weights").read_bytes())
    assert limit > 12
    assert seen == {b"old", b"new"}


@pytest.mark.slow
def test_a_loadable_checkpoint_and_a_model_stand_wherever_training_stops(tmp_path: Path) -> None:
    # a fork a step, with torch loaded once, since a process of its own would take seconds each
    import torch
    from victims import make_victim

    from advlab.training.checkpoints import State, keep_model, load_checkpoint, save_checkpoint

    victim = make_victim("bert")
    optimizer, generator = torch.optim.AdamW(victim.model.parameters()), torch.Generator()

    def save(home: Path, step: int, validated: int) -> None:
        save_checkpoint(home, victim, optimizer, generator, State(step=step, validated=validated))
        keep_model(home, victim, "m")

    first = tmp_path / "first"
    first.mkdir()
    save(first, 3, 0)
    limit, going, found = 0, True, set()
    while going:
        limit += 1
        home = tmp_path / "run"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(first, home)
        going = _stopped_in_a_fork(lambda: (save(home, 3, 1), save(home, 7, 2)), limit, home)  # noqa: B023
        state = load_checkpoint(home, victim.model, optimizer, generator)
        assert state is not None, f"nothing to go on from after step {limit}"
        found.add((state.step, state.validated))
        assert is_whole(home / "model" / "model.safetensors"), limit
        assert (home / "model" / "config.json").is_file(), limit
    assert found == {(3, 0), (3, 1), (7, 2)}
    assert [p.name for p in (home / "checkpoints").iterdir()] == ["step-0000007"]
    assert limit > 40


def _stopped_in_a_fork(work: Callable[[], object], limit: int, folder: Path) -> bool:
    pid = os.fork()
    if pid == 0:
        names: dict[str, object] = {}
        before, sys.argv = sys.argv, ["", str(limit), str(folder)]
        try:
            exec(STOPPER, names)
            names["ready"] = True
            work()
        except BaseException:
            os._exit(1)
        finally:
            sys.argv = before
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 9


def test_a_cut_tensor_file_is_known_by_its_length(tmp_path: Path) -> None:
    file = tmp_path / "some.safetensors"
    save_file({"a": np.zeros((7, 3)), "b": np.ones(5)}, file)
    data = file.read_bytes()
    assert is_whole(file)
    for length in (0, 4, 8, 20, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:length])
        assert not is_whole(file), length
    file.write_bytes(b"\xff" * len(data))
    assert not is_whole(file)
    assert not is_whole(tmp_path / "absent")


def test_the_newest_checkpoint_that_is_whole_counts_and_the_others_are_named(
    tmp_path: Path,
) -> None:
    for name, step in (("step-0000003", 3), ("step-0000003-001", 3), ("step-0000009", 9)):
        place = tmp_path / "checkpoints" / name
        place.mkdir(parents=True)
        (place / "state.json").write_text(json.dumps({"step": step}))
        save_file({"a": np.zeros(9)}, place / "model.safetensors")
    whole, damaged = checkpoints(tmp_path)
    assert [step_of(p) for p in whole] == [3, 3, 9]
    assert damaged == []
    cut = whole[-1] / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-5])
    whole, damaged = checkpoints(tmp_path)
    assert [p.name for p in whole] == ["step-0000003", "step-0000003-001"]
    assert [p.name for p in damaged] == ["step-0000009"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json"
    write_aside(file, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_aside(file, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert file.read_bytes() == b"old"


def test_a_first_folder_needs_nothing_to_replace(tmp_path: Path) -> None:
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / "x").write_text("1")
    put_folder(tmp_path / "aside", tmp_path / "model")
    assert (tmp_path / "model" / "x").read_text() == "1"
    assert not (tmp_path / "aside").exists()
