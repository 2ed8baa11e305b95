"""What visitors leave behind goes back to the system, and no page run waits for the collector.

Each page run is a thread of its own, and glibc gives threads pools of their own, which keep what was
freed in them. Two pools are enough here; what they hold is handed back while no attack is running.
"""

from __future__ import annotations

import ctypes
import gc
import threading

from advlab.ui.turns import TURNS

POOLS = 2
EVERY = 30.0  # seconds between looks
LATER = 10  # looks after the last attack: the sessions of those who left are dropped meanwhile
SESSION_LEFT = 60  # seconds for which the session of a closed page is kept, to be come back to
_M_ARENA_MAX = -8  # of malloc.h


def few_pools() -> None:
    """Bound glibc's pools, before threads begin; nothing happens with another C library."""
    call("mallopt", _M_ARENA_MAX, POOLS)


def set_aside(*, again: bool = True) -> None:
    """Collect what nobody refers to, and spare what lives the collections until the next call.

    Over all that torch and a model bring with them a collection takes a quarter of a second, in which
    no page goes on. `again`: what was set aside before is looked through again, which takes as long,
    for what has died since.
    """
    if again:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Collect what nobody refers to, and hand free memory back to the system."""
    set_aside()
    call("malloc_trim", 0)


def call(name: str, *numbers: int) -> bool:
    """Call a function of the C library; False where there is none of that name."""
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    function(*(ctypes.c_int(n) for n in numbers))
    return True


class Housekeeping:
    """A thread that gives memory back in quiet moments, from `start` to `stop`."""

    def __init__(self, every: float = EVERY) -> None:
        self.every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="advlab-memory", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()

    def _loop(self) -> None:
        seen, left = 0, 0
        while not self._over.wait(self.every):
            gc.collect()
            if TURNS.given != seen:
                seen, left = TURNS.given, LATER
            if left and not TURNS.busy:
                left -= 1
                give_back()
