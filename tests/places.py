"""Where the project and the data for checks are."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
DATA = ROOT.parent / "shared" / "data"
