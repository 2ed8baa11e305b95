"""Tables of a terminal: columns stand under their heads, however long their figures are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from advlab.cli.printing import print_table, row_json
from advlab.records.estimates import Resampled
from advlab.records.measured import Quoted, Row


def row() -> Row:
    long = Resampled(1234567.0, np.array([1e6, 2e6]), 4, "")
    bare = Resampled(0.5, np.zeros(0), 4, "")
    return Row(
        "m",
        "h",
        {"name": "pgd", "unit": "norm"},
        (0.25,),
        (0.1,),
        np.ones(4, dtype=bool),
        np.ones(4),
        np.ones(4, dtype=int),
        np.ones((1, 4), dtype=bool),
        ("a",) * 4,
        (
            Quoted("perplexity", long, (long,), (long,), "of the known reply", lower=True),
            Quoted("distinct-2", bare, (bare,), (bare,)),
        ),
    )


def test_figures_of_any_length_stand_under_their_heads(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([row()], ["m"], 0.25)
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Of the answers"))
    ends = {len(line) for line in lines[at + 1 : at + 7] if line != "m"}
    assert len(ends) == 1  # all end where the head of the last column does
    assert "1.23e+06 [1.02e+06–1.98e+06]  " in lines[at + 3]
    assert "always the most frequent answer 25.0%" in "\n".join(lines)
    assert lines[-1] == "perplexity: of the known reply"


def test_json_holds_each_figure_with_its_interval_and_how_it_is_counted() -> None:
    found = json.loads(json.dumps(row_json(row(), 0.25, 1.0)))["quoted"]
    assert found["perplexity"]["robust"][0]["eps"] == 0.25
    assert found["perplexity"]["clean"]["interval"] == pytest.approx([1.025e6, 1.975e6])
    assert (found["perplexity"]["better"], found["distinct-2"]["better"]) == ("lower", "higher")
    assert found["perplexity"]["how"] == "of the known reply"
