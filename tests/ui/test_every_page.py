"""What holds for every page; no browser."""

from __future__ import annotations

import ast

import pytest
from runs_in_states import EXPLORE, NEW, ROOT, RUNS, START, make, page

pytestmark = pytest.mark.usefixtures("quiet_server", "saved_model")

STATES = ("none", "queued", "running", "paused", "failed", "cancelled", "done")


@pytest.mark.parametrize("path", [START, NEW, RUNS, EXPLORE])
@pytest.mark.parametrize("state", STATES)
def test_every_page_stands_in_every_state(path: str, state: str):
    run_id = make(state)
    app = page(path, **({"run": run_id} if run_id and path == RUNS else {}))
    assert not app.exception
    assert app.title


def test_no_page_lets_markdown_through_as_html():
    for file in [
        ROOT / "app.py",
        *(ROOT / "pages").rglob("*.py"),
        *(ROOT / "advlab/ui").rglob("*.py"),
    ]:
        text = file.read_text(encoding="utf-8")
        assert "unsafe_allow_html" not in text, file
        assert "unsafe_allow_javascript" not in text, file


def test_no_list_to_choose_from_escapes_what_it_shows_as_it_is():
    """Streamlit reads Markdown in the options of radios and pills, not in those of a selectbox."""
    for path in sorted((ROOT / "advlab" / "ui").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                lists = node.func.attr in ("selectbox", "multiselect")
                given = [ast.unparse(k.value) for k in node.keywords if k.arg == "format_func"]
                assert not (lists and "plain_text" in " ".join(given)), (path.name, node.lineno)


def test_every_table_shows_a_dash_where_nothing_was_measured():
    """Streamlit writes “None”, which looks like a value."""
    for path in sorted((ROOT / "advlab" / "ui").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".dataframe"):
                shown = [ast.unparse(k.value) for k in node.keywords if k.arg == "placeholder"]
                assert shown == ["'–'"], (path, node.lineno)
