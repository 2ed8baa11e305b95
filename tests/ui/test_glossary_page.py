"""The glossary's page: all terms, searched in either language, each with a way to its view."""

from __future__ import annotations

from pathlib import Path

import places
from streamlit.testing.v1 import AppTest

from advlab.lessons.glossary import glossary
from advlab.ui.terms import explained, with_term

APP = str(places.ROOT / "app.py")


def test_all_terms_are_there_and_a_search_leaves_those_with_the_words(advlab_home: Path) -> None:
    app = (
        AppTest.from_file(APP, default_timeout=60)
        .run()
        .switch_page("pages/learn/glossary.py")
        .run()
    )
    assert not app.exception
    assert len(app.markdown) == len(glossary())
    app.text_input[0].set_value("round trip").run()
    assert "**round trip**" in app.markdown[0].value
    assert 1 <= len(app.markdown) <= 3
    app.text_input[0].set_value("出域").run()
    assert [one.value.split("**")[1] for one in app.markdown] == ["exit radius"]
    app.text_input[0].set_value("zorg").run()
    assert [one.value for one in app.info] == ["No term has these words; try fewer."]


def test_help_shows_names_and_lines_with_no_sign_read_as_markup() -> None:
    found = explained("delta", "measure.BLEU")
    assert found is not None
    assert found.startswith("**δ**: What an attack adds")
    assert found.count("\n\n") == 1
    assert explained() is None
    assert with_term("How far.", "size") == "How far\\."
    assert "mean lengths of a word vector" in with_term("Unit of ε.", "unit")


def test_a_heading_explains_its_terms() -> None:
    def page() -> None:
        from advlab.ui.parts import section as heading

        with heading("Is it text?", "How to read it.", "projection", "round_trip"):
            pass

    app = AppTest.from_function(page).run()
    assert "**round trip**: Perturbed vectors" in app.subheader[0].help
