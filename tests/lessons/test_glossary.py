"""The glossary has a line in both languages for whatever the pages name, and says where it is seen."""

from __future__ import annotations

import ast
import re

import pytest
from places import ROOT

from advlab.attacks import ATTACKS
from advlab.errors import SettingError
from advlab.explain.saliency import METHODS as SALIENCY
from advlab.language import LANGUAGES, speak
from advlab.lessons.glossary import glossary, searched, term
from advlab.training.methods import METHODS
from advlab.training.watches import CollapseWatch, OverfittingWatch
from advlab.ui.compare.robustness import VIEWS as MEASURED
from advlab.ui.explore.view import VIEWS
from advlab.ui.pages import PAGES
from advlab.ui.terms import SETTINGS

HAN = re.compile("[\u4e00-\u9fff]")


def alarms() -> set[str]:
    """The names of all alarms, as the studies give them."""
    modules = [ROOT / "advlab" / "studies" / f"{name}.py" for name in ("alarms", "weak_attacks")]
    nodes = [n for path in modules for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    named = [
        node.args[0]
        for node in nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Alarm"
    ]
    named += [
        node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) in ("name", "MORE_IS_WEAKER")
    ]
    # the name itself, or as it is marked for translation
    inner = [one.args[0] if isinstance(one, ast.Call) and one.args else one for one in named]
    found = {one.value for one in inner if isinstance(one, ast.Constant)}
    return {str(name) for name in found} | {CollapseWatch.name, OverfittingWatch.name}


def figures() -> set[str]:
    """What is quoted of answers, by the names that the tasks give."""
    pattern = re.compile(
        r'quoted\.(?:mean|share|part|Figure)\(\s*(?:_\()?\s*"([^"]+)"|^    metrics = \{"(\w+)"',
        re.M,
    )
    found = set()
    for path in (ROOT / "advlab" / "tasks").glob("*.py"):
        found |= {a or b for a, b in pattern.findall(path.read_text(encoding="utf-8"))}
    return found


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("attack", set(ATTACKS)),
        ("method", set(METHODS)),
        ("saliency", set(SALIENCY)),
        ("view", {*VIEWS, *MEASURED}),
        ("alarm", alarms()),
    ],
    ids=["attack", "method", "saliency", "view", "alarm"],
)
def test_whatever_is_registered_has_an_entry_and_nothing_else_has(
    table: str, names: set[str]
) -> None:
    found = {name.partition(".")[2] for name in glossary() if name.startswith(f"{table}.")}
    assert found == names


def test_whatever_is_quoted_of_answers_is_a_measure() -> None:
    known = {name.partition(".")[2] for name in glossary() if name.startswith("measure.")}
    assert len(figures()) >= 6
    for figure in figures():
        assert any(
            figure == name or figure.startswith((f"{name} ", f"{name}-")) for name in known
        ), figure
    assert {"clean_accuracy", "robust_accuracy", "cost", "BLEU", "chrF"} <= known


def test_every_entry_is_one_line_in_both_languages() -> None:
    for one in glossary().values():
        assert set(one.said) == set(LANGUAGES), one.name
        english, chinese = one.said["en"], one.said["zh"]
        assert all((*english, *chinese)), one.name
        assert not HAN.search("".join(english)), one.name
        assert HAN.search(chinese[1]), one.name
        assert english[1].endswith((".", "?")), one.name
        assert chinese[1].endswith(("。", "？")), one.name
        assert max(len(english[1]), 2 * len(chinese[1])) <= 180, one.name
        assert "\n" not in "".join((*english, *chinese)), one.name


def test_names_are_told_apart_in_both_languages() -> None:
    for spoken in LANGUAGES:
        with speak(spoken):
            shown = [(one.title, one.line) for one in glossary().values()]
        assert len(set(shown)) == len(shown)


def test_where_a_term_is_seen_is_a_page_and_a_view_of_it() -> None:
    pages = {line.address for lines in PAGES.values() for line in lines}
    for one in glossary().values():
        assert one.page in pages, one.name
        assert not one.view or (one.page == "explore" and one.view in VIEWS), one.name


def test_a_term_speaks_the_language_of_the_moment() -> None:
    assert term("delta") == glossary()["delta"].said["en"][1]
    with speak("zh"):
        assert term("delta") == glossary()["delta"].said["zh"][1]
    with pytest.raises(SettingError, match="unknown term 'detla'"):
        term("detla")


def test_terms_are_found_by_words_of_either_language() -> None:
    assert "round_trip" in [one.name for one in searched("nearest ROUND trip")]
    assert "round_trip" in [one.name for one in searched("往返")]
    assert searched("") == list(glossary().values())
    assert searched("zorg") == []


def test_every_term_that_a_page_explains_exists_and_the_main_ones_are_explained() -> None:
    first = {"section": 2, "explained": 0, "term": 0}  # where the terms begin among the arguments
    named = set()
    for path in (ROOT / "advlab" / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and call in first:
                parts = [one for arg in node.args[first[call] :] for one in ast.walk(arg)]
                named |= {one.value for one in parts if isinstance(one, ast.Constant)}
    named -= {"attack.", "saliency.", "method.", "alarm."}  # the beginnings of names made there
    assert named <= set(glossary())
    named |= set(SETTINGS.values())
    assert {
        "delta",
        "eps",
        "units",
        "norm",
        "exit_radius",
        "flip_eps",
        "margin",
        "projection",
    } <= named
    assert {"round_trip", "noise_band", "carry_over", "measure.robust_accuracy", "alarm"} <= named
