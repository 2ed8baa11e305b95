"""Every sentence that people read has its translation, with the same places to fill."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from string import Formatter

import pytest
from catalogs import OTHERS, catalog_of, sentences, translated
from places import ROOT

LISTED = {"ANY", "ALL", "OWN_TEXTS", "ABOUT"}  # lists name their choices when they are drawn
LATER = {"_", "retold", "setting", "Corpus"}  # who translates what is given to them


def places(text: str) -> set[str]:
    """The names that are filled in a sentence, with their formats."""
    parts = Formatter().parse(text)
    return {
        f"{name}!{conversion}:{form}"
        for _text, name, form, conversion in parts
        if name and name.isidentifier()
    }


@pytest.mark.parametrize("name", OTHERS)
def test_every_sentence_is_translated_with_its_places_and_none_is_left_over(name: str) -> None:
    told = {m.id: m for m in catalog_of(name) if m.id}
    wanted = sentences()
    first = {m if isinstance(m, str) else m[0] for m in wanted}
    here = {m if isinstance(m, str) else m[0] for m in told}
    assert not first - here, "run tests/catalogs.py and translate"
    assert not here - first, "run tests/catalogs.py"
    wrong = []
    for one, message in told.items():
        said = (message.string,) if isinstance(one, str) else message.string
        many = one if isinstance(one, str) else one[-1]
        if not translated(message) or message.fuzzy:
            wrong.append(f"not translated: {one}")
        elif any(places(s) != places(many) for s in said):
            wrong.append(f"other places: {one} -> {said}")
    assert not wrong


def test_a_sentence_that_is_marked_for_translation_is_translated_where_it_is_used() -> None:
    trees = {p: ast.parse(p.read_text("utf-8")) for p in sorted((ROOT / "advlab").rglob("*.py"))}
    marked = {(p.stem, name) for p, tree in trees.items() for name in _marked(tree)}
    untold = [
        f"{p.relative_to(ROOT)}:{line} {name}"
        for p, tree in trees.items()
        for line, name in _used_bare(tree, p.stem, marked)
        if name not in LISTED
    ]
    assert len(marked) > 10
    assert not untold


def _marked(tree: ast.Module) -> Iterator[str]:
    """The constants of a module that are sentences to be translated."""
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if getattr(node.value.func, "id", "") == "N_" and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id


def _used_bare(
    tree: ast.Module, module: str, marked: set[tuple[str, str]]
) -> Iterator[tuple[int, str]]:
    """Where such a constant is returned, assigned, formatted or passed on as it is."""
    own = {name for where, name in marked if where == module}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            came = node.module.split(".")[-1]
            own |= {a.asname or a.name for a in node.names if (came, a.name) in marked}
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in own:
            name = node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) not in marked:
                continue
            name = node.attr
        else:
            continue
        user = above[node]
        while isinstance(user, ast.IfExp | ast.BoolOp | ast.keyword):
            user = above[user]
        told = isinstance(user, ast.Call) and getattr(user.func, "id", "") in LATER
        if not told and not isinstance(user, ast.Compare):
            yield node.lineno, name
