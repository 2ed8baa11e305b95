"""The arrows between modules go one way, imports stay light, and nothing is unpickled."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "advlab").rglob("*.py"))
PAGES = sorted([*(ROOT / "pages").rglob("*.py"), ROOT / "app.py"])

# A part may import parts of a lower layer, and its own. Pictures stand beside the backend: they know
# records, never tensors. `evaluate` lies below `train`, which measures robust accuracy by it.
LAYERS = (
    {"errors", "settings", "records", "augment", "statistics"},
    {"config", "data", "runs", "flags", "outcomes"},
    {"norms", "tasks", "victim", "blocks", "tiny"},
    {"attacks", "methods", "explain", "checkpoints", "history"},
    {"evaluate", "grid", "alarms", "carryover", "optima"},
    {"train"},
    {"lab", "jobs"},
)
PICTURES = {
    "plots",
    "heatmaps",
    "exits",
    "planes",
    "landscapes",
    "surfaces",
    "health",
    "swaps",
    "player",
    "story",
    "tables",
    "curves",
    "console",
    "timelapse",
    "survey",
    "robustness",
    "report",
    "answers",
    "convergence",
    "capsule",
    "capsule_page",
    "capsule_figures",
    "forecast",
    "passport",
    "strict",
}
HEADS = {
    "ui",
    "replay",
    "lookback",
    "sweep",
    "cli",
    "commands",
    "comparisons",
    "__main__",
    "__init__",
}  # may import everything below
LAYER = {part: i for i, parts in enumerate(LAYERS) for part in parts}


def part_of(path: Path) -> str:
    """The file's place in the house: `advlab/data/files.py` -> `data`."""
    return path.relative_to(ROOT / "advlab").parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of each import, except those for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= {inner for child in node.body for inner in ast.walk(child)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            assert node.module
            for name in node.names:
                # `from advlab import train` and `from advlab.train import train` both name a part
                yield f"{node.module}.{name.name}", node.lineno


def targets(path: Path) -> Iterator[tuple[str, int]]:
    """The parts of advlab that a file imports."""
    parts = {part_of(p) for p in MODULES}
    for name, line in imports(path):
        pieces = name.split(".")
        if pieces[0] == "advlab" and len(pieces) > 1 and pieces[1] in parts:
            yield pieces[1], line


def test_every_part_has_its_place() -> None:
    assert {part_of(p) for p in MODULES} == set(LAYER) | PICTURES | HEADS


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_go_one_way(path: Path) -> None:
    part = part_of(path)
    for target, line in targets(path):
        where = f"{path.relative_to(ROOT)}:{line} imports advlab.{target}"
        if target == part or part in HEADS - {"__init__"}:
            continue
        if part in PICTURES:
            assert target in PICTURES | {"records", "errors", "runs", "statistics"}, where
        else:
            assert target in LAYER, where
            assert LAYER[target] <= LAYER[part], where


def test_parts_do_not_import_each_other_in_circles() -> None:
    arrows = {
        part: {t for p in MODULES if part_of(p) == part for t, _ in targets(p)} - {part}
        for part in set(LAYER) | PICTURES
    }
    while arrows:
        free = {part for part, needs in arrows.items() if not needs & set(arrows)}
        assert free, f"a circle among {sorted(arrows)}"
        arrows = {part: needs for part, needs in arrows.items() if part not in free}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_streamlit_stays_in_the_interface(path: Path) -> None:
    if part_of(path) != "ui":
        assert not [n for n, _ in imports(path) if n.split(".")[0] == "streamlit"]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages_hold_no_tensors_and_no_sql(path: Path) -> None:
    used = {n.split(".")[0] for n, _ in imports(path)}
    assert not used & {"torch", "transformers", "sqlite3", "captum"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pictures_and_records_know_no_tensors(path: Path) -> None:
    if part_of(path) in PICTURES | {"records", "settings", "errors", "config", "runs", "data"}:
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
    light = "advlab, advlab.config, advlab.records, advlab.runs, advlab.settings, advlab.errors"
    assert run_python(f"import sys, {light}; print({slow} & set(sys.modules) or 'none')") == "none"
    for part in ("advlab.jobs", "advlab.data", "advlab.cli"):
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
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
