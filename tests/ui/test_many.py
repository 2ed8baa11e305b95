from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import places
import pytest
from explore_pages import shown as page_text
from explore_pages import widget
from samples import robust_record, sample_record
from streamlit.testing.v1 import AppTest
from task_cases import case
from translators import shared_translator
from victims import TEXTS, shared_victim

from advlab.attacks import PGD
from advlab.explain.explore import explore
from advlab.pictures import findings
from advlab.ui.explore.many import OWN_TEXTS, link, request_of
from advlab.ui.explore.request import Request

MANY = str(places.ROOT / "pages" / "explore" / "many.py")


def test_a_row_says_what_the_record_says() -> None:
    for text in TEXTS:
        record = explore(shared_victim("bert"), text, attack=PGD(1.0, steps=4))
        row = findings.finding(record)
        assert row.outcome == ("flipped" if record.flipped else "robust")
        assert row.worst == record.tokens[int(record.delta_norm.argmax())]
        assert row.moved == int(record.moved.sum())
        flip = record.curve.flip_eps
        assert (row.flip is None) == (flip is None)
        if flip is not None:
            assert row.flip == pytest.approx(flip / record.scale.mean_norm)
        wrong = next(n for n in record.clean.parts if n != row.clean)
        assert findings.finding(record, wrong).outcome == "wrong"
        assert findings.finding(record, row.clean).outcome == row.outcome
        assert findings.finding(record, "no such class").outcome == row.outcome


def test_counts_in_the_sentence_add_up() -> None:
    rows = [findings.finding(sample_record()), findings.finding(robust_record())]
    said = findings.sentence("plain", rows)
    assert "of 2 sentences 1 flip, 1 hold and 0 are wrong" in said
    columns = findings.columns(rows)
    assert {len(v) for v in columns.values()} == {2}
    assert "wrong before" in findings.sentence("none", [])


def test_the_line_rises_by_one_sentence_at_each_flip() -> None:
    rows = [findings.finding(sample_record(seed=s)) for s in range(1, 6)]
    data: Any = findings.histogram(["plain"], [rows]).data
    line, noise = data
    assert (np.diff(np.asarray(line.y, dtype=float)) >= 0).all()
    flips = [r.flip for r in rows if r.flip is not None]
    assert line.y[-1] == pytest.approx(len(flips) / len(rows))
    # the null stands at the attack's ε, beside the line
    assert (noise.x[0], noise.y[0]) == (
        rows[0].eps,
        pytest.approx(np.mean([r.noise for r in rows])),
    )


def test_the_page_attacks_every_line_and_keeps_explores_numbers(two_models) -> None:
    app = AppTest.from_file(MANY, default_timeout=60)
    app.session_state["many.count"] = 3  # of the data's sentences, at first
    app.run()
    assert not app.exception
    opened = [widget(app, "selectbox", letter).value for letter in "ab"]
    assert opened == ["local:first", "local:second"]  # the pair that the other pages open with
    widget(app, "selectbox", "source").set_value("my own sentences").run()
    assert "Type some sentences" in app.info[0].value
    widget(app, "text_area", "text").set_value("a dull film\n\nnever a better play\n").run()
    assert not app.exception
    shown = app.dataframe[0].value
    assert sorted(set(shown["text"])) == ["a dull film", "never a better play"]
    widget(app, "text_input", "search").set_value("dull").run()
    assert set(app.dataframe[0].value["text"]) == {"a dull film"}
    assert not app.exception


def test_a_row_opens_the_question_that_it_is_about() -> None:
    victim, (one, *_) = case("qa")
    questions = (one.beside, "where is Tom")
    asked = [Request(one.text, None, ("m",), PGD(), 0, beside=q) for q in questions]
    rows = [
        findings.finding(explore(victim, one.text, beside=q, attack=PGD(0.1, steps=1), points=2))
        for q in questions
    ]
    assert findings.columns(rows)["beside it"] == list(questions)
    for row, question in zip(rows, questions, strict=True):
        assert link(request_of(row, asked))["beside"] == question
    assert "beside it" not in findings.columns([findings.finding(sample_record())])


def test_how_many_sentences_meet_one_goal_is_counted(advlab_home: Path) -> None:
    shared_translator("bart").save(advlab_home / "models" / "bart")
    app = AppTest.from_file(MANY, default_timeout=60)
    app.session_state["many.source"] = OWN_TEXTS
    app.session_state["many.text"] = "a dog\na big dog"
    app.session_state["many.settings"] = True  # the fold is open
    app.run()
    assert not app.exception
    assert "goal met" not in app.dataframe[0].value
    widget(app, "number_input", "eps").set_value(4.0)
    widget(app, "selectbox", "goal").set_value("keyword").run()
    widget(app, "text_input", "words").set_value("hund").run()
    assert not app.exception
    shown = app.dataframe[0].value
    assert f"on {sum(shown['goal met'])} of 2 sentences the attack meets its goal" in page_text(app)
    victim = shared_translator("bart")
    for text, met in zip(shown["text"], shown["goal met"], strict=True):
        attack = PGD(4.0, steps=10, unit="norm")
        assert explore(victim, text, attack=attack, goal="keyword:hund").met == met
    widget(app, "text_input", "words").set_value("").run()
    assert not app.exception
    assert any("word" in w.value for w in app.warning)  # what is lacking is said, once
