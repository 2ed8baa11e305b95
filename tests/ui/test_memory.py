"""What visitors leave behind goes back to the system, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import places
import pytest

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
