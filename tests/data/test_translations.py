"""Sources with their translations, from tables and parallel files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from advlab.data import load_data
from advlab.data.translations import language_of, read
from advlab.errors import DataError
from advlab.runs.config import DataConfig

PAIRS = [(f"the dog number {i} sings", f"der Hund {i} singt, laut") for i in range(20)]


def config(**values) -> DataConfig:
    return DataConfig("file", **values)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def table(rows, separator: str = "\t") -> str:
    return "".join(separator.join(row) + "\n" for row in rows)


def pairs_of(examples) -> list[tuple[str, str]]:
    return [(e.text, e.answers[0]) for e in examples]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(
    ("header", "flipped"),
    [
        ((), False),
        (("source", "target"), False),
        (("target", "source"), True),
        (("en", "de"), False),
    ],
)
def test_a_table_gives_its_pairs(tmp_path: Path, header, flipped: bool, packed: str) -> None:
    rows = [(b, a) if flipped else (a, b) for a, b in PAIRS]
    path = written(tmp_path, f"pairs.tsv{packed}", table([header, *rows] if header else rows))
    notes: list[str] = []
    examples = read(path, config(header=bool(header)), notes)
    assert pairs_of(examples) == PAIRS
    assert [e.id for e in examples][:2] == ["pairs-1", "pairs-2"]
    assert any("is translated in" in n for n in notes)


def test_columns_may_be_named_and_must_be_where_there_are_more(tmp_path: Path) -> None:
    rows = [("one", "two", "three"), *((a, "x", b) for a, b in PAIRS)]
    path = written(tmp_path, "pairs.tsv", table(rows))
    chosen = config(text_column="one", label_column="three", header=True)
    assert pairs_of(read(path, chosen)) == PAIRS
    with pytest.raises(
        DataError, match=r"no column with the .* choose text and label column among"
    ):
        read(path, config(header=True))


def test_objects_a_line_give_their_pairs(tmp_path: Path) -> None:
    import json

    text = "".join(
        json.dumps({"src": a, "translation": b, "id": i}) + "\n" for i, (a, b) in enumerate(PAIRS)
    )
    examples = read(written(tmp_path, "pairs.jsonl", text), config())
    assert pairs_of(examples) == PAIRS
    assert examples[3].more == (("id", "3"),)


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_parallel_files_belong_together_line_by_line(tmp_path: Path, packed: str) -> None:
    path = written(tmp_path, f"train.en{packed}", table([(a,) for a, _ in PAIRS]))
    written(tmp_path, f"train.de{packed}", table([(b,) for _, b in PAIRS]))
    written(tmp_path, "val.fr", "rien\n")
    written(tmp_path, "train.tsv", "a\tb\n")
    notes: list[str] = []
    assert pairs_of(read(path, config(), notes)) == PAIRS
    assert notes == [f"Line by line, {path.name} is translated in train.de{packed}."]


def test_of_several_languages_one_is_chosen(tmp_path: Path) -> None:
    path = written(tmp_path, "train.en", "a dog\na cat\n")
    with pytest.raises(DataError, match="got none; name its language"):
        read(path, config())
    written(tmp_path, "train.de", "ein Hund\neine Katze\n")
    written(tmp_path, "train.zh", "一只狗\n一只猫\n")
    with pytest.raises(DataError, match=r"got train\.de, train\.zh"):
        read(path, config())
    assert pairs_of(read(path, config(label_column="zh")))[0] == ("a dog", "一只狗")
    with pytest.raises(DataError, match="name its language"):
        read(path, config(label_column="fr"))


def test_parallel_files_of_different_length_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "train.en", "a dog\na cat\n")
    written(tmp_path, "train.de", "ein Hund\n")
    with pytest.raises(DataError, match="got 1 and 2; give files whose lines belong together"):
        read(path, config())


def test_odd_separators_do_not_shift_the_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "train.en", "a\u2028dog\na\x0ccat\n")
    written(tmp_path, "train.de", "ein Hund\neine Katze")
    assert pairs_of(read(path, config())) == [("a dog", "ein Hund"), ("a cat", "eine Katze")]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    rows = [*PAIRS, PAIRS[0], ("the dog", ""), (PAIRS[1][0], "der Hund eins singt")]
    notes: list[str] = []
    examples = read(written(tmp_path, "p.tsv", table(rows)), config(header=False), notes)
    assert len(examples) == 20
    assert examples[1].answers == (PAIRS[1][1], "der Hund eins singt")
    told = " ".join(notes)
    assert "Row 21 of p.tsv left out: a pair that came before." in told
    assert "Row 22 of p.tsv left out: an empty side." in told
    assert "1 sources of p.tsv have several translations" in told


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("p.tsv", b"", "empty"),
        ("p.tsv", b"\x89PNG\r\n\x1a\n\x00\x00", "PNG picture"),
        ("p.tsv.gz", gzip.compress(bytes(range(32, 127)) * 9, mtime=0)[:60], "damaged gzip"),
        ("p.tsv", b"only one column\nand nothing else\n", "column"),
        ("p.tsv", b"a\t\n" * 30 + b"a\tb\n", "cannot be used"),
        ("train.en", b"a\n", "expected one file beside"),
    ],
)
def test_hostile_files_are_refused_in_words(
    tmp_path: Path, name: str, data: bytes, match: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=match):
        read(path, config())


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file at"):
        read(tmp_path / "no.tsv", config())


def test_a_name_tells_a_language_from_a_table() -> None:
    names = ("train.en", "train.de.gz", "a.zh-CN", "train.tsv", "x.csv.gz", "x.txt", "README")
    assert [language_of(Path(n)) for n in names] == ["en", "de", "zh-CN", "", "", "", ""]


def test_a_data_set_tells_what_its_reader_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "p.tsv", table([*PAIRS, ("the dog", "")]))
    data = load_data(DataConfig(str(path), task="translation", header=False))
    assert any("Row 21 of p.tsv left out: an empty side." in note for note in data.notes)
    assert len(data.train) + len(data.validation) + len(data.test) == 20
