"""Progress is only added to: what was said stays, and what a crash cut off spoils nothing."""

from __future__ import annotations

import json
from pathlib import Path

from advlab.lessons.progress import FILE, finished, lines, note, predicted


def test_a_prediction_is_kept_and_cannot_be_said_again(advlab_home: Path):
    assert predicted("02-noise", 1) is None
    note("02-noise", 1, "predict", "none")
    note("02-noise", 1, "predict", "most")
    note("02-noise", 2, "predict", [0.1, 0.2])
    assert predicted("02-noise", 1) == "none"
    assert predicted("02-noise", 2) == [0.1, 0.2]
    rows = [json.loads(row) for row in (advlab_home / FILE).read_text().splitlines()]
    assert [set(row) for row in rows] == [
        {"when", "lesson", "step", "kind", "said", "measured"}
    ] * 2
    assert rows[0]["said"] == "none"
    assert rows[0]["measured"] is None


def test_a_falsy_prediction_is_one(advlab_home: Path):
    note("02-noise", 1, "predict", 0.0)
    note("02-noise", 1, "predict", 5.0)
    assert predicted("02-noise", 1) == 0.0
    assert finished("02-noise") == {1}


def test_a_step_is_finished_by_what_it_asks_for():
    note("a", 1, "check", "wrong", "right")
    assert finished("a") == frozenset()
    note("a", 1, "check", "right", "right")
    note("a", 2, "done")
    note("a", 2, "done")
    assert finished("a") == {1, 2}
    assert finished("b") == frozenset()
    assert len(lines()) == 3


def test_a_torn_last_line_is_survived_and_what_follows_is_kept(advlab_home: Path):
    note("a", 1, "done")
    with (advlab_home / FILE).open("ab") as stream:
        stream.write(b'{"when": "2026-01-01", "lesson": "a", "st')
    assert finished("a") == {1}
    note("a", 2, "done")
    assert finished("a") == {1, 2}
    with (advlab_home / FILE).open("ab") as stream:
        stream.write(b'\xff\n[]\n{"when": 1}\n')
    note("a", 3, "predict", "héllo 你好")
    assert predicted("a", 3) == "héllo 你好"
    assert finished("a") == {1, 2, 3}
