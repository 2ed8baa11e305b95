"""A person's own files: what is guessed, what is read back, what is refused."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from pathlib import Path

import places
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advlab.data import load_data
from advlab.data.decoding import name_rows
from advlab.data.files import corrections, guess, save_upload
from advlab.data.raw import MAX_BYTES
from advlab.data.reading import read_rows
from advlab.data.splits import make_dataset
from advlab.errors import DataError
from advlab.runs.config import DataConfig

DATA = places.DATA
TEXTS = [
    "a quiet film, and a good one",
    'she said "never again", twice',
    "naïve café: 5€ – “fine”",
    'one line\nand "another"; then | more',
    "tab\there",
    "plain words",
    "לא רע בכלל, אבל ארוך",
    "a 5\" screen; not a 6' one",
    "dull. Long, dull, and long",
    "worth it",
    "well, well",
    "no; nothing works",
]
ROWS = [(text, ("good", "bad")[i % 2]) for i, text in enumerate(TEXTS)]


def written(rows, delimiter=",", encoding="utf-8", header=True, end="\n", mode=csv.QUOTE_MINIMAL):
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream, delimiter=delimiter, lineterminator=end, quoting=mode, quotechar='"'
    )
    writer.writerows([("text", "label"), *rows] if header else rows)
    return stream.getvalue().encode(encoding)


def pairs(source, name="f.csv", **known):
    return [(row.text, row.label) for row in read_rows(source, guess(source, name, **known)).rows]


# ---- round trips -----------------------------------------------------------------------------

letters = st.characters(exclude_categories=("Cs",), exclude_characters="\x00\ufeff")
common = st.sampled_from(list('"",;|\t\r\n \'a é\u2028\x85\x1c\u202eא'))
texts = st.text(st.one_of(common, letters), max_size=30)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(texts, st.sampled_from(["a", 'b"', "c d"])), min_size=1, max_size=8),
    delimiter=st.sampled_from("\t,;|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"]),
    end=st.sampled_from(["\n", "\r\n"]),
    mode=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_quoted_rows_come_back_with_their_row_numbers(rows, delimiter, encoding, end, mode):
    data = written(rows, delimiter, encoding, end=end, mode=mode)
    known = {"delimiter": delimiter, "quoting": True, "header": True, "encoding": encoding}
    table = read_rows(data, guess(data, "f", text_column="text", label_column="label", **known))
    assert [(row.text, row.label) for row in table.rows] == rows
    line = 2
    for row, (text, _) in zip(table.rows, rows, strict=True):
        assert row.number == line
        line += 1 + text.count("\n")


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), texts), min_size=1, max_size=8),
    delimiter=st.sampled_from("\t,;|"),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_unquoted_rows_come_back_whatever_their_quotes(rows, delimiter, end):
    kept = [(y, x.replace("\n", " ").replace(delimiter, " ").rstrip("\r")) for y, x in rows]
    data = "".join(f"{y}{delimiter}{x}{end}" for y, x in kept).encode()
    got = pairs(
        data, delimiter=delimiter, quoting=False, header=False, text_column=1, label_column=0
    )
    assert got == [(x, y) for y, x in kept]


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(texts, st.sampled_from([0, 1, "a", True, None])), min_size=1),
    ascii_only=st.booleans(),
    array=st.booleans(),
)
def test_json_comes_back_with_its_types(rows, ascii_only, array):
    lines = [json.dumps({"text": x, "label": y}, ensure_ascii=ascii_only) for x, y in rows]
    data = ("[" + ",\n ".join(lines) + "]" if array else "\n".join(lines)).encode()
    got = guess(data, "f.json", text_column="text", label_column="label")
    assert got.format == ("json" if array else "jsonl")
    assert [(row.text, row.label) for row in read_rows(data, got).rows] == rows


@pytest.mark.parametrize("sign", "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r")
def test_other_line_breaks_end_no_row(sign):
    rows = [(f"one{sign}two {i}", "ab"[i % 2]) for i in range(20)]
    objects = [json.dumps({"text": x, "label": y}, ensure_ascii=False) for x, y in rows]
    for lines in (objects, [f"{y}\t{x}" for x, y in rows], [f"{y} {x}" for x, y in rows]):
        assert pairs("\n".join(lines).encode(), "f.txt") == rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1255"])
@pytest.mark.parametrize("mode", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("header", [True, False])
def test_everything_is_guessed(delimiter, encoding, mode, header):
    rows = (
        ROWS
        if encoding != "cp1255"
        else [(x.encode("cp1255", "replace").decode("cp1255"), y) for x, y in ROWS]
    )
    data = written(rows, delimiter, encoding, header, mode=mode)
    # which 8-bit alphabet was meant cannot be known from the bytes
    found = guess(data, "upload", encoding=encoding if encoding == "cp1255" else None)
    assert (found.delimiter, found.quoting, found.header) == (delimiter, True, header)
    assert found.columns == (("text", "label") if header else ("0", "1"))
    assert (found.text_column, found.label_column) == found.columns
    assert [(row.text, row.label) for row in read_rows(data, found).rows] == rows
    assert found.rows == len(rows)
    assert found.rows_exact
    assert found.preview == tuple(rows[:10])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("déjà vu naïve", "latin-1"),
        ("“smart” – quotes €", "cp1252"),
        ("这部电影很好看", "gb18030"),
        ("plain", "utf-8"),
    ],
)
def test_encodings_without_a_mark_are_told_apart(text, encoding):
    rows = [(f"{text} {i}", "ab"[i % 2]) for i in range(12)]
    data = written(rows, encoding=encoding)
    assert guess(data).encoding == encoding
    assert pairs(data) == rows


def test_a_late_foreign_byte_changes_the_guessed_encoding_but_not_a_given_one():
    rows = [("word " * 40 + str(i), "ab"[i % 2]) for i in range(6000)]
    data = written([*rows, ("café", "a")], encoding="latin-1")
    found = guess(data, "big.csv")
    assert (found.encoding, found.rows_exact) == ("utf-8", False)
    table = read_rows(data, found)
    assert table.rows[-1].text == "café"
    assert "latin-1" in table.notes[0]
    with pytest.raises(DataError, match=r"row 6,002 of big.csv is not utf-8"):
        read_rows(data, guess(data, "big.csv", encoding="utf-8"))


def test_columns_go_by_name_case_or_number():
    data = b"Id,Body,Kind\n" + b"".join(b"%d,some words %d,%d\n" % (i, i, i % 2) for i in range(12))
    for asked in ("Body", "body", "1", 1):
        found = guess(data, "f.csv", text_column=asked, label_column="Kind")
        assert (found.text_column, found.label_column) == ("Body", "Kind")
    with pytest.raises(DataError, match="no column 'Text'; its columns are: Id, Body, Kind"):
        guess(data, "f.csv", text_column="Text")
    with pytest.raises(DataError, match="both column 'Kind'"):
        guess(data, "f.csv", text_column="Kind", label_column="Kind")


def test_a_chosen_label_leaves_the_rest_to_be_guessed():
    rows = "".join(f"a longer sentence number {i}\t{i % 2}\t{i % 3}\n" for i in range(30)).encode()
    found = guess(rows, "f.tsv", label_column=2)
    assert (found.text_column, found.label_column) == ("0", "2")


def test_labelled_lines_are_recognised_and_can_be_undone():
    lines = [f"{'AB'[i % 2]}:{'xyz'[i % 3]} What is number {i} ?" for i in range(40)]
    data = "\n".join(lines).encode()
    found = guess(data, "questions.txt")
    assert (found.format, found.delimiter) == ("lines", " ")
    assert any("Every line begins with one of 2 labels (A, B)" in note for note in found.notes)
    assert pairs(data, "questions.txt")[0] == ("What is number 0 ?", "A")
    assert pairs(data, "questions.txt", label_column="fine")[1][1] == "B:y"
    assert guess(data, "questions.txt", delimiter="tab").columns == ("0",)
    fasttext = "\n".join(f"__label__{'ab'[i % 2]} text {i}" for i in range(20)).encode()
    assert pairs(fasttext)[1] == ("text 1", "b")


def test_prose_is_not_taken_for_labelled_lines():
    prose = "\n".join(f"{word} is how line {i} begins" for i, word in enumerate("abcdefghijkl"))
    assert guess(prose.encode(), "story.txt").format != "lines"


def test_unpaired_quotes_stay_and_merge_no_rows():
    rows = [
        (f'"so he said {i}' if i % 5 == 0 else f"it's {i} \" here", "ab"[i % 2]) for i in range(50)
    ]
    data = "".join(f"{y}\t{x}\n" for x, y in rows).encode()
    found = guess(data, "f.tsv")
    assert not found.quoting
    assert any("Quotes do not pair (such as in row 1)" in note for note in found.notes)
    assert pairs(data, "f.tsv") == rows


def test_a_kaggle_like_table_with_empty_columns_is_read():
    body = "".join(f"{('ham', 'spam')[i % 2]},words £{i},,,\n" for i in range(20))
    found = guess(("v1,v2,,,\n" + body).encode("latin-1"), "spam.csv")
    assert (found.text_column, found.label_column, found.header) == ("v2", "v1", True)
    assert found.encoding == "latin-1"


def test_old_macintosh_line_ends_and_gzip_are_read():
    mac = b"\r".join(b"%s,text %d" % (b"ab"[i % 2 : i % 2 + 1], i) for i in range(12))
    assert pairs(mac)[3] == ("text 3", "b")
    assert pairs(gzip.compress(mac), "f.csv.gz") == pairs(mac)


def test_corrections_of_the_config_are_the_arguments_of_guess():
    config = DataConfig("x.tsv", text_column="0", delimiter=";", quoting=False, header=False)
    assert corrections(config) == {
        "text_column": "0",
        "delimiter": ";",
        "quoting": False,
        "header": False,
    }
    assert guess(b'a;"x\nb;y\n', **corrections(config) | {"text_column": 1}).quoting is False


def test_the_preview_of_a_large_file_reads_its_head_only(tmp_path):
    path = tmp_path / "large.tsv"
    path.write_bytes(b"0\tsome words here\n1\tother words there\n" * 1_500_000)
    found = guess(path)
    assert not found.rows_exact
    assert found.rows == pytest.approx(3_000_000, rel=0.01)
    with path.open("r+b") as stream:  # the preview saw nothing of the rest
        stream.seek(2**21)
        stream.write(b"\x00")
    assert guess(path) == found
    with pytest.raises(DataError, match="NUL byte in row"):
        read_rows(path, found)


# ---- refusals --------------------------------------------------------------------------------


def test_a_file_over_the_limit_is_refused_unread(tmp_path):
    path = tmp_path / "huge.csv"
    path.touch()
    os.truncate(path, 201 * 2**20)
    with pytest.raises(DataError, match=r"huge\.csv holds 201 MB; at most 200 MB"):
        guess(path)
    with pytest.raises(DataError, match="at most 200 MB"):
        guess(bytes(MAX_BYTES + 1), "upload.csv")


def test_a_gzip_bomb_is_refused(monkeypatch):
    monkeypatch.setattr("advlab.data.raw.MAX_BYTES", 2**21)
    data = gzip.compress(b"text,label\n" + (b"words " * 30 + b",b\n") * 2**15)
    assert len(data) < 50_000
    found = guess(data, "bomb.csv.gz")
    assert found.rows is None
    with pytest.raises(DataError, match="at most 2 MB"):
        read_rows(data, found)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"text,label\n", "no rows below it"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"PK\x03\x04.... word/document.xml", "a Word document"),
        (b"PAR1....", "cannot be read as a Parquet file"),
        (b"\x80\x04\x95", "pickle, which advlab never opens"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"good,0\nb\x00d,1\n", "NUL byte in row 2"),
        (b"\x1f\x8b\x08broken", "damaged gzip"),
        (b'{"text": "a", "label": 1}\nnot json\n', "row 2 of f is not JSON"),
        (b'{"text": "a", "label": 1}\n[1, 2]\n', "row 2 of f holds an array"),
        (b'[{"text": "a"} {"text": "b"}]', "expected a comma"),
    ],
)
def test_what_is_no_table_is_named(data, said):
    with pytest.raises(DataError, match=said):
        guess(data, "f")


scraps = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"\t", b",", b'"', b'""', b"{", b'{"text": "a", "label": 1}', b"[", b"]"),
        *(b":", b"a b", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b"\x00", b"text,label", b"[{"),
        *(b"pos words here", b"\xd8\x00", b"1e999", b"9" * 400, b"\x1f\x8b", b'"\\ud800"'),
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    data=st.one_of(st.lists(scraps, max_size=60).map(b"".join), st.binary(max_size=200)),
    name=st.sampled_from(["f", "f.csv", "f.tsv", "f.jsonl", "f.json", "f.txt.gz"]),
    known=st.fixed_dictionaries(
        {},
        optional={
            "encoding": st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-7", "ascii", "idna"]),
            "delimiter": st.sampled_from(["tab", " ", ";", "::"]),
            "quoting": st.booleans(),
            "header": st.booleans(),
            "text_column": st.sampled_from(["0", "text"]),
            "label_column": st.sampled_from(["1", "label"]),
        },
    ),
)
def test_whatever_comes_nothing_but_data_error_is_raised(data, name, known):
    try:
        make_dataset(read_rows(data, guess(data, name, **known)), DataConfig())
    except DataError as error:
        assert len(str(error)) > 20  # noqa: PT017  most inputs are refused, some are not


def test_paths_that_are_no_file_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no file at"):
        guess(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="is a folder"):
        guess(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="not a regular file"):
        guess(tmp_path / "pipe")


def test_wrong_corrections_are_named():
    data = written(ROWS)
    with pytest.raises(DataError, match="unknown encoding 'klingon'"):
        guess(data, encoding="klingon")
    with pytest.raises(DataError, match="unknown encoding 'hex'"):
        guess(data, encoding="hex")
    with pytest.raises(DataError, match="is not one character"):
        guess(data, delimiter="::")
    with pytest.raises(DataError, match=r"row 4 of f\.csv is not ascii"):
        guess(data, "f.csv", encoding="ascii")
    assert guess(data, delimiter="comma").delimiter == ","


def test_ragged_rows_are_named():
    data = b"text,label\n" + b"some words,0\n" * 20 + b"a, b, 1\nshort\n" + b"x,1\n" * 5
    found = guess(data, "f.csv")
    assert any("Rows 22 and 23" in note for note in found.notes)
    with pytest.raises(DataError, match=r"rows 22 and 23 do not have 2 columns \(row 22 has 3\)"):
        read_rows(data, found)


def test_one_column_is_no_data_set():
    data = b"\n".join(b"Sentence %d without more" % i for i in range(20))
    with pytest.raises(DataError, match="one column only"):
        read_rows(data, guess(data, "lines.txt"))


def test_rows_are_named_in_few_words():
    assert name_rows([3]) == "row 3"
    assert name_rows([3, 4, 9]) == "rows 3, 4 and 9"
    assert name_rows(list(range(1, 30))) == "rows 1, 2, 3, 4, 5 and 24 more"


def test_uploads_are_kept_inside_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVLAB_HOME", str(tmp_path))
    for name in ("my data.csv", "../../evil.csv", "..", "", "a\\b\\c.tsv", "x" * 300 + ".csv"):
        path = save_upload(b"a,0\n", name)
        assert path.is_relative_to(tmp_path)
        assert path.read_bytes() == b"a,0\n"
        assert save_upload(b"a,0\n", name) == path
    assert save_upload(b"a,0\n", "my data.csv").suffix == ".csv"


# ---- real files ------------------------------------------------------------------------------


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data folder is absent")
@pytest.mark.parametrize(
    ("file", "rows", "kind", "encoding", "columns", "labels"),
    [
        ("sst2/train.tsv", 6920, "tsv", "utf-8", ("0", "1"), {"0", "1"}),
        ("sst2/dev.tsv", 872, "tsv", "utf-8", ("0", "1"), {"0", "1"}),
        ("sms_spam/sms.tsv", 5574, "tsv", "utf-8", ("1", "0"), {"ham", "spam"}),
        (
            "trec/TREC.train.txt",
            5452,
            "lines",
            "latin-1",
            ("text", "label"),
            {"ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"},
        ),
    ],
)
def test_real_files_are_guessed(file, rows, kind, encoding, columns, labels):
    found = guess(DATA / file)
    assert (found.format, found.encoding, found.rows) == (kind, encoding, rows)
    assert not found.quoting
    assert (found.text_column, found.label_column) == columns
    table = read_rows(DATA / file, found)
    assert len(table.rows) == rows
    assert [row.number for row in table.rows] == list(range(1, rows + 1))
    assert {row.label for row in table.rows} == labels


def test_further_columns_stay_with_their_rows(tmp_path: Path) -> None:
    long = "x" * 99
    rows = "\n".join(
        f"{i},the film number {i} was fine,{'ab'[i % 2]},{('tv', 'cinema')[i % 3 == 0]},{long}"
        for i in range(40)
    )
    file = tmp_path / "reviews.csv"
    file.write_text(f"id,text,label,where,notes\n{rows}\n")
    data = load_data(DataConfig(str(file), "text", "label"))
    for example in (*data.train, *data.test):
        more = dict(example.more)
        assert set(more) == {"id", "where"}  # what is too long to name a part is left out
        assert f"number {more['id']} " in example.text
        assert more["where"] == ("cinema" if int(more["id"]) % 3 == 0 else "tv")
    lines = tmp_path / "reviews.jsonl"
    lines.write_text(
        "\n".join(
            json.dumps(
                {"text": f"text {i} is fine", "label": "ab"[i % 2], "stars": i, "tags": ["x"]}
            )
            for i in range(40)
        )
    )
    for example in load_data(DataConfig(str(lines))).test:
        assert example.more == (("stars", example.text.split()[1]),)
