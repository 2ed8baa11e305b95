"""Wherever a sentence is typed, words that the model never saw in training are marked."""

from __future__ import annotations

from pathlib import Path

from explore_pages import PAGE, page, widget
from streamlit.testing.v1 import AppTest

from advlab.model.unseen import FILE

MANY = PAGE.replace("explore.py", "many.py")


def marked(app: AppTest) -> list[str]:
    return [c.value.replace("\\", "") for c in app.caption if "Never seen" in c.value]


def test_explore_marks_new_words_under_the_box_and_nothing_when_all_are_known(two_models: Path):
    app = page(text="The film was flibber.", a="local:first", b="local:second")
    (told,) = marked(app)
    assert told == "Never seen in training: flibber — read as [UNK]"
    widget(app, "text_area", "text").set_value("The film was slow.").run()
    assert marked(app) == []
    assert not app.exception


def test_models_that_know_other_words_are_told_apart(two_models: Path):
    words = two_models / "models" / "second" / FILE
    words.write_text(words.read_text().replace("film\n", ""))
    app = page(text="The film was slow.", a="local:first", b="local:second")
    assert marked(app) == ["Never seen in training of model B: film — read as film"]


def test_many_sentences_marks_the_new_words_of_all_lines(two_models: Path):
    app = AppTest.from_file(MANY, default_timeout=60)
    app.session_state["many.count"] = 3  # of the data's sentences, at first
    app.run()
    next(w for w in app.selectbox if w.key == "many.source").set_value("my own sentences").run()
    box = next(w for w in app.text_area if w.key == "many.text")
    box.set_value("the plot was zorg\na flibber film\nzorg again").run()
    (told,) = marked(app)
    assert told == "Never seen in training: zorg — read as z ##or ##g; flibber — read as [UNK]"
