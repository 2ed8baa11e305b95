"""The arrows between modules go one way, imports stay light, and nothing is unpickled."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from places import ROOT

MODULES = sorted((ROOT / "advlab").rglob("*.py"))
PAGES = [*sorted((ROOT / "pages").rglob("*.py")), ROOT / "app.py"]

# A package may import what stands before it, and nothing after it; those in one set, not each other.
ORDER = (
    {"language"},
    {"errors"},
    {"settings"},
    {"records"},
    {"runs"},
    {"data"},
    {"tasks"},
    {"model"},
    {"attacks"},
    {"training"},
    {"explain", "studies"},
    {"capsule"},
    {"lessons", "classroom"},
    {"ui"},
    {"cli"},
)
PLACE = {package: i for i, packages in enumerate(ORDER) for package in packages}
# pictures draw records, and the diary of a run
DRAWN = {"language", "errors", "records", "runs"}
MAY_DRAW = {"capsule", "studies", "lessons", "classroom", "ui", "cli"}


@cache
def package_of(path: Path) -> str:
    """The file's place in the house: `advlab/data/files.py` -> `data`."""
    return path.relative_to(ROOT / "advlab").parts[0].removesuffix(".py")


PACKAGES = {package_of(p) for p in MODULES}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file's tree."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of each import, those for type checkers and inside functions too."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            assert node.module
            for name in node.names:
                # `from advlab import runs` and `from advlab.runs import jobs` both name a package
                yield f"{node.module}.{name.name}", node.lineno


def targets(path: Path) -> Iterator[tuple[str, int]]:
    """The packages of advlab that a file imports."""
    for name, line in imports(path):
        pieces = name.split(".")
        if pieces[0] == "advlab" and len(pieces) > 1 and pieces[1] in PACKAGES:
            yield pieces[1], line


def module_of(path: Path) -> str:
    """`advlab/data/files.py` -> `advlab.data.files`; a package's `__init__` bears its name."""
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


def arrows() -> dict[str, set[str]]:
    """Each module and the modules that it imports."""
    known = {module_of(p) for p in MODULES}
    found: dict[str, set[str]] = {}
    for path in MODULES:
        here = found.setdefault(module_of(path), set())
        for name, _ in imports(path):
            owner = name if name in known else name.rpartition(".")[0]
            if owner in known:
                here.add(owner)
        here.discard(module_of(path))
    return found


def test_every_package_has_its_place() -> None:
    found = {package_of(p) for p in MODULES}
    assert found == set(PLACE) | {"pictures", "__init__", "__main__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_go_one_way(path: Path) -> None:
    package = package_of(path)
    for target, line in targets(path):
        where = f"{path.relative_to(ROOT)}:{line} imports advlab.{target}"
        if target == package:
            continue
        if package == "pictures":
            assert target in DRAWN, where
        elif target == "pictures":
            assert package in MAY_DRAW, where
        elif package not in ("__init__", "__main__"):
            assert PLACE[target] < PLACE[package], where


def test_no_modules_import_each_other_in_circles() -> None:
    left = arrows()
    while left:
        free = {module for module, needs in left.items() if not needs & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {module: needs for module, needs in left.items() if module not in free}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_streamlit_stays_in_the_interface(path: Path) -> None:
    if package_of(path) != "ui":
        assert not [n for n, _ in imports(path) if n.split(".")[0] == "streamlit"]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages_hold_no_tensors_and_no_sql(path: Path) -> None:
    used = {n.split(".")[0] for n, _ in imports(path)}
    assert not used & {"torch", "transformers", "sqlite3", "captum"}


@pytest.mark.parametrize("path", PAGES[:-1], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_only_calls_the_interface(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 20
    assert not [line for line in lines if line.startswith(("def ", "class "))]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pictures_and_records_know_no_tensors(path: Path) -> None:
    if package_of(path) in {"pictures", "records", "settings", "errors", "runs", "data"}:
        assert not [n for n, _ in imports(path) if n.split(".")[0] == "torch"]


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


def test_importing_advlab_pulls_in_nothing_slow() -> None:
    slow = "{'torch', 'transformers', 'streamlit', 'datasets', 'captum', 'plotly', 'pandas'}"
    light = "advlab, advlab.records, advlab.runs.config, advlab.runs.folder, advlab.settings"
    assert run_python(f"import sys, {light}; print({slow} & set(sys.modules) or 'none')") == "none"
    for part in ("advlab.runs.jobs", "advlab.data", "advlab.cli.main"):
        heavy = "{'torch', 'transformers', 'streamlit'}"
        found = run_python(f"import sys, {part}; print({heavy} & set(sys.modules) or 'none')")
        assert found == "none", part


def test_the_names_of_the_package_exist() -> None:
    code = "import advlab; print(len([getattr(advlab, n) for n in advlab.__all__]))"
    import advlab

    assert run_python(code) == str(len(advlab.__all__))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        advlab.nonsense


@pytest.mark.parametrize("path", [*MODULES, *PAGES], ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_unpickled_and_no_remote_code_is_trusted(path: Path) -> None:
    used = {n.split(".")[0] for n, _ in imports(path)}
    assert not used & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for node in nodes(path):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"torch.load", "torch.save", "eval", "exec"}, where
            for word in node.keywords:
                if word.arg in {"trust_remote_code", "allow_pickle"}:
                    assert ast.unparse(word.value) == "False", where
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "trust_remote_code":
                    assert ast.unparse(value) == "False", where
