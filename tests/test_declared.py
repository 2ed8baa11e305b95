"""What pyproject.toml declares is imported, and what is imported is declared."""

from __future__ import annotations

import re
import sys
import tomllib

from places import ROOT
from test_imports import MODULES, PAGES, imports

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def named(lines: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ \[;]", line)[0].lower().replace("-", "_") for line in lines}


DECLARED = named(PROJECT["dependencies"])
EXTRA = named(PROJECT["optional-dependencies"]["excel"])  # asked for where it is imported
IMPORTED = {
    name.split(".")[0] for path in (*MODULES, *PAGES) for name, _ in imports(path)
} - sys.stdlib_module_names


def test_every_dependency_is_imported_and_every_import_declared() -> None:
    assert IMPORTED - {"advlab"} == DECLARED | EXTRA
