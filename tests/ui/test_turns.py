"""Turns: how many, whose next, how long; and that a click ends what is no longer wanted."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import places
import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests
from streamlit.testing.v1 import AppTest

from advlab.attacks import FGM, PGD
from advlab.errors import SettingError
from advlab.ui import turns
from advlab.ui.turns import MOST_WORK, Turns, check_work, work_of

PRESSED = WidgetStates(widgets=[WidgetState(id="keep", trigger_value=True)])
TIMER = RerunData(fragment_id="strip", is_auto_rerun=True)


def test_a_page_with_a_hundred_sentences_does_not_stand_before_one_with_one() -> None:
    turns, order, holding = Turns(1), [], threading.Event()

    def work(who: str, n: int) -> None:
        for _ in range(n):
            with turns.turn(who):
                order.append(who)
                time.sleep(0.02)

    def first() -> None:
        with turns.turn("many"):
            holding.wait(5)

    threads = [threading.Thread(target=first)]
    threads[0].start()
    time.sleep(0.05)
    for _ in range(5):  # five sentences wait already when the other comes
        threads.append(threading.Thread(target=work, args=("many", 1)))
        threads[-1].start()
    time.sleep(0.05)
    threads.append(threading.Thread(target=work, args=("one", 1)))
    threads[-1].start()
    time.sleep(0.05)
    holding.set()
    for thread in threads:
        thread.join(10)
    assert order == ["one", *["many"] * 5]


def test_one_visitor_takes_the_second_turn_only_while_nobody_else_waits() -> None:
    turns = Turns(2)
    with turns.turn("a"):
        got: list[str] = []

        def take(who: str) -> None:
            with turns.turn(who):
                got.append(who)
                time.sleep(0.05)

        waiting = [threading.Thread(target=take, args=(who,)) for who in ("a", "b")]
        with turns._changed:  # both stand in the row before either is served
            for thread in waiting:
                thread.start()
            time.sleep(0.05)
        for thread in waiting:
            thread.join(10)
    assert sorted(got) == ["a", "b"]
    assert turns._held == []


def test_a_turn_within_a_turn_is_the_same_one() -> None:
    turns = Turns(1)
    with turns.turn() as outer, turns.turn() as inner:
        assert inner is outer
        assert len(turns._held) == 1
    assert turns._held == []


def test_long_work_gives_way_and_goes_on() -> None:
    turns, seen = Turns(1), []

    def attack() -> None:
        with turns.turn("other"):
            seen.append("other")

    with turns.turn("measuring", limit=None) as turn:
        waiting = threading.Thread(target=attack)
        waiting.start()
        while not turns._waiting:
            time.sleep(0.01)
        turn.give_way()
        seen.append("measuring")
    waiting.join(10)
    assert seen == ["other", "measuring"]


def test_a_turn_ends_after_its_limit_and_is_free_again() -> None:
    turns = Turns(1)

    def work() -> None:
        for _ in range(1000):
            turn.look()
            time.sleep(0.01)

    told = pytest.raises(SettingError, match=r"stopped after 0.1 s.*take fewer steps")
    with turns.turn(limit=0.1) as turn, told:
        work()
    turn.look()  # nothing is asked of it any more
    with turns.turn() as again:
        again.look()


def test_what_one_request_may_ask_is_bounded() -> None:
    assert work_of(PGD(steps=10, restarts=2), "x" * 80, 3) == 10 * 2 * 20 * 3
    assert work_of(FGM(), "x" * 80, 1) == 20
    check_work(PGD(steps=1000), "x" * 80, 3)
    with pytest.raises(SettingError, match=f"at most {MOST_WORK:,}"):
        check_work(PGD(steps=1000, restarts=100), "x" * 2000, 3)


def test_what_the_home_holds_is_its_owners_alone(tmp_path: Path) -> None:
    from victims import write_reviews

    home, data = tmp_path / "home", write_reviews(tmp_path / "r.csv", n=40)
    words = ("train", "--data", str(data), "--epochs", "1", "--eval-limit", "16")
    done = subprocess.run(
        [sys.executable, "-m", "advlab", *words],
        cwd=places.ROOT,
        env={"PATH": "/usr/bin:/bin", "ADVLAB_HOME": str(home), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modes = {str(p.relative_to(tmp_path)): stat.S_IMODE(p.stat().st_mode) for p in home.rglob("*")}
    modes["home"] = stat.S_IMODE(home.stat().st_mode)
    assert len(modes) > 10
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ((), False),
        ((RerunData(fragment_id="strip"),), True),
        ((RerunData(fragment_id="strip", is_auto_rerun=True),), False),
        # a click, and the timer after it: the click is still to be answered
        ((RerunData(fragment_id="strip", widget_states=PRESSED), TIMER), True),
        ((TIMER, RerunData(fragment_id="strip", widget_states=PRESSED)), True),
    ],
)
def test_a_click_in_a_part_of_the_page_is_noticed_and_a_timer_is_not(
    asked: tuple[RerunData, ...], waits: bool
) -> None:
    requests = ScriptRequests()
    for one in asked:
        requests.request_rerun(one)
    assert turns._waits(SimpleNamespace(script_requests=requests)) is waits
    requests.on_scriptrunner_ready()
    assert not turns._waits(SimpleNamespace(script_requests=requests))  # it is being answered


def _page() -> None:
    import streamlit as st

    from advlab.ui.turns import NEWS, goes_on, notice_clicks, under_way

    st.session_state.setdefault("news", 0)
    st.session_state[NEWS] = lambda: st.session_state["news"] == 1
    if st.button("Measure") or goes_on("work"):
        with under_way("work"):
            for _i in range(3):
                st.session_state["news"] += 1
                notice_clicks()
        st.text("measured")


def test_work_that_news_interrupt_is_taken_up_again() -> None:
    page = AppTest.from_function(_page).run()
    page.button[0].click().run()
    assert page.session_state["news"] == 4  # once before it was put aside, then all three
    assert [text.value for text in page.text] == ["measured"]
    page.run()
    assert not page.text  # and it is not begun a second time
