"""Every lesson says the same in both languages, names facts that exist, and shows none too early."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from typing import Any

import pytest

from advlab.language import LANGUAGES, _, speak
from advlab.lessons.blocks import Block, Check, Do, Lesson, Predict, Reveal, See
from advlab.lessons.course import FOLDER, filled, lesson, named, names, shown, texts
from advlab.lessons.facts import FACTS

# a button, a heading, an option: of several words, or one with a capital; not a stressed word
QUOTED = re.compile(r"(?<!\*)[“*]((?:[A-Z]|[^\s“”*]+ )[^“”*\n]{3,60})[”*](?!\*)")
WRITTEN = ("ask", "unit", "because", "at")  # what differs from language to language


def both(name: str) -> list[Lesson]:
    found = []
    for spoken in LANGUAGES:
        with speak(spoken):
            found.append(lesson(name))
    return found


def shape(block: Block) -> dict[str, Any]:
    """A block without its words: tables keep the names of their rows."""
    values = asdict(block)
    return {
        k: list(v) if isinstance(v, dict) else len(v) if k == "at" else v
        for k, v in values.items()
        if k not in WRITTEN or k == "at"
    }


def test_the_course_has_its_lessons_in_order():
    assert len(names()) >= 10
    assert [int(n[:2]) for n in names()] == list(range(1, len(names()) + 1))
    for name in names():
        one = both(name)[0]
        assert 4 <= one.minutes <= 8, name
        assert one.notes
        assert one.about


@pytest.mark.parametrize("name", names())
def test_both_languages_have_the_same_steps_blocks_and_settings(name: str):
    english, chinese = both(name)
    for field in fields(Lesson):
        if field.name not in ("title", "shows", "about", "steps", "notes"):
            assert getattr(english, field.name) == getattr(chinese, field.name)
    assert len(english.steps) == len(chinese.steps)
    for one, other in zip(english.steps, chinese.steps, strict=True):
        kinds = [type(p).__name__ for p in one.parts]
        assert kinds == [type(p).__name__ for p in other.parts], one.title
        blocks = [
            (a, b) for a, b in zip(one.parts, other.parts, strict=True) if not isinstance(a, str)
        ]
        for a, b in blocks:
            assert shape(a) == shape(b), one.title  # type: ignore[arg-type]
        assert shown(one) == shown(other), one.title


@pytest.mark.parametrize("name", names())
def test_chinese_is_chinese(name: str):
    chinese = both(name)[1]
    for text in (chinese.title, chinese.shows, chinese.about, chinese.notes):
        assert re.search(r"[\u4e00-\u9fff]", text), text
    for step in chinese.steps:
        assert re.search(r"[\u4e00-\u9fff]", step.title)
        for text in texts(step):
            assert re.search(r"[\u4e00-\u9fff]", text) or len(text) < 10, text


@pytest.mark.parametrize("name", names())
def test_chinese_calls_what_stands_on_the_page_as_the_page_does(name: str):
    english, chinese = ((FOLDER / f"{name}.{spoken}.md").read_text() for spoken in ("en", "zh"))
    for title in QUOTED.findall(english):
        with speak("zh"):
            told = _(title)
        if told != title:
            assert told in chinese, title
    for title in QUOTED.findall(chinese):
        with speak("zh"):
            assert _(title) == title


@pytest.mark.parametrize("name", names())
def test_a_lesson_names_facts_that_are_measured_and_a_case_for_whatever_comes(name: str):
    for one in both(name):
        kind = FACTS[one.facts]
        for step in one.steps:
            assert shown(step) <= kind.names, step.title
            reveal, predict = step.first(Reveal), step.first(Predict)
            if isinstance(reveal, Reveal) and reveal.by == "outcome":
                assert set(reveal.cases) == set(kind.outcomes), step.title
            if isinstance(reveal, Reveal):
                assert isinstance(one.steps[reveal.of - 1].first(Predict), Predict)
            if isinstance(predict, Predict):
                assert predict.fact in kind.names
                revealed = [s.first(Reveal) for s in one.steps]
                assert any(isinstance(r, Reveal) and r.of == step.number for r in revealed)
                if predict.fact == "outcome":
                    assert set(predict.options) == set(kind.outcomes)


@pytest.mark.parametrize("name", names())
def test_what_is_to_be_predicted_is_not_told_before(name: str):
    for one in both(name):
        for step in one.steps:
            predict = step.first(Predict)
            if isinstance(predict, Predict):
                before = set().union(*(shown(s) for s in one.steps[: step.number]))
                assert predict.fact not in before, step.title


@pytest.mark.parametrize("name", names())
def test_every_view_and_act_is_known_to_the_page(name: str):
    from advlab.ui.explore.view import VIEWS
    from advlab.ui.learn.acts import ACTS
    from advlab.ui.learn.looks import LOOKS

    one = both(name)[0]
    for step in one.steps:
        for part in step.parts:
            if isinstance(part, See):
                assert part.page in LOOKS
                assert part.page != "explore" or part.view in VIEWS
            if isinstance(part, Do):
                assert part.act in ACTS
                assert one.see_at(step.number) is not None


def test_facts_are_written_as_the_text_asks():
    class Found:
        share, count, flip, word = 0.53333, 30, -0.25, "a*b"

    text = "{share:.0%} of {count}, {flip}: {word} {{kept}}"
    assert filled(text, Found(), lambda s: s.replace("*", "\\*")) == (
        "53 % of 30, −0.25: a\\*b {kept}"
    )
    assert named(text) == {"share", "count", "flip", "word"}


def test_a_check_has_one_right_option():
    for name in names():
        for step in both(name)[0].steps:
            check = step.first(Check)
            if isinstance(check, Check):
                assert len(check.options) >= 2
                assert check.answer in check.options


def test_the_benchmark_expects_something_of_every_lesson():
    import importlib.util

    from places import TESTS

    spec = importlib.util.spec_from_file_location("lessons_bench", TESTS / "benchmarks/lessons.py")
    assert spec
    assert spec.loader
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    assert set(bench.EXPECTED) == set(names())
    for name, outcomes in bench.EXPECTED.items():
        assert set(outcomes) <= set(FACTS[lesson(name).facts].outcomes)
