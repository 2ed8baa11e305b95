"""Facts are measured on whatever models are here, and every lesson can be told with them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import diary
from victims import taught

from advlab.errors import RunError
from advlab.language import LANGUAGES, speak
from advlab.lessons.blocks import Predict, Reveal
from advlab.lessons.course import filled, lesson, names, shown, texts
from advlab.lessons.facts import FACTS, Models
from advlab.lessons.facts.place import PlaceFacts
from advlab.records import Event
from advlab.ui.learn.card import agrees, measured, spoken

TEXT = "the film was not good but we would see it again"


@lru_cache
def models() -> Models:
    plain, known = taught(0)
    robust, _ = taught(1)
    run = diary(lambda k: 0.7 - k / 400, lambda k: 0.7 - k / 800)
    run.append(Event("end", 1000, 0.0, {"cost": 2.0}))
    return Models(plain, robust, known, run, run, own=robust)


@lru_cache
def facts(kind: str) -> Any:
    if kind == "answers":  # what it reads of a record is the same for every task
        return FACTS[kind].observe(models(), scene("02-noise"))
    return FACTS[kind].observe(models(), scene(next(n for n in names() if lesson(n).facts == kind)))


def scene(name: str) -> Any:
    return replace(lesson(name), text=TEXT, beside="", texts=6)


@pytest.mark.parametrize("kind", FACTS)
def test_what_comes_out_is_one_of_the_outcomes(kind: str):
    assert facts(kind).outcome in FACTS[kind].outcomes


@pytest.mark.parametrize("spoken_", LANGUAGES)
@pytest.mark.parametrize("name", names())
def test_every_lesson_is_told_with_what_is_measured(name: str, spoken_: str):
    with speak(spoken_):
        one = lesson(name)
    found = facts(one.facts)
    for step in one.steps:
        for text in texts(step):
            told = filled(text, found)
            assert "nan" not in told.replace("finan", "").split(), told
        assert shown(step) <= FACTS[one.facts].names
        reveal, predict = step.first(Reveal), step.first(Predict)
        if isinstance(reveal, Reveal):
            assert filled(reveal.cases[getattr(found, reveal.by)], found)
        if isinstance(predict, Predict):
            value = measured(predict, found)
            json.dumps(value, allow_nan=False)
            assert spoken(predict, value)
            assert agrees(predict, value, value) is not False
            if predict.kind == "choice":
                assert value in predict.options, step.title
            if predict.kind == "curve":
                assert len(value) == len(predict.at)


def test_the_beginners_code_meets_torchs_own_error():
    found = facts("reading")
    assert found.error.startswith("RuntimeError: only Tensors of floating point dtype")
    assert "Long, Int" in found.cast_error
    assert len(found.tokens) == len(found.ids) == len(TEXT.split())


def test_noise_and_attack_are_as_explore_shows_them():
    from advlab.attacks import PGD
    from advlab.explain.explore import explore

    found = facts("noise")
    record = explore(models().plain, TEXT, attack=PGD(found.eps))
    assert found.flips == int(record.noise.broken.sum())
    assert found.attacked == record.attacked.answers[0]
    if record.curve.flip_eps is not None:
        assert found.flip == pytest.approx(record.curve.flip_eps / record.scale.mean_norm)


def test_the_word_that_is_needed_is_the_one_without_which_the_attack_goes_farthest():
    from advlab.attacks import PGD
    from advlab.explain.explore import explore

    found, victim = facts("word"), models().plain
    far = {}
    for start in [0, *(i + 1 for i, c in enumerate(TEXT) if c == " ")]:
        word = TEXT[start:].split()[0]
        record = explore(
            victim, TEXT, attack=PGD(found.eps), shield=[(start, start + len(word))], draws=1
        )
        flip = record.curve.flip_eps
        far[word] = np.inf if flip is None else flip / record.scale.mean_norm
    assert far[found.word] == max(far.values())


def test_a_prediction_is_right_near_what_is_measured():
    number = Predict("number", "?", "x", unit="%", within=10.0)
    assert agrees(number, 45.0, 53.3) is True
    assert agrees(number, 40.0, 53.3) is False
    assert agrees(Predict("word", "?", "x"), "Never", "never") is True
    assert agrees(Predict("curve", "?", "x", at=("1",)), [1.0], [2.0]) is None
    place = PlaceFacts("a", "b", "a", 5, 0, 8.0, 0.1, 3, 1, 0, 1)
    assert (place.moved_band, place.again, place.outcome) == ("none", "clean", "no_sentence")
    assert replace(place, moved=3).moved_band == "more"


def test_planted_defences_are_found_out_and_the_real_one_is_not():
    from advlab.lessons.planted import constant, masked

    plain, known = models().plain, models().texts
    batch = plain.encode(known)
    answers = [plain.answers(v.embed(batch), batch) for v in (plain,)]
    assert masked(plain).answers(plain.embed(batch), batch) == answers[0]
    assert len(set(constant(plain).answers(plain.embed(batch), batch))) == 1
    found = facts("lies")
    assert "no gradient" in found.a_alarms
    assert "constant predictor" in found.c_alarms
    assert found.real not in [k for k in "ac" if k in found.silent]


def test_a_defence_of_ones_own_must_be_trained_first():
    without = replace(models(), own=None)
    with pytest.raises(RunError, match="train one first"):
        FACTS["own"].observe(without, scene(names()[0]))


def test_a_defence_that_says_one_thing_to_every_sentence_has_collapsed():
    from advlab.lessons.planted import constant

    facts = FACTS["own"].observe(replace(models(), own=constant(models().plain)), scene(names()[0]))
    assert facts.outcome == "collapsed"
    assert facts.own_clean == facts.own_left > 0


def test_planted_defences_are_of_the_models_that_are_here_now(advlab_home: Path):
    from advlab.lessons.planted import plant
    from advlab.model.card import weights_hash

    one, other = models().plain, models().robust
    before = {k: weights_hash(folder) for k, folder in plant(one, other).items()}
    stamps = [(f / "config.json").stat().st_mtime_ns for f in plant(one, other).values()]
    after = plant(other, one)
    assert weights_hash(after["b"]) == one.hash != before["b"] == other.hash
    assert all(weights_hash(folder) != before[k] for k, folder in after.items())
    assert stamps != [(f / "config.json").stat().st_mtime_ns for f in after.values()]
