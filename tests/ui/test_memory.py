"""What visitors leave behind goes back to the system, measured in a process of its own."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from itertools import count
from pathlib import Path

import places
import pytest

from advlab.ui import models
from advlab.ui.memory import set_aside

PROGRAM = """
import sys, threading, psutil
from advlab.ui import memory
if sys.argv[1] == "few":
    memory.few_pools()
begun, done, go = threading.Barrier(13), threading.Barrier(13), threading.Event()
def visitor():
    kept = [bytes(2000) for _ in range(5000)]  # 10 MB in pieces that no pool gives back by itself
    begun.wait()
    last = [bytes(2000) for _ in range(10)]    # freed late: it holds the pool's end
    del kept
    done.wait(); go.wait()
threads = [threading.Thread(target=visitor) for _ in range(12)]
for t in threads: t.start()
begun.wait(); peak = psutil.Process().memory_info().rss
done.wait()
before = psutil.Process().memory_info().rss
memory.give_back()
after = psutil.Process().memory_info().rss
go.set()
print(peak, before, after)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's pools")
def test_what_threads_freed_goes_back_while_they_live() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "few"],
        cwd=places.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    peak, before, after = (int(n) / 2**20 for n in done.stdout.split())
    assert peak - after > 80, (peak, before, after)
    assert after <= before


def test_another_c_library_is_no_mistake() -> None:
    from advlab.ui.memory import call

    assert not call("no_such_function", 1)


def test_what_lives_is_set_aside_and_what_died_meanwhile_is_collected_the_next_time() -> None:
    class Ring:
        pass

    ring = Ring()
    ring.own = ring  # only the collector can free it
    dead = weakref.ref(ring)
    try:
        set_aside()
        del ring
        gc.collect()
        assert dead() is not None  # it was spared, so the collection was short
        set_aside(again=False)
        assert dead() is not None
        set_aside()
        assert dead() is None
    finally:
        gc.unfreeze()


def test_a_second_model_is_set_aside_without_looking_through_the_first_ones_again(
    two_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(models, "set_aside", lambda *, again: looked.append(again))
    monkeypatch.setattr(models, "_loads", count(1))
    for name in ("first", "second") * 3:
        models._load(f"local:{name}", str(len(looked)), str(two_models / "models" / name), name)
    assert looked == [False, False, True] * 2  # one time for each model that is kept at most


COLLECTED = """
import gc, sys
from advlab.ui.launch import warm_up
warm_up()
assert "torch" in sys.modules
print(len(gc.get_objects()), gc.get_freeze_count())
"""


def test_collections_after_a_page_run_leave_torch_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECTED], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    looked_at, spared = map(int, done.stdout.split())
    assert spared > 100_000
    assert looked_at < 10_000
