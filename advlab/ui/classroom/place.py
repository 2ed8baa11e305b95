"""Where the pages of the class and those that it points at stand."""

from __future__ import annotations

CLASS = "pages/class/room.py"
EXPLORE = "pages/explore/explore.py"
