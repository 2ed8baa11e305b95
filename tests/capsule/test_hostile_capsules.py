from __future__ import annotations

import json
import time
from typing import Any

import pytest
from capsules import changed, coded, record_of, saved, with_number, with_part, with_reading

from advlab.capsule.format import MAX_BYTES, load
from advlab.errors import DataError


def deep() -> bytes:
    return b'{"advlab-capsule": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not text": b"\xff\xfe\x00\x01",
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94",
    "not JSON": b"import os",
    "cut off": b'{"advlab-capsule": 1, "text": "a',
    "nested too deeply": deep(),
    "a list": b"[1, 2]",
    "another format": b'{"advlab-capsule": 99}',
    "format is true": b'{"advlab-capsule": true}',
    "a huge integer": b'{"advlab-capsule": ' + b"9" * 5000 + b"}",
    "not a number": b'{"advlab-capsule": NaN}',
    "infinite": b'{"advlab-capsule": Infinity}',
    "a name twice": b'{"advlab-capsule": 1, "advlab-capsule": 1}',
    "a page without one": b"<!doctype html><script>alert(1)</script>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_capsule_is_refused_in_words(name: str) -> None:
    with pytest.raises(DataError, match=r"expected .* got "):
        load(HOSTILE[name])


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(DataError, match="16 MiB"):
        load(b" " * (MAX_BYTES + 1))


def test_a_page_of_many_openings_is_refused_at_once() -> None:
    opening = b'<script type="application/json" id="advlab-capsule">'
    began = time.perf_counter()
    with pytest.raises(DataError, match="a page without one"):
        load(opening * 100_000)
    assert time.perf_counter() - began < 2


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(DataError, match="surrogate"):
        load(changed(text="a \ud800 film"))


def test_arrays_that_lie_about_their_size_are_refused_before_they_are_made() -> None:
    T = len(record_of().tokens)
    lies = [
        with_number("delta", shape=[T, 16_384]),  # more than there is
        with_number("delta", shape=[10**9, 10**9]),
        with_number("delta", shape=[-1, -1]),
        with_number("delta", shape=[T, 10**30]),
        with_number("delta", shape=[T, "64"]),
        with_number("delta", shape=[T]),
        with_number("delta", shape=[T, True]),
        with_number("delta", type="O"),
        with_number("delta", type="|O8"),
        with_number("delta", data="AAAA"),
        with_number("delta", data="!!!!"),
        with_number("delta", data=1),
        with_part("clean", "no", type="<f8", data=coded([float("nan")])),
        with_part("clean", "no", type="<f8", data=coded([2.0])),
        with_part("clean", "no", type="<f8", data=coded([-1.0])),
        with_part("clean", "no", type="<f8", data=coded([float("inf")])),
        with_part("steps", "no", shape=[10**9]),
        with_part("steps", "no", shape=[1]),  # not as many as there are steps
        with_part("noise", "no", type="O"),
        with_number("losses", shape=[0], data=""),
        with_number("delta_norm", data=coded([float("inf")] * T)),
    ]
    for lie in lies:
        with pytest.raises(DataError, match=r"expected .* got "):
            load(lie)


@pytest.mark.parametrize(
    "values",
    [
        {"text": 7},
        {"text": "x" * 30_000},
        {"label": "<script>"},
        {"label": 3},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 2**40},
        {"shield": [[5, 2]]},
        {"shield": [[0, 10**6]]},
        {"shield": "all"},
        {"attack": "pgd"},
        {"attack": {"name": "pgd", "steps": [1] * 9}},
        {"attack": {"name": "pgd", "start": "x" * 999}},
        {"tokens": []},
        {"tokens": [1, 2]},
        {"tokens": ["a"] * 5000},
        {"model": None},
        {"model": {"name": "../../etc/passwd"}},
        {"results": {}},
        {"digests": []},
        {"versions": {str(k): "1" for k in range(99)}},
    ],
    ids=lambda v: str(v)[:40],
)
def test_values_out_of_bounds_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"expected .* got "):
        load(changed(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"answers": []},
        {"answers": ["no", "no"]},
        {"answers": [3]},
        {"answers": ["<script>"]},
        {"answers": "no"},
        {"score": {"shape": [1], "type": "<f8", "data": coded([2.0])}},
        {"sure": {"shape": [1], "type": "<f8", "data": coded([-0.1])}},
        {"margin": {"shape": [1], "type": "<f8", "data": coded([float("nan")])}},
        {"hold": {"shape": [1], "type": "<f8", "data": coded([float("nan")])}},
        {"loss": {"shape": [1], "type": "<f8", "data": coded([-float("inf")])}},
        {"broken": {"shape": [1], "type": "<f8", "data": coded([7.0])}},
        {"loss": None},
        {"parts": {}},
        {"parts": []},
        {"parts": {"no": 1}},
        {"parts": {str(k): {} for k in range(2000)}},
    ],
    ids=lambda v: str(v)[:40],
)
@pytest.mark.parametrize("name", ["clean", "attacked"])
def test_readings_out_of_bounds_are_refused(name: str, values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"expected .* got "):
        load(with_reading(name, **values))


def test_readings_of_other_parts_or_missing_ones_are_refused() -> None:
    part = json.loads(saved())["results"]["readings"]["clean"]["parts"]["no"]
    for name in ("x" * 300, "another"):  # too long, and in one reading alone
        with pytest.raises(DataError, match=r"expected .* got "):
            load(with_part("clean", name, **part))
    whole = json.loads(saved())
    del whole["results"]["readings"]["curve"]
    with pytest.raises(DataError, match="'curve'"):
        load(json.dumps(whole).encode())


@pytest.mark.parametrize("task", [None, "classification", {}, {"name": 1}, {"name": "x", "y": []}])
def test_a_task_that_is_no_settings_is_refused(task: Any) -> None:
    whole = json.loads(saved())
    whole["model"]["task"] = task
    with pytest.raises(DataError, match=r"expected .* got "):
        load(json.dumps(whole).encode())
