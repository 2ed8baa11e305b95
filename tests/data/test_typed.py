"""Parquet and Excel files load as text tables do."""

from __future__ import annotations

import datetime
import importlib.util
import io
import sys
import zipfile

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from advlab.data import load_data
from advlab.data.files import guess
from advlab.data.reading import read_rows
from advlab.errors import DataError
from advlab.runs.config import DataConfig

TEXTS = [f"text number {i}" for i in range(40)]


def parquet(path, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return str(path)


def test_a_parquet_file_loads_with_its_types(tmp_path):
    path = parquet(
        tmp_path / "f.parquet",
        id=list(range(40)),
        text=[None, *TEXTS[1:]],
        label=[float("nan") if i == 3 else float(i % 2) for i in range(40)],
        day=[datetime.date(2020, 1, 1 + i % 5) for i in range(40)],
        site=pyarrow.array(["x", "y"] * 20).dictionary_encode(),
    )
    found = guess(tmp_path / "f.parquet")
    assert (found.format, found.rows, found.rows_exact) == ("parquet", 40, True)
    assert (found.text_column, found.label_column) == ("text", "label")
    assert found.preview[1] == ("1", "text number 1", "1.0", "2020-01-02", "y")
    data = load_data(DataConfig(path))
    assert data.head == ("0", "1")
    assert sum(map(len, (data.train, data.validation, data.test))) == 38
    assert dict(data.train[0].more).keys() == {"id", "day", "site"}
    assert "Row 1 of f.parquet has an empty text: left out." in data.notes
    assert "Row 4 of f.parquet has no label: left out." in data.notes
    assert any(note.startswith("f.parquet read as Parquet, text in column") for note in data.notes)


@pytest.mark.parametrize("upload", [False, True])
def test_class_names_and_dictionaries_of_a_parquet_file_are_kept(tmp_path, upload):
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["sad", "NA"])}
    )
    rows = {"text": TEXTS, "label": [-1, *(i % 2 for i in range(39))]}
    path = tmp_path / "f.parquet"
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(path))
    source = path.read_bytes() if upload else path
    found = read_rows(source, guess(source, "f.parquet"))
    assert found.label_names == ("sad", "NA")
    assert [row.label for row in found.rows][:3] == [None, "sad", "NA"]
    assert load_data(DataConfig(str(path))).head == ("sad", "NA")


def test_a_parquet_file_of_too_many_rows_or_with_huge_cells_is_refused(tmp_path, monkeypatch):
    path = parquet(tmp_path / "many.parquet", text=["a"] * 600_000, label=[0, 1] * 300_000)
    with pytest.raises(DataError, match=r"600,000 rows; at most 500,000 are read"):
        load_data(DataConfig(path))
    # one long text, stored once and repeated: small on disk
    path = parquet(tmp_path / "huge.parquet", text=["x" * 10**5] * 5000, label=[0, 1] * 2500)
    with pytest.raises(DataError, match="at most 200 MB are read"):
        load_data(DataConfig(path))


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = tmp_path / "f.parquet"
    parquet(path, text=TEXTS, label=[0, 1] * 20)
    data = bytearray(path.read_bytes())
    for broken in (data[:-9], data[:4] + b"x" * 40):
        with pytest.raises(DataError, match=r"cannot be read as a Parquet file"):
            guess(bytes(broken), "f.parquet")


# ---- Excel -----------------------------------------------------------------------------------


def book(rows, *, before=(), title="Reviews"):
    openpyxl = pytest.importorskip("openpyxl")
    made = openpyxl.Workbook()
    sheet = made.active
    for name in before:
        sheet.title = name
        sheet = made.create_sheet()
    sheet.title = title
    for row in rows:
        sheet.append(row)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


ROWS = [
    ("Review", "Stars", "Day", "Read"),
    *((f"text number {i}", float(i % 2), datetime.date(2020, 1, 2), True) for i in range(40)),
]


def test_an_excel_file_loads_as_a_table_does(tmp_path):
    path = tmp_path / "f.xlsx"
    rows = [*ROWS, ("Review", "Stars", "Day", "Read"), (7, 1), ("no label", None, None), ()]
    path.write_bytes(book(rows, before=("Empty",)))
    found = guess(path)
    assert (found.format, found.rows, found.header) == ("xlsx", 43, True)
    assert (found.text_column, found.label_column) == ("Review", "Stars")
    assert found.preview[0] == ("text number 0", "0", "2020-01-02", "true")
    data = load_data(DataConfig(str(path)))
    assert data.head == ("0", "1")
    assert "7" in {e.text for e in (*data.train, *data.validation, *data.test)}
    notes = " ".join(data.notes)
    assert "Row 44 of f.xlsx has no label: left out" in notes
    assert "Row 42 of f.xlsx repeats the header: left out." in notes
    assert "Sheet “Reviews” is read; “Empty” not." in notes


def test_a_workbook_without_a_header_or_with_too_much_in_it_is_told(monkeypatch):
    found = guess(book([(f"text number {i}", "ab"[i % 2]) for i in range(40)]), "f.xlsx")
    assert (found.header, found.columns) == (False, ("0", "1"))
    with pytest.raises(DataError, match="is empty"):
        guess(book([]), "f.xlsx")
    monkeypatch.setattr("advlab.data.raw.MAX_BYTES", 2000)
    with pytest.raises(DataError, match="at most"):
        guess(book(ROWS), "f.xlsx")


def test_a_workbook_is_named_where_it_is_damaged_or_cannot_be_read_here(monkeypatch):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("xl/workbook.xml", "<broken")
    if importlib.util.find_spec("openpyxl"):
        with pytest.raises(DataError, match="cannot be read as an Excel workbook"):
            guess(data.getvalue(), "f.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"openpyxl, .* is not installed.*save the sheet as CSV"):
        guess(data.getvalue(), "f.xlsx")
