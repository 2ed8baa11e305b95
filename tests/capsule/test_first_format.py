from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from capsules import TEXT, coded, failed, record_of, saved
from victims import LABELS, chances, label_of, make_victim, shared_victim

from advlab.attacks import PGD
from advlab.capsule.format import COLUMNS, SECTIONS, load, numbers_of, readings_of, save
from advlab.capsule.page import page
from advlab.capsule.verify import verify
from advlab.errors import DataError
from advlab.explain.explore import explore
from advlab.pictures.page import versions
from advlab.pictures.sentences import headline
from advlab.records import AttackRecord


def packed(values: np.ndarray) -> dict[str, Any]:
    kind = "<f4" if values.dtype == np.float32 else "<f8"
    raw = np.ascontiguousarray(values, dtype=kind).tobytes()
    return {"shape": list(values.shape), "type": kind, "data": base64.b64encode(raw).decode()}


def band(record: AttackRecord, values: np.ndarray) -> np.ndarray:
    """(N,) of the reference -> (N,C); the first format had all classes, of which one is looked at."""
    found = np.full((len(values), len(record.clean.parts)), 0.5, values.dtype)
    found[:, label_of(record)] = values
    return found


def first_format(record: AttackRecord, tokenizer_hash: str) -> str:
    """A record as the first format had it: a probability of each class."""
    curve = record.curve
    numbers = {
        "clean": chances(record.clean)[0],
        "adversarial": chances(record.attacked)[0],
        "noise": chances(record.noise),
        "projected": chances(record.projected)[0],
        "round_trip": chances(record.round_trip)[0],
        "losses": record.losses,
        "step_probs": chances(record.steps),
        "step_norms": record.step_norms,
        "delta": record.delta,
        "delta_norm": record.delta_norm,
        "exit_radius": record.exit_radius,
        "certificate": record.certificate,
        "perturbable": record.perturbable.astype(float),
        "curve_eps": curve.eps,
        "curve_adversarial": chances(curve.attacked),
        "curve_low": band(record, curve.low),
        "curve_high": band(record, curve.high),
    }
    body: dict[str, Any] = {
        "text": record.text,
        "label": record.reference if record.given else None,
        "shield": [list(span) for span in record.shield],
        "attack": dict(record.attack),
        "seed": record.seed,
        "model": {
            "name": record.model,
            "weights": record.model_hash,
            "tokenizer": tokenizer_hash,
            "classes": list(record.clean.parts),
            "mean_norm": record.scale.mean_norm,
            "half_nn": record.scale.half_nn,
        },
        "tokens": list(record.tokens),
        "results": {
            "headline": headline(record),
            "eps": record.eps,
            "nearest": [row[0] for row in record.neighbours.tokens],
            "round_trip_text": record.round_trip_text,
            "best_step": record.best_step,
            "flip_eps": curve.flip_eps,
            "numbers": {name: packed(values) for name, values in numbers.items()},
        },
    }
    body = json.loads(json.dumps(body, allow_nan=False))
    whole = {
        "advlab-capsule": 1,
        "made": "2025-01-01 00:00:00 UTC",
        "versions": versions(),
        **body,
        "digests": {name: digest(body[name]) for name in SECTIONS},
    }
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)


def digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def attacked_as(kind: str, label: str | None, eps: float, text: str = TEXT) -> AttackRecord:
    attack = PGD(eps, steps=3)
    return explore(shared_victim(kind), text, attack=attack, label=label, seed=2, shield=((0, 1),))


@lru_cache
def old() -> str:
    return first_format(record_of(), shared_victim("bert").tokenizer_hash)


@pytest.mark.parametrize("label", [None, *LABELS])
@pytest.mark.parametrize(("kind", "eps"), [("bert", 1.0), ("bert", 0.001), ("gpt2", 0.5)])
def test_a_file_of_the_first_format_opens_and_verifies(
    kind: str, eps: float, label: str | None
) -> None:
    victim, record = shared_victim(kind), attacked_as(kind, label, eps)
    source = first_format(record, victim.tokenizer_hash)
    found, new = load(source.encode()), load(save(record, victim.tokenizer_hash).encode())
    assert (found.label, found.reference, found.changed) == (label, record.reference, ())
    assert found.flips_at == new.flips_at
    assert found.classes == new.classes == LABELS
    assert found.headline == headline(record)
    for name, values in numbers_of(record).items():
        np.testing.assert_array_equal(found.numbers[name], values, err_msg=name)
    assert set(found.numbers) == set(new.numbers)
    assert set(found.readings) == set(readings_of(record))
    for name, reading in readings_of(record).items():
        opened = found.readings[name]
        assert opened.answers == reading.answers
        np.testing.assert_array_equal(opened.broken, reading.broken)
        np.testing.assert_array_equal(chances(opened), chances(reading))
        for column in ("score", "sure"):
            np.testing.assert_array_equal(getattr(opened, column), getattr(reading, column))
        for column in ("margin", "loss", "hold"):  # by way of probabilities
            np.testing.assert_allclose(
                getattr(opened, column), getattr(reading, column), rtol=1e-4, atol=1e-5
            )
    verdict = verify(found, victim)
    assert verdict.verified, verdict.sentence
    assert len(verdict.checks) == len(verify(new, victim).checks)
    body = page(found, source)
    assert load(body.encode()).changed == ()
    assert (
        body.partition("<script")[0].replace(found.made, new.made)
        == page(new, source).partition("<script")[0]
    )


