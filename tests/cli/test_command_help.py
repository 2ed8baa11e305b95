from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import places
import pytest
from commands import said

from advlab.cli.main import COMMANDS, EXAMPLES


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_teaches_by_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, *([command] if command else []), "--help")
    assert "examples:" in out
    shown = COMMANDS[command].EXAMPLES if command else EXAMPLES
    assert shown.strip() in out
    assert ("--json" in out) == (command not in ("", "app", "class"))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_in_the_help_are_commands_that_parse(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shlex

    seen: list[str] = []
    for module in COMMANDS.values():  # an example may begin with what goes before, as a training
        monkeypatch.setattr(module, "run", lambda args: seen.append(args.command) or 0)
    for line in COMMANDS[command].EXAMPLES.splitlines()[1:]:
        words = shlex.split(line.strip().split("   ")[0].split(">")[0].split(" RUN: ")[0])
        assert words[0] == "advlab"
        said(capsys, *words[1:])
    assert command in seen


def test_flags_say_what_the_forms_say(capsys: pytest.CaptureFixture[str]) -> None:
    from advlab.runs.config import TrainConfig
    from advlab.settings import settings_of

    out = " ".join(said(capsys, "train", "--help")[0].split())
    for item in settings_of(TrainConfig):
        assert f"--{item.name.replace('_', '-')}" in out
        assert " ".join(item.meta.help.split()) in out.replace("- ", "-") or "-" in item.meta.help


def test_help_of_the_whole_comes_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom advlab.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "slow = {'torch', 'transformers', 'streamlit', 'datasets'} & set(sys.modules)\n"
        "print(slow or 'light', file=sys.stderr)"
    )
    for words in (["--help"], ["--version"], ["runs"], ["demo", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=places.ROOT,
            env=os.environ | {"ADVLAB_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.stderr.strip() == "light", words
