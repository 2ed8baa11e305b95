from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pytest
from victims import TEXTS, shared_victim

from advlab.attacks import PGD
from advlab.explain.explore import analyse, explore
from advlab.pictures import next_word
from advlab.records import AttackRecord, Exits, Scaled


@lru_cache
def found(eps: float = 2.0) -> tuple[AttackRecord, Exits, Scaled]:
    victim = shared_victim("bert")
    record = explore(victim, TEXTS[1], attack=PGD(eps, steps=4))
    return record, analyse(victim, record, "exits"), analyse(victim, record, "scaled")


def test_the_way_out_is_exit_radius_over_delta_and_names_the_word() -> None:
    record, out, _ = found()
    columns = next_word.exit_columns(record, out)
    for token, size, radius, times, word in zip(
        *(columns[k] for k in ("token", "‖δ‖, raw", "exit radius, raw", "times longer", "becomes")),
        strict=True,
    ):
        assert token in record.tokens
        assert (radius is None) == (times is None) == (word == "")
        if radius is not None:
            assert times == pytest.approx(radius / size)
    figure = next_word.ways_out(record, out)
    along = next(t for t in figure.data if t.name == "along δ")
    reached = [t for t in columns["times longer"] if t is not None]
    np.testing.assert_allclose(sorted(along.x), sorted(reached))


def test_the_sentence_names_the_first_word_to_change() -> None:
    record, _, grown = found()
    assert np.isfinite(grown.exits).any()
    t = int(grown.exits.argmin())
    said = next_word.scaling_sentence(record, grown)
    assert f"‘{record.tokens[t]}’, to ‘{grown.crossings[t][0][1]}’" in said
    flips = grown.reread.broken.any()
    assert ("never flip" in said) == (not flips)


def test_a_row_of_the_table_is_one_factor_and_all_of_it_is_json() -> None:
    record, out, grown = found()
    columns = next_word.scaling_columns(record, grown)
    assert len(set(map(len, columns.values()))) == 1
    assert columns["× δ"] == sorted(columns["× δ"])
    json.dumps([columns, next_word.exit_columns(record, out)])
    lines = [t for t in next_word.scaling(record, grown, at=0).data if t.mode == "lines+markers"]
    assert [t.name for t in lines] == ["vectors", "nearest tokens", "text, read again"]
    for line in lines:
        np.testing.assert_allclose(line.x, grown.factors)


def test_where_nothing_was_moved_nothing_is_drawn() -> None:
    record, out, _ = found(0.0)
    assert next_word.exit_columns(record, out)["token"] == []
    next_word.ways_out(record, out)
