"""Whole files: read a block at a time, counted, stopped; joined files, pairs, lists inside of JSON."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time

import places
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advlab.data import load_data
from advlab.data.files import guess
from advlab.data.reading import read_rows
from advlab.data.scanning import cells, lines
from advlab.errors import DataError
from advlab.runs.config import DataConfig


def read(data, name="f.csv", **given):
    return read_rows(data, guess(data, name, **given))


def said(found):
    return " ".join(found.notes)


# ---- a block at a time -----------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.text('ab",\n\r', max_size=60), st.integers(1, 7), st.booleans())
def test_a_text_in_blocks_gives_the_records_of_the_whole(text, size, quoting):
    blocks = [text[k : k + size] for k in range(0, len(text), size)]
    assert list(cells(iter(blocks), ",", quoting)) == list(cells(text, ",", quoting))
    assert list(lines(iter(blocks))) == list(lines(text))


def test_what_is_read_is_told_as_it_is_read_and_can_be_stopped():
    data = b"text,label\n" + b"".join(b"some text %d,%d\n" % (i, i % 2) for i in range(200_000))
    shares = []
    read_rows(data, guess(data, "f.csv"), shares.append)
    assert len(shares) >= 3
    assert shares == sorted(shares)
    assert shares[-1] == 1.0

    def stop(share):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        read_rows(data, guess(data, "f.csv"), stop)


def test_an_array_larger_than_a_block_is_read_whole():
    items = [{"text": f"text {i} " + "x" * 200, "label": i % 2} for i in range(9000)]
    found = read(json.dumps(items).encode(), "f.json")
    assert [row.text for row in found.rows] == [item["text"] for item in items]


def test_foreign_bytes_after_the_first_megabyte_change_the_encoding():
    plain = b"text,label\n" + b"ordinary words here,0\nother words there,1\n" * 40_000
    found = read(plain + "café déjà vu naïve crème,0\n".encode("latin-1"))
    assert found.rows[-1].text == "café déjà vu naïve crème"
    assert "Encoding latin-1: row 80,002 is not UTF-8" in said(found)


# ---- limits ----------------------------------------------------------------------------------


def measured(path):
    """(what was said, seconds of the processor, peak MB above the start) of loading it alone."""
    code = (
        "import resource, sys, time\n"
        "from advlab.data import load_data\n"
        "from advlab.data.files import guess\n"
        "from advlab.runs.config import DataConfig\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before = peak()\n"
        "try: load_data(DataConfig(sys.argv[1]))\n"
        "except Exception as error: print(error)\n"
        "print(time.process_time(), peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        cwd=places.ROOT,
        check=True,
    )
    *words, numbers = done.stdout.splitlines()
    return " ".join(words), *map(float, numbers.split())


@pytest.mark.parametrize("packed", [True, False])
def test_millions_of_short_rows_are_refused_soon_and_in_little_memory(tmp_path, packed):
    path = tmp_path / ("bomb.csv.gz" if packed else "short.csv")
    with gzip.open(path, "wb") if packed else path.open("wb") as stream:
        stream.write(b"text,label\n")
        for _ in range(180 if packed else 150):
            stream.write(b"a,b\nc,d\n" * 50_000)
    words, seconds, peak = measured(path)
    assert "holds more than 500,000 rows; at most 500,000 are read" in words
    assert seconds < 15  # 3.5 s where nothing else runs
    assert peak < 250  # MB; 90 were measured


def test_a_wide_table_is_refused():
    data = ",".join(f"c{k}" for k in range(2000)) + "\n" + ",".join(["x"] * 2000) + "\n"
    with pytest.raises(DataError, match=r"2,000 columns; at most 1,000 are read"):
        guess(data.encode(), "wide.csv")
    objects = json.dumps([{f"c{k}": 1 for k in range(2000)}]).encode()
    with pytest.raises(DataError, match=r"2,000 columns"):
        guess(objects, "wide.json")


def test_a_record_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr("advlab.data.scanning.LONGEST_RECORD", 2**20)
    data = b"text,label\nfine,0\n" + b"x" * 2**22
    with pytest.raises(DataError, match="one record holds more than 1,048,576 characters"):
        read(data)


# ---- header text is no class -----------------------------------------------------------------


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_a_line_that_names_the_separator_is_no_row(sign):
    rows = "".join(f"text {i}{sign}{'ab'[i % 2]}\r\n" for i in range(20))
    data = f"sep={sign}\r\ntext{sign}label\r\n{rows}".encode()
    found = guess(data, "f.csv")
    assert (found.delimiter, found.columns, found.rows) == (sign, ("text", "label"), 20)
    table = read_rows(data, found)
    assert [row.label for row in table.rows] == ["a", "b"] * 10
    assert table.rows[0].number == 3


def test_headers_repeated_in_joined_files_are_left_out_and_said(tmp_path):
    part = "Text,Label\n" + "".join(f"{{}} text {i},{'ab'[i % 2]}\n" for i in range(20))
    parts = [part.replace("{}", word) for word in ("one", "two", "three")]
    path = tmp_path / "joined.csv"
    path.write_text(parts[0] + "\ufeff" + parts[1] + parts[2].replace("Text", " text"))
    found = load_data(DataConfig(str(path)))
    assert found.head == ("a", "b")
    assert "Rows 22 and 43 of joined.csv repeat the header: left out." in found.notes


# ---- pairs -----------------------------------------------------------------------------------

PAIRS = b"premise,hypothesis,label\n" + b"".join(
    b"a man sleeps %d,a person rests %d,%d\n" % (i, i, i % 2) for i in range(20)
)


def test_pairs_of_texts_are_refused_with_the_way_out():
    found = guess(PAIRS, "nli.csv")
    assert found.text_column is None
    assert "holds pairs of texts, in columns 'premise' and 'hypothesis'" in " ".join(found.notes)
    with pytest.raises(DataError, match=r"nli\.csv holds pairs .*--text-column 'premise'"):
        read_rows(PAIRS, found)


def test_one_text_of_a_pair_is_read_where_it_is_named_and_the_other_is_told():
    found = read(PAIRS, "nli.csv", text_column="hypothesis")
    assert found.rows[0].text == "a person rests 0"
    assert "'hypothesis' is read, as it was chosen, and 'premise' is not" in said(found)
    swapped = PAIRS.replace(b"premise,hypothesis", b"Sentence 1,Sentence 2")
    with pytest.raises(DataError, match="'Sentence 1' and 'Sentence 2'"):
        read(swapped)


# ---- JSON ------------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("key", ["data", "items"])
def test_a_list_of_objects_inside_of_an_object_is_read(key, indent):
    items = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(30)]
    whole = {"version": "1", "about": {"x": [1, {}]}, key: items, "n": 30}
    found = read(json.dumps(whole, indent=indent).encode(), "f.json")
    assert [row.text for row in found.rows] == [item["text"] for item in items]
    assert f"The records stand under the key “{key}”" in said(found)


def test_two_lists_of_objects_are_refused():
    items = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(30)]
    data = json.dumps({"train": items, "test": items}).encode()
    with pytest.raises(DataError, match="more than one list of objects, under 'train' and 'test'"):
        read(data, "f.json")


def test_an_object_on_each_line_that_holds_a_list_stays_json_lines():
    line = json.dumps({"text": "words", "label": 1, "spans": [{"a": 1}]})
    assert guess(f"{line}\n{line}\n".encode(), "f.jsonl").format == "jsonl"
    assert guess(f"{line}\n{line}\n".encode(), "f.json").format == "jsonl"


def test_reading_takes_no_longer_than_a_moment():
    data = b"text,label\n" + b'"words, and more",0\nother words there,1\n' * 50_000
    start = time.process_time()
    assert len(read(data).rows) == 100_000
    assert time.process_time() - start < 6  # 0.9 s where nothing else runs
