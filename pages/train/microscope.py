"""One training batch in slow motion under several methods, and a short training. The link holds all."""

from __future__ import annotations

from advlab.ui.train.microscope import microscope_page

microscope_page()
