"""The command line, called from a test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from advlab.cli.main import main


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
