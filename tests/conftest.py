"""One thread, and a data folder of its own for every test."""

from __future__ import annotations

import os

# before torch is imported: two threads on a busy machine are many times slower than one
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def advlab_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`ADVLAB_HOME` is an empty folder, so that no test meets the user's runs or another test's."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ADVLAB_HOME", str(folder))
    return folder
