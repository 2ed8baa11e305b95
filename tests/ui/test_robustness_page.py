from __future__ import annotations

from pathlib import Path

import places
from explore_pages import widget


def test_the_page_measures_and_a_second_time_reads_what_the_first_wrote(two_models: Path) -> None:
    from streamlit.testing.v1 import AppTest

    file = str(places.ROOT / "pages" / "compare" / "robustness.py")
    app = AppTest.from_file(file, default_timeout=120).run()
    assert not app.exception
    widget(app, "number_input", "count").set_value(10).run()
    widget(app, "text_input", "eps").set_value("0.1 many").run()
    assert "values of ε" in app.error[0].value
    widget(app, "text_input", "eps").set_value("0.1 0.5").run()
    next(b for b in app.button if b.label == "Measure").click().run()
    assert not app.exception
    assert "How much is left" in [h.value for h in app.subheader]
    told = " ".join(c.value for c in app.caption).replace("\\", "")
    assert "Texts: 10, drawn at random, of the " in told
    assert "test texts of reviews." in told
    assert "was trained on is not known here." in told
    files = sorted((two_models / "outcomes").rglob("*.json"))
    assert files
    stamps = [f.stat().st_mtime_ns for f in files]
    first = app.dataframe[0].value.to_json()
    next(b for b in app.button if b.label == "Measure").click().run()
    assert [f.stat().st_mtime_ns for f in files] == stamps
    assert app.dataframe[0].value.to_json() == first
