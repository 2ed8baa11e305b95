"""Rows become a data set: what is mended and noted, what is refused, how it is divided."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections import Counter

import places
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advlab.data import load_data
from advlab.data.rows import Row, Table
from advlab.data.splits import limit_train, make_dataset, only_tested, replace_test, worth
from advlab.errors import DataError
from advlab.runs.config import DataConfig

DATA = places.DATA
CONFIG = DataConfig("rows.csv")


def table(pairs, name="rows.csv", start=1, **more):
    rows = tuple(Row(start + i, text, label) for i, (text, label) in enumerate(pairs))
    return Table(name, rows, "text", "label", **more)


def plain(count=40, labels=("bad", "good"), word="text"):
    return [(f"{word} {i}", labels[i % len(labels)]) for i in range(count)]


def texts(examples):
    return {example.text for example in examples}


def parts(data):
    return data.train, data.validation, data.test


# ---- dividing --------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 3), min_size=12, max_size=120),
    seed=st.integers(0, 5),
    second=st.booleans(),
)
def test_splits_are_disjoint_complete_and_the_same_for_the_same_seed(labels, seed, second):
    counts = Counter(labels)
    rows = table([(f"text {i}", label) for i, label in enumerate(labels)])
    test = table([(f"text {i}", label) for i, label in enumerate(labels[:5])], "dev.csv")
    config = DataConfig(seed=seed)
    try:
        data = make_dataset(rows, config, test=test if second else None)
    except DataError:  # one class, or none with three rows
        left = Counter(labels[5:]) if second else counts
        assert len(left) < 2 or sum(left.values()) < 10 or max(left.values()) < 3 - second
        return
    assert data == make_dataset(rows, config, test=test if second else None)
    train, validation, tested = map(texts, parts(data))
    assert not train & validation
    assert not train & tested
    assert not validation & tested
    assert train | validation | tested == {f"text {i}" for i in range(len(labels))}
    assert len({example.id for part in parts(data) for example in part}) == len(labels)
    of = {f"text {i}": str(label) for i, label in enumerate(labels)}
    for part in parts(data):
        assert all(e.answers == (of[e.text],) for e in part)
    # a class that has a row to spare stands in each split
    for name in data.head:
        if not second and counts[int(name)] >= 3:
            assert all(any(e.answer == name for e in part) for part in parts(data))


def test_one_file_is_divided_70_12_18_within_each_class():
    data = make_dataset(table(plain(1000, ("a", "a", "a", "b"))), CONFIG)
    for part, share in zip(parts(data), (0.70, 0.12, 0.18), strict=True):
        counts = Counter(example.answer for example in part)
        assert counts["a"] == pytest.approx(750 * share, abs=1)
        assert counts["b"] == pytest.approx(250 * share, abs=1)
    other = make_dataset(table(plain(1000, ("a", "a", "a", "b"))), DataConfig(seed=1))
    assert texts(other.test) != texts(data.test)


def test_the_limit_thins_training_and_nothing_else():
    rows = table(plain(1000, ("a", "a", "a", "b")))
    whole = make_dataset(rows, CONFIG)
    limited = make_dataset(rows, DataConfig(limit=100))
    assert (limited.validation, limited.test) == (whole.validation, whole.test)
    assert len(limited.train) == 100
    assert set(limited.train) < set(whole.train)
    assert Counter(e.answer for e in limited.train) == {"a": 75, "b": 25}
    assert limit_train(whole, 100, 0) == limited
    assert limit_train(whole, 10**6, 0) == limit_train(whole, None, 0) == whole
    with pytest.raises(DataError, match="limit of 1 is below the 2 classes"):
        limit_train(whole, 1, 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(3, 90), min_size=2, max_size=6), st.integers(10, 100))
def test_a_limit_is_met_exactly_and_loses_no_class(sizes, limit):
    rows = [(f"{label} {i}", label) for label, size in enumerate(sizes) for i in range(4 * size)]
    data = make_dataset(table(rows), DataConfig(limit=limit))
    assert len(data.train) == min(limit, len(make_dataset(table(rows), CONFIG).train))
    assert {e.answer for e in data.train} == set(map(str, range(len(sizes))))


def test_a_second_file_is_tested_on_whole_and_its_texts_leave_training():
    dev = [*plain(6, word="dev"), ("text 3", "good"), ("dev 0", "bad")]
    data = make_dataset(table(plain()), CONFIG, test=table(dev, "dev.csv"))
    assert [e.text for e in data.test] == [text for text, _ in dev]
    assert [e.id for e in data.test] == [f"dev:{i}" for i in range(1, 9)]
    assert "text 3" not in texts(data.train) | texts(data.validation)
    assert len(data.validation) == 4
    notes = " ".join(data.notes)
    assert "1 training texts also occur in dev.csv and were removed from training: row 4" in notes
    assert "1 texts of dev.csv repeat others" in notes


def test_ids_differ_when_both_files_have_one_name():
    data = make_dataset(table(plain()), CONFIG, test=table(plain(8, word="dev")))
    assert data.test[0].id == "rows-test:1"


def test_a_given_validation_split_is_used():
    data = make_dataset(
        table(plain()),
        CONFIG,
        validation=table(plain(8, word="val"), "val.csv"),
        test=table(plain(8, word="dev"), "dev.csv"),
    )
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 8, 8)


# ---- labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("10", "9", "-1"), ("-1", "9", "10")),
        ((1.0, 0.0), ("0", "1")),
        (("1.0", 1, "0"), ("0", "1")),
        ((True, False), ("false", "true")),
        (("b", "a", "10"), ("10", "a", "b")),
        (("0.5", "-2.5"), ("-2.5", "0.5")),
        (("9" * 17, "9" * 16 + "8"), ("9" * 16 + "8", "9" * 17)),
        ((" ham ", "spam"), ("ham", "spam")),
    ],
)
def test_label_names_are_sorted_as_what_they_are(labels, names):
    assert make_dataset(table(plain(42, labels)), CONFIG).head == names


def test_labels_mean_the_same_in_both_files():
    dev = table([("d1", "1.0"), ("d2", 0)], "dev.csv")
    data = make_dataset(table(plain(40, (0, 1))), CONFIG, test=dev)
    assert [e.answer for e in data.test] == ["1", "0"]
    strange = table([("d1", "1"), ("d2", "2"), ("d3", "3")], "dev.csv")
    with pytest.raises(DataError, match=r"dev\.csv: rows 2 and 3 have the label '2', '3'"):
        make_dataset(table(plain(40, (0, 1))), CONFIG, test=strange)


def test_declared_names_keep_their_order():
    rows = table(plain(), label_names=("good", "bad", "unused"))
    assert make_dataset(rows, CONFIG).head == ("good", "bad", "unused")


# ---- mended and noted ------------------------------------------------------------------------


def test_a_few_bad_rows_are_left_out_and_named():
    rows = plain(60)
    rows[4], rows[7], rows[9] = ("  \u200b", "good"), ("fine", None), ("fine", math.nan)
    rows[11] = (None, "good")
    data = make_dataset(table(rows), CONFIG)
    assert sum(map(len, parts(data))) == 56
    assert "Rows 5 and 12 of rows.csv have an empty text: left out." in data.notes
    assert "Rows 8 and 10 of rows.csv have no label: left out." in data.notes


def test_repeats_collapse_and_contradictions_leave():
    rows = [*plain(40), ("text 0", "bad"), ("  text 0 ", "bad"), ("text 1", "bad")]
    data = make_dataset(table(rows), CONFIG)
    assert sum(map(len, parts(data))) == 39
    notes = " ".join(data.notes)
    assert (
        "2 repeated texts of rows.csv left out (the first of each is kept): rows 41 and 42" in notes
    )
    assert (
        "2 rows of rows.csv left out, the same text with different labels: rows 2 and 43" in notes
    )


def test_half_characters_are_mended():
    rows = [*plain(40), (json.loads('"odd \\ud83d here"'), "good")]
    data = make_dataset(table(rows), CONFIG)
    everything = set.union(*map(texts, parts(data)))
    assert "odd \ufffd here" in everything
    for text in everything:
        text.encode()


def test_inner_control_characters_are_kept():
    rows = [(f"a\x92b\u2028c\x07 {i}", "xy"[i % 2]) for i in range(20)]
    assert set.union(*map(texts, parts(make_dataset(table(rows), CONFIG)))) == {x for x, _ in rows}


def test_training_texts_that_differ_from_test_texts_in_case_or_spaces_alone_leave_training():
    dev = [("Text  3", "good"), ("text 5", "good"), *plain(6, word="dev")]
    validation = [(" TEXT 7", "good"), *plain(6, word="val")]
    data = make_dataset(
        table(plain()), CONFIG, test=table(dev, "dev.csv"), validation=table(validation, "val.csv")
    )
    assert not {"text 3", "text 5", "text 7"} & texts(data.train)
    notes = " ".join(data.notes)
    assert "1 training texts also occur in dev.csv and were removed from training: row 6." in notes
    assert "also occur, but for case or spaces, in dev.csv and were removed" in notes
    assert "also occur, but for case or spaces, in val.csv" in notes
    corpus = make_dataset(table(plain()), CONFIG)
    held = corpus.train[0]
    replaced = replace_test(corpus, table([(held.text.upper(), held.answer)], "mine.csv"))
    assert held.text not in texts(replaced.train)
    assert any("1 training texts also occur in mine.csv" in note for note in replaced.notes)


def test_one_file_divided_holds_no_text_in_two_splits_but_for_case():
    rows = [(x, y) for x, y in plain(60) for x in (x, x.upper(), f" {x.title()} ")]
    data = make_dataset(table(rows), CONFIG)
    assert sum(map(len, parts(data))) == 60
    assert any("is kept; case and spaces aside" in note for note in data.notes)


def test_two_spellings_of_a_class_are_one_class_and_said():
    labels = ["Pos"] * 30 + ["pos", "POS "] * 2 + ["neg"] * 20
    rows = [(f"text {i}", label) for i, label in enumerate(labels)]
    data = make_dataset(table(rows), CONFIG, test=table([("a", "pOs"), ("b", "Neg")], "dev.csv"))
    assert data.head == ("Pos", "neg")
    assert [e.answer for e in data.test] == ["Pos", "neg"]
    notes = " ".join(data.notes)
    assert "“pos” (2 rows), “POS” (2 rows) of rows.csv is read as the class “Pos”" in notes
    declared = make_dataset(table(rows, label_names=("NEG", "POS")), CONFIG)
    assert declared.head == ("NEG", "POS")


def test_na_is_a_class_where_it_is_declared_or_frequent_and_else_missing_by_name():
    rows = [*plain(94), *((f"other {i}", "N/A") for i in range(6))]
    data = make_dataset(table(rows), CONFIG, test=table([("a", "N/A"), ("b", "bad")], "dev.csv"))
    assert data.head == ("N/A", "bad", "good")
    assert [e.answer for e in data.test] == ["N/A", "bad"]
    assert any("“N/A” in column 'label' of rows.csv is read as a class" in n for n in data.notes)
    few = make_dataset(table([*plain(94), ("other 1", "N/A"), ("other 2", "null")]), CONFIG)
    assert few.head == ("bad", "good")
    said = "Rows 95 and 96 of rows.csv have no label (“N/A”, “null” taken for none): left out."
    assert said in few.notes
    names = ("bad", "good", "na")
    declared = make_dataset(table([*plain(94), ("other 1", "na")], label_names=names), CONFIG)
    assert declared.head == names
    assert sum(e.answer == "na" for part in parts(declared) for e in part) == 1


def test_little_data_is_told_what_it_is_worth():
    data = make_dataset(table(plain(40)), CONFIG)
    assert data.notes[0] == worth(data)
    assert data.notes[0].startswith(
        "This is little data: 28 texts to train on, 4 to choose the epoch by, 8 to test. One test "
        "text is 12.5 points of accuracy, and its 95 % interval up to ± 28 points wide"
    )
    assert worth(make_dataset(table(plain(1000)), CONFIG)) is None


def test_a_table_is_tested_on_whole_whatever_its_size_and_classes():
    heads = [("a", "b"), ("bad", "good", "new")]
    data = only_tested(table(plain(6)), heads)
    assert (data.head, data.tested) == (("bad", "good", "new"), "all 6 texts of rows.csv")
    assert [e.text for e in data.test] == [text for text, _ in plain(6)]
    one = only_tested(table(plain(6, ("Good",))), heads)
    assert (one.head, one.test[0].answer) == (("bad", "good", "new"), "good")
    own = only_tested(table([*plain(20, ("x", "y")), ("z", None)]), heads)
    assert own.head == ("x", "y")
    assert own.tested == "20 of the 21 rows of rows.csv (the others are unusable)"


# ---- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (plain(40, ("good",)), r"one class only \('good', 40 rows\)"),
        (plain(6), "6 different labelled texts .* at least 10"),
        (
            plain(40, ("a", "b", None)),
            r"13 of 40 rows have no label .*rows 3, 6, 9, 12, 15 and 8 more",
        ),
        ([("", "a"), ("x", "b")] * 20, "20 of 40 rows have an empty text"),
        ([("", "a"), (" ", "b")] * 20, "every row has an empty text"),
        ([(x, None) for x, _ in plain()], "every row has no label"),
        ([(7, "a"), ("x", "b")] * 20, "no text but 7 in rows 1, 3, 5, 7, 9 and 15 more"),
        ([("x", ["a", "b"])] * 20, r"\['a', 'b'\] in rows 1, .*; expected one label for each text"),
        ([(x, x) for x, _ in plain()], "40 different labels in 40 rows .* free text"),
        (plain(500, tuple(range(101))), "at most 100 classes"),
        ([*plain(20), ("x" * 1_000_001, "good")], "more than 1,000,000 characters in row 21"),
        (
            [("same", "a"), ("same", "b")] * 20,
            r"every text stands there with different labels \(rows 1, 2, 3, 4, 5 and 35 more\)",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_named(rows, said):
    with pytest.raises(DataError, match=said):
        make_dataset(table(rows), CONFIG)


def test_a_test_file_that_holds_all_training_texts_is_refused():
    said = r"every text of rows\.csv stands in dev\.csv too, so nothing is left to train on"
    with pytest.raises(DataError, match=said):
        make_dataset(table(plain()), CONFIG, test=table(plain(), "dev.csv"))
    most = table(plain(35), "dev.csv")
    with pytest.raises(DataError, match=r"5 different .* after 35 that stand in dev\.csv too"):
        make_dataset(table(plain()), CONFIG, test=most)


def test_other_columns_are_offered():
    rows = table(plain(40, ("good",)), others=("id", "stars"))
    with pytest.raises(DataError, match=r"\(other columns: id, stars\)"):
        make_dataset(rows, CONFIG)


# ---- load_data -------------------------------------------------------------------------------


def test_files_load_by_path_with_their_columns(tmp_path):
    train, dev = tmp_path / "train.tsv", tmp_path / "dev.jsonl"
    train.write_text("body\tkind\n" + "".join(f"{x}\t{y}\n" for x, y in plain()))
    objects = [{"extra": "a much longer text", "body": x, "kind": y} for x, y in plain(8, word="d")]
    dev.write_text("\n".join(map(json.dumps, objects)))
    data = load_data(DataConfig(str(train), eval_source=str(dev)))
    assert data.name == "train"
    assert data.head == ("bad", "good")
    assert [e.text for e in data.test] == [f"d {i}" for i in range(8)]
    assert {e.id for e in data.train} < {f"train:{i}" for i in range(2, 42)}
    assert any("train.tsv read as TSV" in note for note in data.notes)


def test_an_unknown_source_says_what_there_is(tmp_path):
    with pytest.raises(DataError, match=r"no file 'revews' \(did you mean reviews\?\)"):
        load_data(DataConfig("revews"))
    with pytest.raises(DataError, match=r"no file at .*absent\.csv"):
        load_data(DataConfig(str(tmp_path / "absent.csv")))


def test_a_second_file_can_test_a_corpus():
    data = make_dataset(table(plain()), CONFIG)
    held = data.train[0]
    test = table([("new one", "good"), (held.text, held.answer)], "mine.csv")
    replaced = replace_test(data, test)
    assert [e.id for e in replaced.test] == ["mine:1", "mine:2"]
    assert held.text not in texts(replaced.train)
    assert dataclasses.replace(replaced, train=data.train, test=data.test, notes=(), tested="") == (
        dataclasses.replace(data, notes=(), tested="")
    )
    with pytest.raises(DataError, match="training labels are bad, good"):
        replace_test(data, table([("x", "great")], "mine.csv"))


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data folder is absent")
@pytest.mark.parametrize("columns", [("0", "1"), (None, None)])
def test_sst2_loads_in_a_moment(columns):
    folder = DATA / "sst2"
    config = DataConfig(str(folder / "train.tsv"), *columns, eval_source=str(folder / "dev.tsv"))
    start = time.process_time()
    data = load_data(config)
    assert time.process_time() - start < 2  # 0.1 s where nothing else runs
    assert len(data.train) + len(data.validation) == 6911  # 6,920 less 9 repeats
    assert len(data.validation) == pytest.approx(350, abs=2)
    assert len(data.test) == 872
    assert data.head == ("0", "1")
