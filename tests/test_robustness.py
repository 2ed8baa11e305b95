from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_evaluate import examples_for
from test_explore_page import two_models, widget  # noqa: F401  a fixture
from victims import make_victim

from advlab import robustness
from advlab.attacks import FGM, PGD
from advlab.grid import Grid, grid
from advlab.records import Example
from advlab.statistics import rate


@pytest.fixture(scope="module")
def measured() -> tuple[Grid, list[Example], tuple[str, ...]]:
    victims = [make_victim("bert", seed=s) for s in (0, 1)]
    examples = examples_for(victims[0])
    found = grid(victims, examples, [PGD(steps=3), FGM()], [0.1, 0.5, 2.0], data="texts")
    return found, examples, victims[0].label_names


def test_curves_show_each_rows_rates_and_the_majority(measured) -> None:
    found, _, _ = measured
    figure = robustness.curves(found)
    lines = [t for t in figure.data if t.mode == "lines+markers"]
    assert len(lines) == len(found.rows) == 4
    for line, row in zip(lines, found.rows, strict=True):
        np.testing.assert_allclose(line.y, [row.clean.value, *(r.value for r in row.robust)])
        assert (np.diff(np.asarray(line.y)) <= 0).all()
    assert figure.layout.shapes[0].y0 == pytest.approx(found.majority)


def test_tables_have_a_row_for_each_row_and_fit_json(measured) -> None:
    found, texts, names = measured
    assert len(robustness.columns(found)["model"]) == 4
    assert len(robustness.paired(found, 1)["first"]) == 6  # every two of four
    assert len(robustness.outcomes(found, texts, names)["text"]) == len(texts)
    json.dumps([robustness.columns(found), robustness.paired(found, -1)])


def test_slices_count_their_own_texts(measured) -> None:
    found, texts, names = measured
    table = robustness.slices(found, texts, names, 0)
    assert table["texts"][0] == len(texts)
    row = found.rows[0]
    assert table[robustness.name_of(found, row)][0] == robustness.rate_text(row.robust[0])
    assert table["slice"][-1] == "the most confident third"
    third = np.argsort(row.confidence)[-(len(texts) // 3) :]
    wanted = robustness.rate_text(rate(row.stands(0)[third]))
    assert table[robustness.name_of(found, row)][-1] == wanted


def test_parts_are_told_by_words_labels_and_columns() -> None:
    rows = [("I do not know", 0, "tv"), ("Fine.", 1, "tv"), ("It isn't bad", 0, "stage")] * 3
    examples = [Example(str(i), t, y, (("where", w),)) for i, (t, y, w) in enumerate(rows)]
    known = robustness.word_counts(examples[:3] * 3 + [Example("x", "bad bad it", 0)])
    known["know"] = 2
    parts = robustness.slices_of(examples, ["a", "b"], known)
    assert parts["with a negation"].tolist() == [True, False, True] * 3
    assert parts["label: a"].tolist() == [True, False, True] * 3
    assert parts["where: tv"].tolist() == [True, True, False] * 3
    assert "where: stage" not in parts  # three texts are too few
    assert parts["with a word seen below 3 times in training"].tolist() == [True, False, False] * 3
    assert all(mask.any() for mask in parts.values())


def test_models_that_differ_in_their_seed_alone_stand_together(measured) -> None:
    found, _, _ = measured
    hashes = [row.model_hash for row in found.rows]
    table = robustness.over_seeds(found, dict.fromkeys(hashes, "bert"))
    assert table["setting"] == ["bert", "bert"]  # one row an attack
    assert table["seeds"] == [2, 2]
    values = [100 * row.clean.value for row in found.rows[::2]]
    assert table["clean"][0].startswith(f"{sum(values) / 2:.1f} %")
    assert robustness.over_seeds(found, {hashes[0]: "one"})["setting"] == []


def test_the_frontier_draws_every_model_with_its_intervals(measured) -> None:
    found, _, _ = measured
    rows = found.rows
    figure = robustness.frontier(
        [r.model for r in rows], [1.0, 4.0, 0.0, 2.0], [r.clean for r in rows],
        [r.robust[0] for r in rows],
    )  # fmt: skip
    assert len(figure.data) == len(rows)
    for mark, row in zip(figure.data, rows, strict=True):
        assert mark.x[0] + mark.error_x.array[0] == pytest.approx(row.robust[0].high)


def test_the_page_measures_and_a_second_time_reads_what_the_first_wrote(
    two_models: Path,  # noqa: F811
) -> None:
    from streamlit.testing.v1 import AppTest

    file = str(Path(__file__).parents[1] / "pages" / "compare" / "robustness.py")
    app = AppTest.from_file(file, default_timeout=120).run()
    assert not app.exception
    widget(app, "number_input", "count").set_value(10).run()
    widget(app, "text_input", "eps").set_value("0.1 many").run()
    assert "values of ε" in app.error[0].value
    widget(app, "text_input", "eps").set_value("0.1 0.5").run()
    next(b for b in app.button if b.label == "Measure").click().run()
    assert not app.exception
    assert "How much is left" in [h.value for h in app.subheader]
    files = sorted((two_models / "outcomes").rglob("*.json"))
    assert files
    stamps = [f.stat().st_mtime_ns for f in files]
    first = app.dataframe[0].value.to_json()
    next(b for b in app.button if b.label == "Measure").click().run()
    assert [f.stat().st_mtime_ns for f in files] == stamps
    assert app.dataframe[0].value.to_json() == first
