"""One thread, and a data folder of its own for every test."""

from __future__ import annotations

import os

# before torch is imported: two threads on a busy machine are many times slower than one
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest


@pytest.fixture(autouse=True)
def advlab_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """`ADVLAB_HOME` is an empty folder, so that no test meets the user's runs or another test's."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ADVLAB_HOME", str(folder))
    yield folder
    if (folder / "runs.db").exists():
        _end_trainings(folder)


def _end_trainings(folder: Path) -> None:
    """End what a test's pages have started, which would train on beside the tests that follow."""
    from advlab.runs import jobs

    jobs.stop_scheduler()
    for process in psutil.Process().children():
        with suppress(psutil.Error):
            if process.environ().get("ADVLAB_HOME") == str(folder):
                process.kill()
                process.wait(5)


@pytest.fixture(scope="module")
def measured() -> Any:
    """(grid, examples) of two random models under two attacks."""
    from victims import examples_for, make_victim

    from advlab.attacks import FGM, PGD
    from advlab.studies.grid import grid

    victims = [make_victim("bert", seed=s) for s in (0, 1)]
    examples = examples_for(victims[0])
    found = grid(victims, examples, [PGD(steps=3), FGM()], [0.1, 0.5, 2.0], data="texts")
    return found, examples
