"""Many people on one model at once: nobody's figures depend on who else is there."""

from __future__ import annotations

import threading
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from victims import TEXTS, make_victim

from advlab.attacks import PGD
from advlab.explain.explore import analyse, explore
from advlab.records import AttackRecord

SENTENCES = TEXTS[:2]
ROUNDS = 24
ATTACK = PGD(1.0, steps=3, start="random")


def everything(victim: Any, text: str) -> tuple[AttackRecord, dict[str, Any]]:
    """A record and what the pages make of it, on a view of the shared model."""
    view = victim.view()
    record = explore(view, text, attack=ATTACK, seed=3, draws=3, points=5)
    made = {
        "saliency": analyse(view, record, "saliency", method="integrated_gradients", steps=4),
        "smooth_grad": analyse(view, record, "saliency", method="smooth_grad", samples=3),
        "surface": analyse(view, record, "surface", grid=3),
        "film": analyse(view, record, "film"),
        "scaled": analyse(view, record, "scaled", points=3),
        "layers": analyse(view, record, "layers"),
        "deep_lift": analyse(view, record, "saliency", method="deep_lift"),
        "kernel_shap": analyse(view, record, "saliency", method="kernel_shap", samples=16),
        "plane": analyse(view, record, "plane", token=int(record.delta_norm.argmax())),
    }
    return record, made


def same(a: Any, b: Any, where: str) -> None:
    for item in fields(a):
        x, y = getattr(a, item.name), getattr(b, item.name)
        if item.name == "seconds":
            continue
        if isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y, err_msg=f"{where}.{item.name}")
        elif hasattr(x, "__dataclass_fields__"):
            same(x, y, f"{where}.{item.name}")
        elif isinstance(x, dict):
            assert x.keys() == y.keys()
            for key in x:
                if hasattr(x[key], "__dataclass_fields__"):
                    same(x[key], y[key], f"{where}.{item.name}.{key}")
        elif not (isinstance(x, float) and np.isnan(x)):
            assert x == y, f"{where}.{item.name}"


@pytest.mark.parametrize("kind", ["bert"])
def test_two_people_at_once_get_the_very_bits_that_each_gets_alone(kind: str) -> None:
    import torch

    victim = make_victim(kind, dtype=torch.float32)
    alone = [everything(victim, text) for text in SENTENCES]
    found: list[list[tuple[AttackRecord, dict[str, Any]]]] = [[], []]
    problems: list[BaseException] = []
    gate = threading.Barrier(2)

    def person(i: int) -> None:
        try:
            for k in range(ROUNDS):
                gate.wait(timeout=60)
                # each looks at both sentences in turn, never at the same one as the other
                found[i].append(everything(victim, SENTENCES[(i + k) % 2]))
        except BaseException as problem:  # a thread's own would be lost
            problems.append(problem)
            gate.abort()

    threads = [threading.Thread(target=person, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    for i in range(2):
        assert len(found[i]) == ROUNDS
        for k, (record, made) in enumerate(found[i]):
            wanted, parts = alone[(i + k) % 2]
            same(record, wanted, f"person {i}, round {k}")
            for name, part in made.items():
                same(part, parts[name], f"person {i}, round {k}: {name}")
