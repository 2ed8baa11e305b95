"""Capsules of random tiny models, whole and changed by hand."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any

import numpy as np
from victims import TEXTS, shared_victim

from advlab.attacks import PGD
from advlab.capsule.format import COLUMNS, Capsule, save
from advlab.capsule.verify import verify
from advlab.explain.explore import explore
from advlab.records import AttackRecord, Reading

TEXT = TEXTS[1]


@lru_cache
def record_of(kind: str = "bert", seed: int = 4) -> AttackRecord:
    attack = PGD(1.0, steps=3, start="random")
    return explore(shared_victim(kind), TEXT, attack=attack, seed=seed)


@lru_cache
def saved(kind: str = "bert") -> str:
    return save(record_of(kind), shared_victim(kind).tokenizer_hash, made="2026-01-01 00:00:00 UTC")


def changed(**values: Any) -> bytes:
    """The capsule with some of its top-level values replaced."""
    return json.dumps(json.loads(saved()) | values).encode()


def same(found: Reading, made: Reading, name: str) -> None:
    """Every answer, number and part, to the last bit."""
    assert found.answers == made.answers, name
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(found, column), getattr(made, column), err_msg=name)
    assert list(found.parts) == list(made.parts)
    for part, values in made.parts.items():
        np.testing.assert_array_equal(found.parts[part], values, err_msg=f"{name}, {part}")
        assert found.parts[part].dtype == values.dtype


def failed(capsule: Capsule, kind: str = "bert") -> set[str]:
    return {c.what for c in verify(capsule, shared_victim(kind)).checks if not c.ok}


def with_number(name: str, **values: Any) -> bytes:
    whole = json.loads(saved())
    whole["results"]["numbers"][name] |= values
    return json.dumps(whole).encode()


def with_reading(name: str, **values: Any) -> bytes:
    whole = json.loads(saved())
    whole["results"]["readings"][name] |= values
    return json.dumps(whole).encode()


def with_part(name: str, part: str, **values: Any) -> bytes:
    parts = json.loads(saved())["results"]["readings"][name]["parts"]
    return with_reading(name, parts=parts | {part: parts.get(part, {}) | values})


def coded(values: list[float]) -> str:
    return base64.b64encode(np.array(values, "<f8").tobytes()).decode()
