"""What does not fit in a lesson's file is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from advlab.errors import DataError
from advlab.lessons.blocks import Check, Do, Predict
from advlab.lessons.reading import read_lesson

HEAD = '```lesson\ntitle = "T"\nminutes = 5\nshows = "S"\nfacts = "noise"\n```\n'
PREDICT = '```predict\nkind = "number"\nask = "How many?"\nfact = "flip_at"\n```\n'


def read(path: Path, text: str):
    file = path / "99-try.en.md"
    file.write_text(text, encoding="utf-8")
    return read_lesson(file)


def test_a_lesson_is_its_head_its_steps_and_its_notes(tmp_path: Path):
    code = "```python\n## no step\nx = 1\n```\n"
    one = read(
        tmp_path,
        f"{HEAD}About.\n\n## First\nText.\n\n{PREDICT}More.\n## Second\n{code}"
        "```notes\nFive minutes.\n```\n",
    )
    assert (one.name, one.number, one.title, one.about) == ("99-try", 99, "T", "About.")
    assert [s.title for s in one.steps] == ["First", "Second"]
    assert [type(p).__name__ for p in one.steps[0].parts] == ["str", "Predict", "str"]
    assert "## no step" in str(one.steps[1].parts[0])
    assert one.notes == "Five minutes."
    assert isinstance(one.steps[0].asks, Predict)
    assert one.steps[1].asks is None


WRONG = [
    ("## First\n", 1, "expected a block `lesson`"),
    (HEAD, 1, "expected a step"),
    (HEAD.replace("minutes = 5", 'minutes = "5"') + "## A\n", 3, "a whole number"),
    (HEAD.replace("minutes", "length") + "## A\n", 3, "length came"),
    (HEAD.replace("minutes = 5\n", "") + "## A\n", 1, "expected minutes"),
    (HEAD.replace("minutes = 5", "minutes = = 5") + "## A\n", 3, "Invalid value"),
    (f"{HEAD}{PREDICT}", 7, "before this block"),
    (f"{HEAD}## A\n{PREDICT}{PREDICT}", 13, "one thing to do"),
    (f'{HEAD}## A\n```predict\nkind = "guess"\n```\n', 9, "choice | number | word | curve"),
    (f"{HEAD}## A\n{PREDICT.replace('number', 'choice')}", 8, "options for a choice"),
    (f'{HEAD}## A\n```do\nact = "dance"\nask = "Now"\n```\n', 8, "dance came"),
    (f'{HEAD}## A\n```see\npage = "moon"\n```\n', 8, "moon came"),
    (f'{HEAD}## A\n```reveal\nof = 1\ncases = {{a = "b"}}\n```\n', 8, "an earlier step"),
    (
        f'{HEAD}## A\n```check\nask = "?"\nanswer = "c"\nbecause = "so"\noptions = {{a = "b"}}\n```\n',
        8,
        "c came",
    ),
    (f"{HEAD}## A\n```do\n", 8, "to end this block"),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, line: int, said: str):
    with pytest.raises(DataError, match=rf"^99-try\.en\.md:{line}: ") as error:
        read(tmp_path, text)
    assert said in str(error.value)


def test_every_kind_of_block_is_read(tmp_path: Path):
    one = read(
        tmp_path,
        f'{HEAD}## A\n{PREDICT}## B\n```do\nact = "shield"\nask = "Now"\n'
        'words = ["never"]\n```\n## C\n```check\nask = "?"\nanswer = "a"\nbecause = "so"\n'
        '[options]\na = "b"\n```\n',
    )
    do, check = one.steps[1].asks, one.steps[2].asks
    assert isinstance(do, Do)
    assert do.words == ("never",)
    assert isinstance(check, Check)
    assert check.options == {"a": "b"}


def test_chinese_flows_over_the_ends_of_lines(tmp_path: Path):
    one = read(tmp_path, f"{HEAD}一行，\n又一行。\n\n> 引文\n\n## 甲\n这里是 PGD\n的一步。\na\nb\n")
    assert one.about == "一行，又一行。\n\n> 引文"
    assert one.steps[0].parts == ("这里是 PGD\n的一步。\na\nb",)
