"""A person's questions are read whole, each answer where it stands, and nothing is lost in silence."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

from advlab.data.questions import read
from advlab.errors import DataError
from advlab.records.examples import NO_ANSWER
from advlab.runs.config import DataConfig

SUBJQA = ROOT.parent / "shared" / "data" / "subjqa_restaurants"
TEXT = "Ada sold the red kettle in the mill. Basil bought the kettle there at noon."


def config(**changes: Any) -> DataConfig:
    return DataConfig("questions", **changes)


def squad(path: Path, questions: list[dict[str, Any]], text: Any = TEXT) -> Path:
    paragraphs = [{"context": text, "qas": questions}]
    data = {"version": "v2.0", "data": [{"title": "Kettles", "paragraphs": paragraphs}]}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def question(number: int, answer: str, start: int | None = None, **more: Any) -> dict[str, Any]:
    start = TEXT.find(answer) if start is None else start
    answers = [{"text": answer, "answer_start": start}] if answer else []
    return {"id": f"q{number}", "question": f"who {number}?", "answers": answers} | more


def write(path: Path, rows: list[list[Any]], header: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_squad_1_and_2_are_read_with_their_places(tmp_path: Path) -> None:
    second = TEXT.rindex("the kettle")
    rows = [
        question(0, "Ada"),
        question(1, "the kettle", second),
        question(2, "", is_impossible=True, plausible_answers=[{"text": "Ada", "answer_start": 0}]),
        question(3, ""),
    ]
    rows[0]["answers"].append({"text": "Basil", "answer_start": TEXT.index("Basil")})
    notes: list[str] = []
    found = read(squad(tmp_path / "dev.json", rows), config(), notes)
    assert [e.answers for e in found] == [
        ("Ada", "Basil"),
        ("the kettle",),
        (NO_ANSWER,),
        (NO_ANSWER,),
    ]
    assert [e.place for e in found] == [0, second, None, None]
    assert [e.id for e in found] == [f"dev:q{i}" for i in range(4)]
    assert {e.text for e in found} == {TEXT}
    assert found[0].beside == "who 0?"
    assert dict(found[0].more) == {"title": "Kettles"}
    assert not [n for n in notes if "left out" in n]


def test_tables_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    rows = [[TEXT, f"where {i}?", "mill", TEXT.index("mill"), "x"] for i in range(3)]
    rows.append([TEXT, "why?", "", "", "y"])
    header = ["Context", "Question", "answer_text", "answer_start", "part"]
    found = read(write(tmp_path / "a.csv", rows, header), config())
    assert [e.answer for e in found] == ["mill"] * 3 + [NO_ANSWER]
    assert found[0].place == TEXT.index("mill")
    assert dict(found[3].more) == {"part": "y"}
    other = write(tmp_path / "b.csv", [r[:3] for r in rows], ["passage", "query", "said"])
    found = read(other, config(label_column="said"))
    assert found[0].place == TEXT.index("mill")


def test_cells_may_hold_what_squad_has_as_json_or_as_python_prints_it(tmp_path: Path) -> None:
    answers = {"text": ["kettle", "the kettle"], "answer_start": [17, TEXT.rindex("the kettle")]}
    rows = [[TEXT, "what?", json.dumps(answers)], [TEXT, "and?", repr(answers)]]
    rows.append([TEXT, "none?", json.dumps({"text": [], "answer_start": []})])
    header = ["context", "question", "answers"]
    found = read(write(tmp_path / "a.csv", rows, header), config())
    assert [e.answers for e in found] == [("kettle", "the kettle")] * 2 + [(NO_ANSWER,)]
    assert found[0].place == TEXT.rindex("the kettle") or found[0].place == 17
    lines = [
        {"context": TEXT, "question": "what?", "answers": answers},
        {"context": TEXT, "question": "who?", "answers": [{"text": "Ada", "answer_start": 0}]},
        {"context": TEXT, "question": "why?", "answers": []},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert [e.answer for e in read(path, config())] == ["kettle", "Ada", NO_ANSWER]


def test_what_is_mended_or_left_out_is_told_with_its_rows(tmp_path: Path) -> None:
    rows = [question(i, "Ada") for i in range(30)]
    rows[3] = question(3, "mill", 4)  # a wrong place, and one in the text
    rows[4] = question(4, "kettle", 1)  # a wrong place, and two
    rows[5] = question(5, "teapot", 7)
    rows[6] = question(6, "Ada") | {"question": "  "}
    rows.append(question(0, "Basil") | {"id": "q30"})
    notes: list[str] = []
    found = {e.id: e for e in read(squad(tmp_path / "dev.json", rows), config(), notes)}
    assert len(found) == 28
    assert found["dev:q3"].place == TEXT.index("mill")
    assert found["dev:q4"].place is None
    assert found["dev:q0"].answers == ("Ada", "Basil")
    said = "\n".join(notes)
    for words in (
        "Question 6 of dev.json: the answer does not stand in the text: left out.",
        "Question 7 of dev.json: no question: left out.",
        "Question 4 of dev.json: the answer stands elsewhere than said",
        "Question 5 of dev.json: the answer stands at several places",
        "same question to the same text",
    ):
        assert words in said


def test_an_answer_wins_over_none_where_rows_are_joined(tmp_path: Path) -> None:
    rows = [[TEXT, "who?", "", ""], [TEXT, "who?", "Ada", 0], [TEXT, "what?", "mill", ""]]
    header = ["context", "question", "answer", "answer_start"]
    first, _ = read(write(tmp_path / "a.csv", rows, header), config())
    assert first.answers == ("Ada",)
    assert first.place == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ('{"data": [{"paragraphs": 3}]}', "list of objects under “paragraphs”"),
        ('{"data": [{"paragraphs": [{"context": "x", "qas": {"a": 1}}]}]}', "under “qas”"),
        ('{"data": [{"paragraphs": [7]}]}', "under “paragraphs”"),
        ('{"data": [{"paragraphs": []}]}', "holds none"),
        ('{"data": [{"paragraphs": [', "expected JSON"),
        ("context,answer\nx,y\nx,z\n", "no question column"),
        ("context,question,answer\nx y,who,z\nx y,what,z\n", "does not stand in the text"),
        ("context,question,answer\nx y,who\n", "row 2"),
        ("context,question,answer\n", "no rows below it"),
        ("\x00\x01\x02", "NUL"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read(path, config())


def test_odd_values_in_squads_form_are_left_out_and_not_stumbled_over(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [question(i, "Ada") for i in range(60)]
    rows[0] = question(0, "Ada") | {"question": None}
    rows[1] = question(1, "Ada") | {"answers": [{"text": 7, "answer_start": "x"}]}
    rows[2] = question(2, "Ada", -5)
    rows[3] = question(3, "Ada", 10**8)
    rows[4] = question(4, "Ada") | {"answers": [{}]}
    found = {e.id for e in read(squad(tmp_path / "dev.json", rows), config())}
    assert {"dev:q2", "dev:q3"} <= found
    assert "dev:q1" not in found
    with pytest.raises(DataError, match="no text"):
        read(squad(tmp_path / "none.json", rows, None), config())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read(tmp_path / "nothing.json", config())


def test_deeply_nested_cells_are_text_and_no_crash(tmp_path: Path) -> None:
    rows = [[TEXT, f"who {i}?", "Ada"] for i in range(20)] + [[TEXT, "x?", "[" * 100_000]]
    found = read(write(tmp_path / "a.csv", rows, ["context", "question", "answer"]), config())
    assert len(found) == 20


@pytest.mark.skipif(not SUBJQA.is_dir(), reason="the public data are not on this machine")
@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_subjqa_is_read_whole_with_every_answer_in_its_place(part: str) -> None:
    notes: list[str] = []
    path = SUBJQA / f"{part}.csv.gz"
    found = read(path, config(), notes)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    answered = {
        (r["review_id"], r["question"]) for r in rows if r["human_ans_spans"] != "ANSWERNOTFOUND"
    }
    assert len({(e.text, e.beside) for e in found}) == len(found)
    assert not any("ANSWERNOTFOUND" in e.text for e in found)
    known = [e for e in found if e.answer != NO_ANSWER]
    assert len(known) >= 0.9 * len(answered)
    for example in known:
        if example.place is not None:
            assert example.text[example.place :].startswith(str(example.answer))
    assert any("left out" in note for note in notes)
