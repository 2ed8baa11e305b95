"""A data folder with trained runs, for commands that read them."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import SHORT
from victims import write_reviews

from advlab.cli.main import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two runs of one epoch, `plain` and `fgm`, on a small file."""
    home = tmp_path_factory.mktemp("trained")
    data = str(write_reviews(home / "reviews.csv", n=80))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVLAB_HOME", str(home))
        for method in ("plain", "fgm"):
            assert (
                main(["train", "--data", data, "--method", method, "--name", method, *SHORT]) == 0
            )
    return home


@pytest.fixture
def runs(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVLAB_HOME", str(trained))
    return trained
