from __future__ import annotations

import numpy as np
import pytest
from plotly.colors import sample_colorscale

from advlab.pictures import questions
from advlab.records.measured import CarryOver, Grid, Optima, Row, Transfer

N = 200


def right(*shares: float) -> np.ndarray:
    """(len,N) bool: the first share of the texts is right."""
    return np.arange(N)[None] < (np.array(shares) * N)[:, None]


def carried(*models: tuple[float, float]) -> CarryOver:
    """Models under noise and PGD."""
    names = tuple("ABC"[k] for k in range(len(models)))
    return CarryOver(
        names,
        names,
        ("noise", "PGD-20"),
        ("", ""),
        0.25,
        ("x",) * N,
        np.stack([right(*m) for m in models]),
    )


def climbed(flips: np.ndarray, cosine: float = 1.0) -> Optima:
    n = len(flips)
    return Optima(
        "m",
        "h",
        {},
        tuple(map(str, range(n))),
        np.zeros(flips.shape),
        flips + 1.0,
        flips,
        np.full(n, cosine),
        np.full(n, 0.1),
    )


def test_one_start_is_called_enough_only_where_more_find_nothing() -> None:
    same = np.repeat(np.arange(40)[:, None] < 20, 5, 1)
    sentence = questions.optima_sentence(climbed(same))
    assert "one start breaks 50" in sentence
    assert "restarts add little" in sentence
    assert "same place" in sentence
    late = same.copy()
    late[25:30, 4] = True  # only the last start breaks these
    sentence = questions.optima_sentence(climbed(late, cosine=0.2))
    assert "do stick" in sentence
    assert "different places" in sentence
    line = questions.more_starts([climbed(late)]).data[0]
    assert list(line.y) == [0.5, 0.5, 0.5, 0.5, 25 / 40]


def test_every_ascent_is_one_mark() -> None:
    flips = np.zeros((10, 3), dtype=bool)
    flips[3, 1] = True
    figure = questions.ends(climbed(flips))
    assert [len(t.x) for t in figure.data] == [29, 1]
    assert len(questions.ends(climbed(np.zeros((500, 2), bool)), limit=60).data[0].x) == 120


def test_only_differences_that_the_texts_show_are_claimed() -> None:
    told = questions.carry_sentence(carried((0.8, 0.3), (0.8, 0.7)))
    assert "more under 1 of 2 kinds, most under PGD-20 (+40)" in told
    assert "no difference that these texts show under noise" in told
    worse = questions.carry_sentence(carried((0.8, 0.3), (0.5, 0.31)))
    assert "less under noise (−30)" in worse
    assert "more under" not in worse
    assert "alone" in questions.carry_sentence(carried((0.8, 0.3)))


def test_the_map_has_a_number_for_each_cell_and_none_where_nothing_fits() -> None:
    found = Transfer(
        "delta",
        ("A", "B"),
        ("a", "b"),
        ("x",) * N,
        np.stack([right(0.2, 0.9), right(0.7, 0.3)]),
        np.array([[True, False], [True, True]]),
    )
    figure = questions.transfer_map(found)
    assert [a.text for a in figure.layout.annotations] == ["20 %", "70 %", "30 %"]
    assert np.isnan(np.array(figure.data[0].z, dtype=float)[0, 1])
    assert questions.transfer_columns(found)["tried on B"][0] == "other vectors"
    assert "themselves the models read 25" in questions.transfer_sentence(found)
    assert "70" in questions.transfer_sentence(found)


@pytest.mark.parametrize("share", np.linspace(0, 1, 21))
def test_numbers_stand_out_from_their_cell(share: float) -> None:
    def light(r: float, g: float, b: float) -> float:
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (r, g, b)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    [cell] = sample_colorscale("Cividis", [share])
    under = light(*(int(v) / 255 for v in cell[4:-1].split(",")))
    over = 1.0 if questions.ink(share) == "#ffffff" else 0.0
    assert (max(over, under) + 0.05) / (min(over, under) + 0.05) >= 4.5


def test_a_price_is_named_only_where_the_texts_show_it() -> None:
    def row(clean: float, robust: float, name: str) -> Row:
        broken = np.where(np.arange(N) < robust * N, 1, np.where(np.arange(N) < clean * N, 0, -1))
        return Row(
            name,
            name,
            {"name": "pgd", "unit": "norm"},
            (0.25,),
            (0.25,),
            broken >= 0,
            np.ones(N),
            broken,
            (broken >= 0)[None],
        )

    def grid(*rows: Row) -> Grid:
        return Grid("d", "h", ("x",) * N, (0, 1) * (N // 2), 0.5, 0, rows)

    cheap = grid(row(0.9, 0.3, "plain"), row(0.89, 0.7, "fgm"))
    assert "gains 40.0 points" in questions.cost_sentence(cheap, [1.0, 2.1])
    assert "no clean accuracy that these texts show" in questions.cost_sentence(cheap, [1.0, 2.1])
    assert "2.1 ×" in questions.cost_sentence(cheap, [1.0, 2.1])
    dear = grid(row(0.9, 0.3, "plain"), row(0.7, 0.31, "fgm"))
    assert "−20.0 points of clean accuracy" in questions.cost_sentence(dear, [None, None])
    assert "not more than chance" in questions.cost_sentence(dear, [None, None])
    table = questions.cost_columns(cheap, [1.0, None], [1.0, None])
    assert table["under attack, against the first"][0] == "–"
    assert table["under attack, against the first"][1].startswith("+40.0 [+")
