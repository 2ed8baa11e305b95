"""The command line, called from a test: in this process, or in one of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import places
import pytest

from advlab.cli.main import main

SHORT = ("--epochs", "1", "--eval-limit", "16", "--batch-size", "16", "--max-length", "24")


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    """Standard output and standard error of a command that ends with `status`."""
    capsys.readouterr()
    try:
        found = main(words)
    except SystemExit as stop:  # argparse
        found = stop.code
    out, err = capsys.readouterr()
    assert found == status, err
    return out, err


def json_of(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    out, _ = said(capsys, *words, "--json")
    assert out.count("\n") == 1
    return json.loads(out, parse_constant=pytest.fail)


def ids(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {row["name"]: row["id"] for row in json_of(capsys, "runs")["runs"]}


# with torch and the commands loaded once, from which each process is forked: to load them anew takes
# four seconds each
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *("advlab.cli.main", "advlab.data", "advlab.training.worker", "advlab.training.loop"),
        *("transformers.models.bert.modeling_bert", "transformers.models.auto.modeling_auto"),
        *("transformers.models.auto.tokenization_auto", "torch._dynamo", "scipy.optimize"),
    ]
)


class Command:
    """A command in a process of its own, which may be killed. `limit`: no file may grow beyond it."""

    def __init__(self, *words: str, limit: int = 0) -> None:
        self._said = Path(tempfile.mkdtemp())
        self._files = [self._said / name for name in ("out", "err")]
        arguments = (words, dict(os.environ), [str(file) for file in self._files], limit)
        self._process = _FORKS.Process(target=_carry_out, args=arguments)
        with pytest.MonkeyPatch.context() as patch:
            # the server is of no test's data folder, and a page that was run here is nobody's program
            patch.delenv("ADVLAB_HOME", raising=False)
            patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
            patch.chdir(places.ROOT)
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def ended(self, seconds: float = 300) -> tuple[int, str, str]:
        """The exit status, standard output and standard error, once it has ended."""
        self._process.join(seconds)
        status = self.status
        assert status is not None, f"it did not end: {self._files[1].read_text()}"
        out, err = (file.read_text() for file in self._files)
        shutil.rmtree(self._said)
        return status, out, err


def advlab(*words: str, home: Path) -> tuple[int, str, str]:
    """Status, standard output and standard error of a command in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVLAB_HOME", str(home))
        return Command(*words).ended()


def _carry_out(
    words: Sequence[str], environment: dict[str, str], files: Sequence[str], limit: int
) -> None:
    """In the forked process: `python -m advlab WORDS`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored in the background
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
    if limit:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.exit(main(words))
