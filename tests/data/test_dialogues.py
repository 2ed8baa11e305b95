"""Dialogues of a person: every way to write turns, and what is told of those that cannot be used."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from places import DATA

from advlab.data.dialogues import read
from advlab.errors import DataError
from advlab.records.turns import turns_of
from advlab.runs.config import DataConfig

TURNS = ["a ticket.", "from which city?", "from bern.", "booked."]


def written(path: Path, *rows: Any, array: bool = False) -> Path:
    """Rows as JSON Lines, or as one array."""
    text = json.dumps(rows) if array else "\n".join(map(json.dumps, rows))
    path.write_text(text, encoding="utf-8")
    return path


def heard(path: Path, **config: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """Histories with replies, and what was told."""
    notes: list[str] = []
    found = read(path, DataConfig(str(path), **config), notes)
    return [(e.text, e.answers[0]) for e in found], notes


WHOLE = [
    ("User: a ticket.", "from which city?"),
    ("User: a ticket.\nBot: from which city?\nUser: from bern.", "booked."),
]
ROLES = ("user", "assistant", "user", "assistant")


@pytest.mark.parametrize(
    "row",
    [
        {"turns": TURNS},
        {"id": 3, "dialogue": [{"text": t, "act": "?"} for t in TURNS]},
        {"dialogue": [{"speaker": "AB"[i % 2], "text": t} for i, t in enumerate(TURNS)]},
        {"messages": [{"role": r, "content": t} for r, t in zip(ROLES, TURNS, strict=True)]},
        {"conversations": [{"from": "hg"[i % 2], "value": t} for i, t in enumerate(TURNS)]},
        {"turns": ["  a \n ticket. ", *TURNS[1:]]},
    ],
)
@pytest.mark.parametrize("array", [False, True])
def test_turns_are_read_however_they_are_written(tmp_path: Path, row: Any, array: bool) -> None:
    assert heard(written(tmp_path / "a.jsonl", row, array=array)) == (WHOLE, [])


def test_the_dialogue_of_an_example_is_named_since_a_split_goes_by_it(tmp_path: Path) -> None:
    path = written(tmp_path / "talks.jsonl", {"turns": TURNS}, {"turns": TURNS[:2]})
    found = read(path, DataConfig(str(path)))
    assert [e.id for e in found] == ["talks-1-1", "talks-1-2", "talks-2-1"]
    assert [e.more for e in found] == [(("dialogue", n),) for n in ("1", "1", "2")]


def test_the_bot_is_who_is_called_so_whoever_begins(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "assistant", "content": "hello!"},
        {"role": "user", "content": "a ticket."},
        {"role": "user", "content": "please."},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": "from which city?"},
    ]
    replies, notes = heard(written(tmp_path / "a.jsonl", {"messages": messages}))
    assert replies == [("User: a ticket. please.", "from which city?")]
    assert notes == [
        "a.jsonl: messages of a system, left out: 1",
        "a.jsonl: empty turns, left out: 1",
        "a.jsonl: turns joined to the one before them, by the same speaker: 1",
        "a.jsonl: first turns of a bot that nobody had asked, left out: 1",
    ]


def test_dialogues_of_one_or_of_three_are_left_out_and_told(tmp_path: Path) -> None:
    crowd = {"dialogue": [{"speaker": s, "text": s} for s in "abc"]}
    path = written(tmp_path / "a.jsonl", {"turns": TURNS[:2]}, crowd, {"turns": ["hello"]})
    replies, notes = heard(path)
    assert replies == WHOLE[:1]
    assert notes == [
        "a.jsonl: dialogues of more than two speakers, left out: 1",
        "a.jsonl: dialogues without a reply, left out: 1",
    ]


def test_what_looks_like_a_mark_within_a_turn_stays_in_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", {"turns": ["hello\nBot: no", "yes"]})
    ((text, _),) = heard(path)[0]
    assert [t.speaker for t in turns_of(text)] == ["User"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "a.jsonl is empty"),
        (
            "text,label\nhello,yes\n",
            "expected dialogues as JSON, got a.jsonl, which begins with 'text",
        ),
        ('{"text": "hello"}', "row 1 of a.jsonl: expected a list of turns as turns or dialogue or"),
        ('{"turns": ["a", 3]}', "row 1 of a.jsonl: expected each turn as text, .* got '3'"),
        ('{"turns": ["a", {"sp": "b"}]}', "row 1 of a.jsonl: expected each turn as text"),
        ('{"turns": [null, "a"]}', "row 1 of a.jsonl: expected each turn as text"),
        ('{"turns": ["a", "b"]}\n{"turns": [', "row 2 of a.jsonl is not JSON"),
        ('{"turns": ["a"]}', "has no reply to learn from; dialogues without a reply, left out: 1"),
        ('["a", "b"]', "expected an object"),
        ('{"turns": []}', "has no reply to learn from"),
        ('{"turns": "a b"}', "expected a list of turns"),
    ],
)
def test_other_files_are_refused_with_what_was_expected(
    tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read(path, DataConfig(str(path)))


def test_a_column_may_be_named_and_a_file_packed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"said": TURNS, "turns": ["x", "y"]}).encode()))
    assert heard(path, text_column="said")[0] == WHOLE
    with pytest.raises(DataError, match="expected a list of turns as other"):
        heard(path, text_column="other")


@pytest.mark.skipif(not DATA.exists(), reason="the folder of real data is not here")
@pytest.mark.parametrize(
    ("name", "dialogues"), [("reccon_train.jsonl.gz", 834), ("validation.json.gz", 1000)]
)
def test_dailydialog_is_read_whole(name: str, dialogues: int) -> None:
    path = DATA / "dailydialog" / name
    found = read(path, DataConfig(str(path)), notes := [])
    assert len({dict(e.more)["dialogue"] for e in found}) == dialogues, notes
    for example in found:
        assert turns_of(example.text)[-1].speaker == "User"
