"""Sentences of one's own, one a line, for models that read something beside the text too."""

from __future__ import annotations

from pathlib import Path

import places
import pytest
from explore_pages import widget
from task_cases import case

from advlab.language import speak
from advlab.tasks import TASKS
from advlab.ui.explore import many
from advlab.ui.explore.lines import examples_of, form_of_a_line, help_of_a_line

QA = TASKS["qa"]()
PLAIN = TASKS["classification"]()


def test_each_line_is_an_example_with_what_stands_beside_it() -> None:
    typed = "Tom is in the hall.\twhere is Tom\n\n  The box is red. | what is red  \n"
    found, wrong = examples_of(typed, QA)
    assert [(e.text, e.beside) for e in found] == [
        ("Tom is in the hall.", "where is Tom"),
        ("The box is red.", "what is red"),
    ]
    assert not wrong
    assert len({e.id for e in found}) == 2


def test_a_bar_is_a_part_of_the_text_where_there_is_a_tab() -> None:
    found, _ = examples_of("a | b\twhich | one", QA)
    assert (found[0].text, found[0].beside) == ("a | b", "which | one")


@pytest.mark.parametrize(
    ("line", "parts"),
    [("Tom is here.", 1), ("Tom\twhere\twho", 3), ("\twhere is Tom", 1), ("Tom |", 1), ("|", 0)],
)
def test_a_line_without_its_two_parts_is_told_by_its_number(line: str, parts: int) -> None:
    found, wrong = examples_of(f"Tom is here.\twhere\n\n{line}", QA)
    assert len(found) == 1
    assert len(wrong) == 1
    assert wrong[0].startswith("Line 3: expected text, a tab (or |) and question")
    assert f"got {parts} parts" in wrong[0]


def test_a_task_with_a_text_alone_takes_the_whole_line() -> None:
    found, wrong = examples_of("a | b\tc\n", PLAIN)
    assert [(e.text, e.beside) for e in found] == [("a | b\tc", "")]
    assert not wrong
    assert form_of_a_line(PLAIN) == "One sentence a line"
    assert help_of_a_line(PLAIN) is None


def test_the_form_says_how_a_line_is_written() -> None:
    with speak("en"):
        assert form_of_a_line(QA) == "One a line: text ⇥ question"
        assert "text | question" in (help_of_a_line(QA) or "")


def test_the_page_attacks_ones_own_questions_and_tells_wrong_lines(advlab_home: Path) -> None:
    from streamlit.testing.v1 import AppTest

    case("qa")[0].save(advlab_home / "models" / "qa")
    app = AppTest.from_file(str(places.ROOT / "pages" / "explore" / "many.py"), default_timeout=60)
    app.session_state["many.source"] = many.OWN_TEXTS  # else the first visit attacks thirty of data
    box = widget(app.run(), "text_area", "text")
    assert box.label == "One a line: text ⇥ question"
    typed = (
        "Tom is in the hall.\twhere is Tom\nno question\nTom is in the hall. | who is in the hall\n"
    )
    box.set_value(typed).run()
    assert not app.exception
    assert any("Line 2" in w.value and "expected text" in w.value for w in app.warning)
    shown = app.dataframe[0].value
    assert list(shown["text"]) == ["Tom is in the hall."] * 2
    assert list(shown["beside it"]) == ["where is Tom", "who is in the hall"]
