"""The same on a GPU as on the CPU. Skipped where torch sees none."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from short_runs import config_for, of_kind, run, stop_after
from task_cases import KINDS, case
from victims import TEXTS, examples_for, labelled, make_victim, write_reviews

from advlab.attacks import ATTACKS, PGD, build_attack
from advlab.attacks.evaluate import evaluate
from advlab.errors import AdvlabError, SettingError
from advlab.explain.explore import ANALYSES, analyse, explore
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.runs.starters import starter_pair
from advlab.studies.carryover import carry_over, transfer
from advlab.tasks import build_task
from advlab.training.methods import METHODS, methods_for

GPU = "cuda"
ADAPTIVE = ("autopgd", "ensemble")  # near the top rounding decides whether the step is halved
METHODS_OF_TASKS = [(t, m) for t in KINDS for m in methods_for(type(build_task(t)))]
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")


@pytest.fixture(scope="module")
def pair() -> tuple[Victim, Victim]:
    """One model on the CPU and on the GPU, float64."""
    here, there = make_victim("bert"), make_victim("bert")
    there.model.cuda()
    there.forget()
    return here, there


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_find_the_same_delta(name: str, pair: tuple[Victim, Victim]) -> None:
    attack, deltas, losses = build_attack({"name": name}), [], []
    for victim in pair:
        batch = labelled(victim)
        objective = victim.objective(batch)
        with victim.analysing():
            found = attack.at(victim.scale)(
                objective,
                victim.embed(batch).detach(),
                batch.perturbable,
                torch.Generator().manual_seed(0),
                flips=objective.flips,
            )
            losses.append(objective(victim.embed(batch) + found.delta).detach().cpu())
        deltas.append(found.delta.cpu())
    assert torch.allclose(*losses, atol=1e-6)
    if name not in ADAPTIVE:
        assert torch.allclose(*deltas, atol=1e-6)


def test_measurements_agree(pair: tuple[Victim, Victim]) -> None:
    here, there = (
        evaluate(v, examples_for(v), PGD(steps=5), eps=[0.1, 0.5], noise_draws=2) for v in pair
    )
    assert (here.broken == there.broken).all()
    assert (here.noise == there.noise).all()


def test_a_sentence_is_explored_alike(pair: tuple[Victim, Victim]) -> None:
    here, there = (explore(v, TEXTS[1], attack=PGD(0.5, steps=5)) for v in pair)
    assert here.flipped == there.flipped
    assert abs(here.attacked.loss - there.attacked.loss).max() < 1e-6


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_and_is_resumed_there(name: str, tmp_path: Path) -> None:
    texts = write_reviews(tmp_path / "texts.csv", 120)
    config = config_for(texts, {"name": name}, epochs=1)
    config = replace(config, train=replace(config.train, clean_start=0.0))
    run(config, tmp_path / "a", device="cuda", stop=stop_after(2))
    events = run(config, tmp_path / "a", device="cuda", resume=True)
    whole = run(config, tmp_path / "b", device="cuda")
    resumed, straight = (of_kind(e, "epoch")[-1].values for e in (events, whole))
    assert resumed["validation_loss"] == pytest.approx(straight["validation_loss"], rel=1e-3)


# ---- the other tasks ------------------------------------------------------------------------------

ANSWER = 1e-6  # of numbers in float64


@pytest.fixture(scope="module", params=KINDS)
def two(request: pytest.FixtureRequest) -> tuple[list[Victim], list[Example]]:
    """One model of a task on the CPU and on the GPU, float64, and texts with its own answers."""
    here, examples = case(request.param)
    there = copy.deepcopy(here)
    there.model.to(GPU)
    there.forget()
    batch = here.encode(examples)
    said = here.answers(here.embed(batch), batch)
    known = [replace(e, answers=(a,), place=None) for e, a in zip(examples, said, strict=True)]
    return [here, there], known


def same(a: Any, b: Any, where: str = "") -> None:
    """Field by field, numbers as far as rounding lets them agree."""
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        assert type(a) is type(b), where
        for f in dataclasses.fields(a):
            if f.name != "seconds":
                same(getattr(a, f.name), getattr(b, f.name), f"{where}.{f.name}")
    elif isinstance(a, Mapping):
        assert a.keys() == b.keys(), where
        for key in a:
            same(a[key], b[key], f"{where}[{key}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}[{i}]")
    elif (isinstance(a, np.ndarray) and a.dtype.kind == "f") or isinstance(a, float):
        np.testing.assert_allclose(b, a, rtol=ANSWER, atol=ANSWER, err_msg=where)
    elif isinstance(a, np.ndarray):
        assert (a == b).all(), where
    else:
        assert a == b, where


def test_every_task_measures_alike(two: tuple[list[Victim], list[Example]]) -> None:
    here, there = (evaluate(v, two[1], PGD(steps=5), eps=[0.5, 2.0], noise_draws=2) for v in two[0])
    same(here, there)


def test_every_view_of_every_task_is_made_alike(two: tuple[list[Victim], list[Example]]) -> None:
    victims, examples = two
    e = examples[0]
    records = [
        explore(v, e.text, label=e.answers[0], beside=e.beside, attack=PGD(2.0, steps=4), points=5)
        for v in victims
    ]
    same(*records)
    token = int(np.linalg.norm(records[0].delta, axis=1).argmax())
    options: dict[str, dict[str, Any]] = {"saliency": {"method": "gradient"}}
    options |= {key: {"token": token} for key in ("plane", "distances")}
    for name in ANALYSES:
        more = options.get(name, {})
        found: list[Any] = []
        for victim, record in zip(victims, records, strict=True):
            try:
                found.append(analyse(victim, record, name, **more))
            except AdvlabError as error:  # not for this task: then for neither
                found.append(str(error))
        if name != "film":  # rounding may decide which of two equal frames is kept
            same(*found, where=name)


def test_every_task_carries_over_and_transfers_alike(
    two: tuple[list[Victim], list[Example]],
) -> None:
    victims, examples = two
    same(*(carry_over([v], examples, 0.5, fitting=examples).right for v in victims))
    for what in ("delta", "words"):
        same(*(transfer([v, v.view()], examples, 1.0, what).right for v in victims))


@pytest.mark.parametrize(("task", "name"), METHODS_OF_TASKS)
def test_every_task_trains_there_by_every_method(task: str, name: str, tmp_path: Path) -> None:
    plain, _ = starter_pair(3, task=task)
    config = replace(
        plain,
        data=replace(plain.data, limit=64),
        method={"name": name},
        train=replace(plain.train, epochs=1, clean_start=0.0, eval_limit=4),
    )
    try:
        here = run(config, tmp_path / "cpu")
    except SettingError:  # not for models of this kind
        return
    there = run(config, tmp_path / "gpu", device=GPU)
    losses = [of_kind(events, "epoch")[-1].values["validation_loss"] for events in (here, there)]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
