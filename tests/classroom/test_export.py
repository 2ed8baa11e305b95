"""What the class did leaves whole, and no cell of it is a formula."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from advlab.classroom import Classroom, challenges, polls, progress
from advlab.classroom.export import CAPSULES, cell, zipped
from advlab.runs.config import RunConfig
from advlab.runs.queue import Store


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("  @SUM(1)", "'  @SUM(1)"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        ("-2.5", "-2.5"),
        (-0.25, "-0.25"),
        ("Anna", "Anna"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_all_of_the_class_is_in_the_zip(tmp_path: Path) -> None:
    room = Classroom(tmp_path)
    anna, ben = (room.join(room.code, name)[0] for name in ("=Anna/../..", "李雷"))
    home = room.space_of(anna.id).root
    lines = [
        {
            "when": "2026-01-01T10:00:00",
            "lesson": "02-noise",
            "step": 3,
            "kind": "predict",
            "said": "=1",
        },
        {
            "when": "2026-01-01T10:01:00",
            "lesson": "02-noise",
            "step": 4,
            "kind": "done",
            "measured": 0.2,
        },
    ]
    text = "\n".join(json.dumps(line) for line in lines) + '\n{"when": "torn'
    (home / progress.FILE).write_text(text)
    (home / CAPSULES).mkdir()
    (home / CAPSULES / "one.json").write_text("{}")
    poll = polls.ask(room, "Which?", ["a", "b"])
    polls.answer(room, poll.id, ben.id, "a")
    challenge = challenges.start(room, "words", "a b", "m")
    challenges.enter(room, challenge, anna.id, 1, {"text": "=2"})
    Store(home).enqueue(RunConfig("@run"))

    found = zipfile.ZipFile(io.BytesIO(zipped(room)))
    tables = {
        name: list(csv.DictReader(io.StringIO(found.read(name).decode("utf-8-sig"))))
        for name in found.namelist()
        if name.endswith(".csv")
    }
    assert [r["student"] for r in tables["students.csv"]] == ["'=Anna/../..", "李雷"]
    assert [(r["step"], r["said"]) for r in tables["progress.csv"]] == [("3", "'=1"), ("4", "null")]
    assert tables["answers.csv"][0]["answer"] == "a"
    assert tables["challenges.csv"][0]["rank"] == "1"
    assert tables["runs.csv"][0]["name"] == "'@run"
    (capsule,) = [name for name in found.namelist() if name.startswith(CAPSULES)]
    assert ".." not in capsule
    assert capsule.endswith(f"-{anna.id}/one.json")
    assert progress.last(home) == progress.read(home)[-1]
    everything = b"".join(found.read(name) for name in found.namelist())
    assert room.secret.encode() not in everything