def test_the_file_of_the_first_format_names_another_model_and_what_was_changed() -> None:
    bad = {
        c.what for c in verify(load(old().encode()), make_victim("bert", seed=9)).checks if not c.ok
    }
    assert {"weights", "attacked probabilities"} <= bad
    assert not bad & {"the file", "tokens", "tokenizer", "classes"}
    for values, what in ((({"text": "a dull film"}), "text"), ({"label": "maybe"}, "label")):
        found = load(json.dumps(json.loads(old()) | values).encode())
        assert found.changed == (what,)
        assert failed(replace(found, changed=()))
    for name, what in (
        ("adversarial", "attacked probabilities"),
        ("projected", "probabilities of the nearest tokens"),
        ("curve_adversarial", "probabilities against ε"),
        ("losses", "loss per step"),
    ):
        whole = json.loads(old())
        part = whole["results"]["numbers"][name]
        values = np.frombuffer(base64.b64decode(part["data"]), part["type"])[::-1]
        part["data"] = base64.b64encode(values.tobytes()).decode()
        found = load(json.dumps(whole).encode())
        assert found.changed == ("results",)
        assert what in failed(replace(found, changed=())), name


def test_hostile_files_of_the_first_format_are_refused() -> None:
    T = len(record_of().tokens)

    def number(name: str, **values: Any) -> dict[str, Any]:
        whole = json.loads(old())
        whole["results"]["numbers"][name] |= values
        return whole

    def model(**values: Any) -> dict[str, Any]:
        whole = json.loads(old())
        whole["model"] |= values
        return whole

    def without(section: str, *path: str) -> dict[str, Any]:
        whole = json.loads(old())
        place = whole
        for step in path:
            place = place[step]
        del place[section]
        return whole

    lies = [
        number("delta", shape=[T, 16_384]),
        number("delta", shape=[10**9, 10**9]),
        number("step_probs", shape=[10**9, 3]),
        number("step_probs", type="|O8"),
        number("clean", shape=[2], data=coded([0.5, 0.5])),  # of three classes
        number("clean", data=coded([float("nan"), 0.5, 0.5])),
        number("clean", data=coded([2.0, -1.0, 0.0])),
        number("noise", data="!!!!"),
        number("losses", shape=[0], data=""),
        number("delta_norm", data=coded([float("inf")] * T)),
        number("curve_eps", shape=[0], data=""),
        model(classes=[]),
        model(classes="no"),
        model(classes=["no", "yes"]),
        model(classes=["no", "yes", 3]),
        model(classes=["no", "yes", "x" * 300]),
        model(classes=["no", "no", "yes"]),
        model(classes=["a"] * 5000),
        model(classes=None),
        without("classes", "model"),
        without("clean", "results", "numbers"),
        without("curve_low", "results", "numbers"),
        without("numbers", "results"),
        without("results"),
        json.loads(old()) | {"label": "<script>"},
        json.loads(old()) | {"label": 3},
        json.loads(old()) | {"label": "x" * 30_000},
        json.loads(old()) | {"shield": [[5, 2]]},
        json.loads(old()) | {"advlab-capsule": 2},  # it has no readings
        json.loads(saved()) | {"advlab-capsule": 1},  # and these no classes
        json.loads(old()) | {"advlab-capsule": 3},
    ]
    for lie in lies:
        with pytest.raises(DataError, match=r"expected .* got "):
            load(json.dumps(lie).encode())


def test_probabilities_of_nothing_in_the_first_format_open_without_a_number_that_is_none() -> None:
    whole = json.loads(old())
    for name in ("clean", "adversarial", "step_probs"):
        part = whole["results"]["numbers"][name]
        part["data"] = base64.b64encode(bytes(len(base64.b64decode(part["data"])))).decode()
    source = json.dumps(whole)
    found = load(source.encode())
    for reading in found.readings.values():
        for column in COLUMNS:
            assert not np.isnan(getattr(reading, column)).any()
    assert "nan" not in page(found, source).partition("<script")[0]
