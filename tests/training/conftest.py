"""Few texts in a file, to train on."""

from __future__ import annotations

from pathlib import Path

import pytest
from victims import write_reviews


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data") / "texts.csv", 240)
