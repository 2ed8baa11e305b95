"""All runs, and one of them live. `?run=<id>` names it; `?compare=<id>,<id>` lays several over."""

from __future__ import annotations

from advlab.ui.train.runs import runs_page

runs_page()
