"""The first page: what this is, and the two models to begin with. Needs no torch until asked."""

from __future__ import annotations

from advlab.ui.learn.start import start_page

start_page()
