"""The Dockerfile keeps to the package: what it copies, installs and starts is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from places import ROOT

from advlab.cli.main import make_parser

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PORT = 8501


def exec_form(instruction: str) -> list[str]:
    """The words of the last instruction of this name: never a shell's, which eats signals."""
    found = re.findall(rf"^{instruction}\b[^\[]*(\[.*?\])$", TEXT, re.MULTILINE | re.DOTALL)
    return json.loads(found[-1])


def test_what_it_starts_is_a_command_of_the_package() -> None:
    (program,) = exec_form("ENTRYPOINT")
    assert program in PROJECT["project"]["scripts"]
    words = exec_form("CMD")[-1:]  # HEALTHCHECK's stands before it
    for given in (words, *re.findall(r"^# Run: docker run .*? advlab (.*)$", TEXT, re.MULTILINE)):
        line = given if isinstance(given, list) else given.split()
        assert make_parser(line[0]).parse_args(line).port == PORT


def test_what_it_installs_is_declared_and_reaches_the_image() -> None:
    (extras,) = re.findall(r"'/src\[(.*?)\]'", TEXT)
    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    ignored = [
        line.strip("*/") for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    ]
    built = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*built["packages"], *built["force-include"], PROJECT["project"]["readme"]]
    needed += PROJECT["project"]["license-files"]
    for name in (*needed, "pyproject.toml"):
        assert (ROOT / name).exists()
        assert Path(name).parts[0] not in ignored
    python = re.findall(r"^FROM python:(\d+)\.(\d+)", TEXT, re.MULTILINE)[0]
    assert ">=" + ".".join(python) == PROJECT["project"]["requires-python"]


def test_its_check_of_health_is_a_program_that_asks_the_port_that_is_exposed() -> None:
    (check,) = re.findall(r"^HEALTHCHECK .*?(\[.*?\])$", TEXT, re.MULTILINE | re.DOTALL)
    _python, flag, program = json.loads(check)
    assert flag == "-c"
    assert f"EXPOSE {PORT}\n" in TEXT
    assert f"http://127.0.0.1:{PORT}/_stcore/health" in program
    unused = program.replace(str(PORT), "9")  # nobody listens there
    done = subprocess.run([sys.executable, "-c", unused], capture_output=True, check=False)
    assert b"refused" in done.stderr
    assert done.returncode == 1
