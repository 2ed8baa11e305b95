"""How much of the server's memory one student may take: open windows, and files dropped on pages."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from advlab.language import _

WINDOWS = 12  # of one student, open at once; each is a session with pages and results of its own
UPLOADS, WHILE = 60, 1800.0  # files of one student within so many seconds


class Crowd:
    """Counts for each student; `clock` in seconds, never set back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.windows: Counter[str] = Counter()
        self._uploads: defaultdict[str, deque[float]] = defaultdict(deque)

    def no_window(self, who: str) -> str | None:
        """Why a student may open no other window; None where one may."""
        if self.windows[who] < WINDOWS:
            return None
        return _("You have {n} windows of this class open; close some of them.", n=WINDOWS)

    def no_upload(self, who: str) -> str | None:
        """Why a student may drop no other file; None where one may, which then counts."""
        times, now = self._uploads[who], self.clock()
        while times and now - times[0] > WHILE:
            times.popleft()
        if len(times) >= UPLOADS:
            return _("You have dropped {n} files here; wait half an hour.", n=UPLOADS)
        times.append(now)
        return None
