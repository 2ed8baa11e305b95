"""The fixtures of the browser tests; what they are stands in `browser`."""

from __future__ import annotations

from browser import browser, page, pair, server, task_runs, windows

__all__ = ["browser", "page", "pair", "server", "task_runs", "windows"]
