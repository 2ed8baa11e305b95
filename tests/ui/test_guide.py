"""A page drawn in a lesson is told its models and what is waited for; outside of one, nothing."""

from __future__ import annotations

from dataclasses import replace

from samples import robust_record, sample_record
from streamlit.testing.v1 import AppTest

from advlab.pictures.reel import sweep
from advlab.ui.guide import Guide, awaited, guide, guided, prefix


def test_there_is_a_guide_within_its_block_alone():
    by = Guide(("a",), 10)
    assert (guide(), prefix("cost")) == (None, "cost")
    with guided(by):
        assert (guide(), prefix("cost")) == (by, "cost.lesson")
    assert guide() is None


def test_the_frames_that_are_waited_for_are_those_at_which_the_first_models_answer_has_changed():
    reel = sweep([sample_record(), robust_record()])
    flipped = reel.panels[0].flipped
    assert flipped
    assert awaited(reel) == [k for k, changed in enumerate(flipped) if changed]
    assert 0 not in awaited(reel)


def test_where_nothing_changes_the_last_frame_is_waited_for():
    reel = sweep([sample_record()])
    still = replace(reel.panels[0], flipped=[False] * len(reel.x))
    assert awaited(replace(reel, panels=(still,))) == [len(reel.x) - 1]


def shown() -> None:
    import streamlit as st
    from samples import sample_record

    from advlab.pictures import next_look
    from advlab.ui.guide import Guide, guided
    from advlab.ui.parts import pointed

    look = next_look.after_overview([sample_record()])
    if st.session_state.get("lesson"):
        with guided(Guide(("a",), 10)):
            pointed(look)
    else:
        pointed(look)


def test_a_lesson_says_itself_what_comes_next():
    app = AppTest.from_function(shown, default_timeout=60).run()
    assert "Next: " in " ".join(e.proto.body for e in app.get("html"))
    app.session_state["lesson"] = True
    app.run()
    assert not app.exception
    assert not app.get("html")
    assert not app.button
