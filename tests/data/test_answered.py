"""Data sets of questions, translations and dialogues: what is divided, left out and told."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from advlab.data import answered, load_data
from advlab.data.answered import divided, limited, only
from advlab.errors import DataError
from advlab.records import Example
from advlab.runs.config import DataConfig


def examples(texts: int = 40, each: int = 3) -> list[Example]:
    return [
        Example(f"{t}-{q}", f"text {t}", (f"answer {t} {q}",), f"question {q}")
        for t in range(texts)
        for q in range(each)
    ]


def splits(data):
    return (data.train, data.validation, data.test)


def test_every_example_is_in_one_split_and_a_text_with_all_its_questions_in_the_same() -> None:
    data = divided(examples(), DataConfig("x"), "file.json")
    assert sum(map(len, splits(data))) == 120
    texts = [{e.text for e in part} for part in splits(data)]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 40
    assert len(data.test) == pytest.approx(0.18 * 120, abs=3)
    assert len(data.validation) == pytest.approx(0.12 * 120, abs=3)


def test_a_dialogue_is_not_divided() -> None:
    talks = [
        Example(f"{d}-{n}", "\n".join(f"line {d} {i}" for i in range(n + 1)), ("yes",), more=more)
        for d in range(30)
        for more in [(("dialogue", str(d)),)]
        for n in range(3)
    ]
    data = divided(talks, DataConfig("x"), "talks.jsonl")
    homes = [{dict(e.more)["dialogue"] for e in part} for part in splits(data)]
    assert sum(map(len, homes)) == 30


def test_the_split_depends_on_its_seed_alone() -> None:
    shuffled = examples()
    one = divided(shuffled, DataConfig("x", seed=3), "f")
    assert one == divided(examples(), DataConfig("x", seed=3), "f")
    assert one.test != divided(examples(), DataConfig("x", seed=4), "f").test


def test_repeated_and_contradicting_inputs_are_told() -> None:
    twice = [*examples(), examples()[0], Example("odd", "TEXT 1", ("else",), "question  1")]
    data = divided(twice, DataConfig("x"), "f.json")
    assert sum(map(len, splits(data))) == 120
    assert any("2 examples of f.json repeat" in note for note in data.notes)
    assert any("1 inputs of f.json have several answers" in note for note in data.notes)


def test_what_is_tested_on_is_not_trained_on() -> None:
    data = divided(examples(), DataConfig("x"), "f")
    known = data.train[:5]
    whole = answered.tested_on(data, list(known), "second.json")
    assert whole.test == known
    assert not set(known) & set(whole.train)
    assert whole.tested == "all 5 examples of second.json"
    assert any("5 training examples" in note for note in whole.notes)


def test_a_limit_draws_from_training_alone() -> None:
    data = divided(examples(), DataConfig("x"), "f")
    some = limited(data, 10, seed=0)
    assert len(some.train) == 10
    assert set(some.train) <= set(data.train)
    assert (some.validation, some.test) == (data.validation, data.test)


def test_too_little_is_refused_in_a_sentence() -> None:
    with pytest.raises(DataError, match="at least 10 different texts in f, got 3"):
        divided(examples(3), DataConfig("x"), "f")
    with pytest.raises(DataError, match="expected examples to test on in g"):
        only([], "g")


def test_a_file_of_each_task_is_loaded_as_what_its_rows_are(tmp_path: Path) -> None:
    dice = random.Random(0)
    names = ["anna", "ben", "carl", "dora", "emil", "fay"]
    stories = [
        {"context": f"{a} gave ball {i} to {b}.", "question": f"who has ball {i}?", "answer": b}
        for i in range(30)
        for a, b in [dice.sample(names, 2)]
    ]
    files = {
        "qa": ("q.jsonl", "\n".join(json.dumps(row) for row in stories)),
        "translation": ("t.tsv", "\n".join(f"word {i}\tWort {i}" for i in range(30))),
        "dialogue": (
            "d.jsonl",
            "\n".join(json.dumps({"turns": [f"call {i}", f"echo {i}"]}) for i in range(30)),
        ),
    }
    for task, (name, text) in files.items():
        (tmp_path / name).write_text(text + "\n", encoding="utf-8")
        data = load_data(DataConfig(str(tmp_path / name), task=task))
        assert sum(map(len, splits(data))) >= 29, task
        assert data.head == ()
        assert all(e.answers for e in data.train)


def test_a_public_set_of_another_task_is_refused_with_the_way_out() -> None:
    with pytest.raises(DataError, match="save it as a file"):
        load_data(DataConfig("hub:squad", task="qa"))
