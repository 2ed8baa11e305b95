"""Slips that anyone makes at a command line: each is told in a sentence, before any work."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import places
import pytest
from commands import said

from advlab.runs import jobs
from advlab.runs.config import RunConfig


def named(*names: str) -> list[str]:
    return [jobs.submit(RunConfig(name)) for name in names]


@pytest.mark.parametrize("command", [("attack",), ("evaluate",), ("runs", "show")])
@pytest.mark.parametrize("slip", ["starter plain", "Starter: plian", "STARTER: PLAIN "])
def test_a_wrong_run_name_is_told_with_the_nearest_and_no_hub_is_asked(
    command: tuple[str, ...], slip: str, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        pytest.fail("the hub was asked")

    monkeypatch.setattr("huggingface_hub.snapshot_download", asked)
    monkeypatch.setattr(socket, "create_connection", asked)
    run_id, _ = named("Starter: plain", "another thing")
    words = (*command, slip, *(["A text."] if command == ("attack",) else []))
    _, err = said(capsys, *words, status=2)
    assert "there is no run" in err
    assert f"the nearest: {run_id} (Starter: plain)" in err
    assert "another thing" not in err


def test_the_beginning_of_an_id_and_an_id_that_is_gone_are_told_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [run_id] = named("one")
    _, err = said(capsys, "attack", run_id[:5], "A text.", status=2)
    assert f"the nearest: {run_id} (one)" in err
    _, err = said(capsys, "attack", "0123456789ab", "A text.", status=2)
    assert "there is no run or model '0123456789ab'" in err


@pytest.mark.parametrize("port", ["70000", "0", "-3"])
def test_a_port_that_is_none_is_told(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = said(capsys, "app", "--port", port, "--no-browser", status=2)
    assert f"expected --port from 1 to 65535, got {port}" in err


def test_a_port_in_use_and_an_address_of_another_machine_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        _, err = said(capsys, "app", "--port", port, "--no-browser", status=2)
    assert f"port {port}: Address already in use; choose another" in err
    _, err = said(capsys, "app", "--host", "192.0.2.7", "--no-browser", status=2)
    assert "cannot listen on 192.0.2.7" in err


def test_a_report_over_a_file_is_told_before_the_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    _, err = said(capsys, "evaluate", "any", "--report", str(tmp_path / "out"), status=2)
    assert "is a file; choose another place" in err
    assert (tmp_path / "out").read_text() == "mine"


def test_any_text_goes_to_a_terminal_of_ascii() -> None:
    named("ε = ½, 对抗 🧪")
    for words in (("runs",), ("sweep", "--help"), ("runs", "--json")):
        done = subprocess.run(
            [sys.executable, "-m", "advlab", *words],
            cwd=places.ROOT,
            env=os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode("ascii")
        if words == ("runs",):
            assert "eps = 1/2, \\u5bf9\\u6297 \\U0001f9ea" in text
        if "--json" in words:
            assert json.loads(text)["runs"][0]["name"] == "ε = ½, 对抗 🧪"
