"""Every term of the interface in a line, and where it is seen."""

from __future__ import annotations

from advlab.ui.learn.glossary import glossary_page

glossary_page()
