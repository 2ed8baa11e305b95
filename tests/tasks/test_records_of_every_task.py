"""Explanations and capsules know no task: here are three they never saw."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from every_task import right
from seam_tasks import KINDS, TRANSLATIONS, examples_of, shared_seam

from advlab.attacks import PGD
from advlab.capsule.format import load, save
from advlab.errors import DataError, SettingError
from advlab.explain.explore import ANALYSES, analyse, explore
from advlab.explain.subject import Subject
from advlab.records import AttackRecord


@lru_cache
def record_of(kind: str) -> AttackRecord:
    victim, example = shared_seam(kind), examples_of(kind)[0]
    attack = PGD(2.0, steps=5)
    return explore(victim, example.text, beside=example.beside, attack=attack, points=7, draws=4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_made_of_any_task(kind: str) -> None:
    victim, record = shared_seam(kind), record_of(kind)
    T = len(record.tokens)
    assert record.task["name"] == victim.task.name
    assert record.reference == right(kind)[0].answer == record.clean.answers[0]
    assert not record.clean.broken[0]
    assert record.attacked.loss[0] > record.clean.loss[0]
    assert record.delta.shape == (T, 16)
    assert len(record.word_of) == len(record.spans) == len(record.perturbable) == T
    assert not record.delta[~record.perturbable].any()
    assert [record.words[w] for w in record.word_of[record.perturbable]] == record.text.split()
    assert record.flipped == (record.attacked.margin[0] < 0)
    assert record.curve.attacked.loss[0] == pytest.approx(record.clean.loss[0])
    for values in record.clean.parts.values():
        assert values.ndim == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_must_stand_is_read_as_it_is_whatever_reference_is_given(kind: str) -> None:
    """The model's own answer is judged behind its own words, not behind those of the reference."""
    victim, attack = shared_seam(kind), PGD(2.0, steps=3).at(shared_seam(kind).scale)
    broke = 0
    for given in examples_of(kind):
        bare = replace(given, answers=(), place=None)
        stages = [Subject.set(victim, example, attack) for example in (bare, given)]
        own, other = stages
        assert own.answer == other.answer != given.answer
        dice = torch.Generator().manual_seed(0)
        T = max(subject.embeds.shape[1] for subject in stages)
        delta = torch.randn(8, T, 16, generator=dice).double() * torch.arange(8).reshape(-1, 1, 1)
        found = []
        for subject in stages:
            free = subject.batch.perturbable.unsqueeze(-1)
            found.append(subject.read(delta[:, : free.shape[1]] * free))
        alone, beside = found
        np.testing.assert_allclose(beside.hold, alone.margin, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(beside.broken, alone.broken)
        assert beside.answers == alone.answers
        assert beside.answers[0] == other.answer
        assert not beside.broken[0]
        broke += int(beside.broken.sum())
        assert not np.allclose(beside.margin, alone.margin)
    assert broke


@pytest.mark.parametrize("kind", KINDS)
def test_a_capsule_keeps_what_a_task_says_of_each_place(kind: str) -> None:
    record = record_of(kind)
    found = load(save(record, shared_seam(kind).tokenizer_hash).encode())
    assert found.changed == ()
    assert found.classes == ()
    for name, made in {**record.readings, "curve": record.curve.attacked}.items():
        assert found.readings[name].answers == made.answers
        for part, values in made.parts.items():
            np.testing.assert_array_equal(found.readings[name].parts[part], values)


@pytest.mark.parametrize("shape", [[], [1, 2, 2, 2], "no", [1, 2049], [1, -1], [2, 2]])
def test_a_part_of_a_capsule_has_few_axes_of_bounded_size(shape: Any) -> None:
    import json

    whole = json.loads(save(record_of("bert"), ""))
    whole["results"]["readings"]["clean"]["parts"]["start"]["shape"] = shape
    with pytest.raises(DataError, match="no capsule"):
        load(json.dumps(whole).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_asked_of_a_record_later_is_answered(kind: str) -> None:
    victim, record = shared_seam(kind), record_of(kind)
    token = int(np.flatnonzero(record.perturbable)[0])
    asked: dict[str, dict[str, Any]] = {name: {} for name in ANALYSES} | {
        "plane": {"token": token},
        "distances": {"token": token},
        "saliency": {"method": "input_x_gradient"},
        "surface": {"grid": 5},
        "substitutions": {"top": 2},
    }
    for name, options in asked.items():
        # none of these tasks says that it writes; only some have both sides
        if name == "written" or (name == "alignment" and kind not in TRANSLATIONS):
            with pytest.raises(SettingError, match="expected a model"):
                analyse(victim, record, name)
            continue
        assert analyse(victim, record, name, **options) is not None, name
