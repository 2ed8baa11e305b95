from __future__ import annotations

import json

import numpy as np
import pytest

from advlab.pictures import robustness
from advlab.records import Example
from advlab.records.estimates import share_of
from advlab.studies.parts import slices_of, word_counts


def test_curves_show_each_rows_rates_and_the_majority(measured) -> None:
    found, _ = measured
    figure = robustness.curves(found)
    lines = [t for t in figure.data if t.mode == "lines+markers"]
    assert len(lines) == len(found.rows) == 4
    for line, row in zip(lines, found.rows, strict=True):
        np.testing.assert_allclose(line.y, [row.clean.value, *(r.value for r in row.robust)])
        assert (np.diff(np.asarray(line.y)) <= 0).all()
        assert line.cliponaxis is False  # the mark at ε = 0 stands on the axis
    assert figure.layout.shapes[0].y0 == pytest.approx(found.majority)


def test_tables_have_a_row_for_each_row_and_fit_json(measured) -> None:
    found, examples = measured
    assert len(robustness.columns(found)["model"]) == 4
    assert len(robustness.paired(found, 1)["first"]) == 6  # every two of four
    assert len(robustness.outcomes(found, examples)["text"]) == len(examples)
    json.dumps([robustness.columns(found), robustness.paired(found, -1)])


def test_slices_count_their_own_texts(measured) -> None:
    found, examples = measured
    table = robustness.slices(found, slices_of(examples), 0)
    assert table["texts"][0] == len(examples)
    row = found.rows[0]
    assert table[robustness.name_of(found, row)][0] == str(row.robust[0])
    assert table["slice"][-1] == "the most confident third"
    third = np.argsort(row.confidence)[-(len(examples) // 3) :]
    wanted = str(share_of(row.stands(0)[third]))
    assert table[robustness.name_of(found, row)][-1] == wanted


def test_parts_are_told_by_words_labels_and_columns() -> None:
    rows = [("I do not know", "a", "tv"), ("Fine.", "b", "tv"), ("It isn't bad", "a", "stage")] * 3
    examples = [Example(str(i), t, (y,), more=(("where", w),)) for i, (t, y, w) in enumerate(rows)]
    known = word_counts(examples[:3] * 3 + [Example("x", "bad bad it", ("a",))])
    known["know"] = 2
    parts = slices_of(examples, known)
    assert parts["with a negation"].tolist() == [True, False, True] * 3
    assert parts["answer: a"].tolist() == [True, False, True] * 3
    assert parts["where: tv"].tolist() == [True, True, False] * 3
    assert "where: stage" not in parts  # three texts are too few
    assert parts["with a word seen below 3 times in training"].tolist() == [True, False, False] * 3
    assert all(mask.any() for mask in parts.values())


def test_answers_of_one_text_each_are_no_parts_and_frequent_ones_are() -> None:
    examples = [Example(str(i), "a text", (f"answer {i}",)) for i in range(20)]
    examples += [Example(f"n{i}", "a text", ("(no answer)",)) for i in range(6)]
    assert [n for n in slices_of(examples) if n.startswith("answer")] == ["answer: (no answer)"]
    assert not [n for n in slices_of(examples[:20]) if n.startswith("answer")]


def test_models_that_differ_in_their_seed_alone_stand_together(measured) -> None:
    found, _ = measured
    hashes = [row.model_hash for row in found.rows]
    table = robustness.over_seeds(found, dict.fromkeys(hashes, "bert"))
    assert table["setting"] == ["bert", "bert"]  # one row an attack
    assert table["seeds"] == [2, 2]
    values = [100 * row.clean.value for row in found.rows[::2]]
    assert table["clean"][0].startswith(f"{sum(values) / 2:.1f} %")
    assert robustness.over_seeds(found, {hashes[0]: "one"})["setting"] == []


def test_the_frontier_draws_every_model_with_its_intervals(measured) -> None:
    found, _ = measured
    rows = found.rows
    figure = robustness.frontier(
        [r.model for r in rows],
        [1.0, 4.0, 0.0, 2.0],
        [r.clean for r in rows],
        [r.robust[0] for r in rows],
    )
    assert len(figure.data) == len(rows)
    for mark, row in zip(figure.data, rows, strict=True):
        assert mark.x[0] + mark.error_x.array[0] == pytest.approx(row.robust[0].high)
