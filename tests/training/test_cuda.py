"""The same on a GPU as on the CPU. Skipped where torch sees none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_loop import config_for, of_kind, run, stop_after
from victims import TEXTS, examples_for, labelled, make_victim, write_reviews

from advlab.attacks import ATTACKS, PGD, build_attack
from advlab.attacks.evaluate import evaluate
from advlab.explain.explore import explore
from advlab.model.victim import Victim
from advlab.training.methods import METHODS

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
    attack, deltas = build_attack({"name": name}), []
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
        deltas.append(found.delta.cpu())
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
