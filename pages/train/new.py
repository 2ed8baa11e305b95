"""A new run: choose data, model and method, look at them, start."""

from __future__ import annotations

from advlab.ui.train.new import new_page

new_page()
