from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any, get_args

import numpy as np
import pytest
import torch
from victims import examples_for, make_victim, taught

from advlab.attacks import ATTACKS, FGM, PGD, CarliniWagner, Minimal, RandomNoise
from advlab.attacks.norms import Ball, P
from advlab.model.victim import Victim
from advlab.records.measured import Grid, Row, Transfer
from advlab.studies.alarms import of_attack, of_model, of_outcomes, of_transfer
from advlab.studies.grid import grid

N = 200


def row(stands: int, noise: int = N, name: str = "pgd", **settings: Any) -> Row:
    place = np.arange(N)
    attack = {"name": name, "unit": "norm", "p": "l2", "ball": "example"} | settings
    right = np.ones(N, dtype=bool)
    return Row(
        "m",
        "h",
        attack,
        (0.5,),
        (0.5,),
        right,
        np.zeros(N),
        np.where(place < stands, 1, 0),
        (place < noise)[None],
    )


def names(*rows: Row, answers: Any = None) -> set[str]:
    made = Grid("d", "h", ("0",) * N, answers or ("no", "yes") * (N // 2), 0.5, 0, rows)
    return {a.name for a in of_outcomes(made, precision=0.1)}


def test_an_attack_below_noise_is_told_and_one_above_is_not() -> None:
    assert names(row(150, noise=100)) == {"weaker than noise"}
    assert names(row(100, noise=98)) == set()  # chance


def test_orders_turned_upside_down_are_told() -> None:
    strong = row(150, steps=20)
    assert names(row(100, steps=5), strong) == {"more steps or restarts are weaker"}
    assert names(row(100, name="fgm"), strong) == {"one step is stronger than many"}
    assert names(row(100, name="spsa"), strong) == {"black box is stronger than gradients"}
    assert names(row(100, name="fgm", p="linf"), strong) == set()  # another ball, no comparison
    assert names(row(180, steps=5), row(185, name="fgm"), row(190, name="spsa"), strong) == set()


def test_only_what_differs_in_effort_alone_is_compared() -> None:
    """Another loss or step length is another question, and an attack made to be small is no rival."""
    alike: dict[str, Any] = {"loss": "ce", "step_size": 0.2}
    weak, strong = row(100, steps=5, **alike), row(150, steps=20, **alike)
    assert names(weak, strong) == {"more steps or restarts are weaker"}
    assert names(weak, row(150, steps=20, loss="dlr", step_size=0.2)) == set()
    assert names(weak, row(150, steps=20, loss="ce", step_size=2.0)) == set()
    assert names(row(100, steps=5, restarts=9), row(150, steps=50, restarts=1)) == set()
    few, many = row(100, name="ensemble", effort=5), row(150, name="ensemble", effort=50)
    assert names(few, many) == {"more steps or restarts are weaker"}
    assert names(row(100, name="fgm"), row(150, name="deepfool", steps=50)) == set()
    assert names(row(100, name="spsa", steps=20), row(150, name="fgm")) == set()


def test_few_texts_and_constant_predictions_are_told() -> None:
    few = Grid("d", "h", ("0",) * N, ("no", "yes") * 100, 0.5, 0, (row(100),))
    assert [a.name for a in of_outcomes(few, precision=0.01)] == ["too few texts"]
    advice = [of_outcomes(few, precision=0.01, more=more)[0].advice for more in (True, False)]
    assert [a.split()[0] for a in advice] == ["Use", "The"]
    victim = make_victim("bert")
    with torch.no_grad():
        victim.model.classifier.weight.zero_()
    found = grid([victim], examples_for(victim), [PGD(steps=2)], [0.5])
    assert "constant predictor" in {a.name for a in of_outcomes(found)}


def test_one_text_read_right_of_many_with_answers_of_their_own_is_no_constant_answer() -> None:
    answers = tuple(f"answer {i}" for i in range(N))
    found = replace(row(0), right=np.arange(N) == 7, broken=np.where(np.arange(N) == 7, 0, -1))
    assert "constant predictor" not in names(found, answers=answers)
    # what it says tells for sure
    assert "constant predictor" in names(replace(found, said=("answer 7",) * N), answers=answers)
    varied = replace(found, said=("answer 7", *answers[1:]))
    assert "constant predictor" not in names(varied, answers=answers)


CHEAP: dict[str, dict[str, Any]] = {
    "autopgd": {"steps": 10},
    "spsa": {"steps": 5, "samples": 4},
    "ensemble": {"effort": 4},
    "fmn": {"steps": 10},
    "cw": {"steps": 10, "searches": 2},
}
RADII: dict[P, float] = {"l2": 0.5, "linf": 0.05, "l1": 2.0}


@pytest.mark.parametrize("seed", range(6))
def test_healthy_models_raise_no_alarm(seed: int) -> None:
    """Every attack in each norm and ball: PGD and single steps on each model, the others in turn."""
    ways = list(product(get_args(P), get_args(Ball)))
    victim, texts = taught(seed)
    assert of_model(victim, texts) == []
    for name, cls in ATTACKS.items():
        quick = name in ("pgd", "fgm", "fgsm")
        for p, ball in ways[seed % 2 :: 2] if quick else (ways[seed % 6],):
            if cls is CarliniWagner and p != "l2":
                continue
            attack = cls(eps=RADII[p], p=p, ball=ball, **CHEAP.get(name, {}))
            if not issubclass(cls, Minimal | RandomNoise):
                assert of_attack(victim, texts, attack) == [], (seed, attack)
    p, ball = ways[seed % 6]
    attacks = [
        cls(p=p, ball=ball, **CHEAP.get(name, {}))
        for name, cls in ATTACKS.items()
        if cls is not CarliniWagner and (seed < 3 or name not in ("spsa", "ensemble"))
    ]
    radii = [0.2 * RADII[p], RADII[p]]
    found = grid([victim], texts, [*attacks, PGD(p=p, ball=ball, steps=3)], radii)
    assert found.rows[0].clean.value > 0.9, "it has learnt"
    assert of_outcomes(found, precision=1.0) == []


class Shrunk(PGD):
    """PGD whose δ comes out a hundred times too short."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        eps = kwargs.pop("eps", None)
        small = 0.01 * (self.eps if eps is None else eps)
        return super().__call__(*args, eps=small, **kwargs)


class HalfBlind(PGD):
    """PGD that never touches every second word."""

    def __call__(
        self, loss_fn: Any, embeds: Any, perturbable: torch.Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        seen = perturbable.clone()
        seen[:, ::2] = False
        return super().__call__(loss_fn, embeds, seen, *args, **kwargs)


def test_broken_attacks_are_found_by_their_own_delta() -> None:
    victim, texts = taught(0)
    assert "δ is too short" in {a.name for a in of_attack(victim, texts, Shrunk(0.5))}
    assert "words are left out" in {a.name for a in of_attack(victim, texts, HalfBlind(0.5))}


class Forgetful(PGD):
    """PGD that undoes what it found the longer it runs."""

    def __call__(self, loss_fn: Any, embeds: Any, *args: Any, **kwargs: Any) -> Any:
        flips = kwargs.pop("flips")
        found: Any = super().__call__(loss_fn, embeds, *args, **kwargs, flips=flips, keep_path=True)
        x = embeds + found.path[-1] / max(1, self.steps - 9)
        return replace(found, first_flip=torch.where(flips(x), 0, -1))


class Timid(PGD):
    """PGD that does nothing where it has much room."""

    def __call__(
        self, loss_fn: Any, embeds: Any, perturbable: torch.Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        seen = perturbable if self.eps < 3 else torch.zeros_like(perturbable)
        return super().__call__(loss_fn, embeds, seen, *args, **kwargs)


def test_attacks_that_do_worse_with_more_steps_or_more_room_are_found() -> None:
    victim, texts = taught(0)
    raw = 2.0 / victim.scale.raw(1.0, "norm")
    assert of_attack(victim, texts, PGD(raw)) == []
    told = {a.name: a for a in of_attack(victim, texts, Forgetful(raw))}
    assert "under twice as many" in told["more steps or restarts are weaker"].evidence
    told = {a.name: a for a in of_attack(victim, texts, Timid(raw))}
    assert "at twice that" in told["accuracy rises with ε"].evidence


def test_one_step_attacks_are_not_asked_to_break_everything_with_one_huge_step() -> None:
    """Where a whole ε is one step, the step may land anywhere: PGD is asked instead."""
    victim, texts = taught(0)
    asked: list[str] = []

    class Watched(FGM):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            asked.append(f"{self.eps / victim.scale.raw(1.0, 'norm'):.1f}")
            return super().__call__(*args, **kwargs)

    assert of_attack(victim, texts, Watched(0.5)) == []
    assert set(asked) == {"0.5", "1.0"}


def test_transfer_that_beats_a_models_own_attack_is_told() -> None:
    def made(*stands: tuple[int, int], possible: bool = True) -> list[Any]:
        place = np.arange(N)
        right = np.array([[place < n for n in line] for line in stands])
        able = np.array([[True, True], [possible, True]])
        ids = ("0",) * N
        return of_transfer(Transfer("delta", ("plain", "odd"), ("a", "b"), ids, right, able))

    (alarm,) = made((40, 90), (150, 160))  # δ of plain leave 90 of odd, its own 160
    assert (alarm.name, alarm.model) == ("transfer is stronger than its own attack", "odd")
    assert alarm.evidence == "45.0% are right under δ made on plain, 80.0% under its own"
    assert "Its gradient misleads" in alarm.advice
    assert made((40, 157), (150, 160)) == []  # chance
    assert made((40, 165), (30, 160), possible=False) == []  # that δ does not fit
    assert len(made((40, 90), (20, 160))) == 2


def test_a_wall_that_no_radius_breaks_is_found() -> None:
    victim, texts = taught(0)
    output = victim.output
    # what the model sees is pulled back to the clean text: no δ arrives
    clean = {}

    def walled(x: Any, batch: Any) -> Any:
        key = batch.input_ids.shape[1]
        clean.setdefault(key, victim.embed(batch).detach())
        return output(clean[key] + 0 * x, batch)

    victim.output = walled  # type: ignore[method-assign]
    assert "a huge ε does not suffice" in {a.name for a in of_attack(victim, texts, PGD(0.5))}


def planted(change: Any) -> set[str]:
    victim = make_victim("bert")
    examples = examples_for(victim)
    output = victim.output
    victim.output = lambda x, batch: change(output, x, batch)  # type: ignore[method-assign]
    return {a.name for a in of_model(victim, examples)}


def test_planted_defences_are_found() -> None:
    assert planted(lambda f, x, b: f(torch.dropout(x, 0.1, True), b)) == {"outputs are random"}
    assert planted(lambda f, x, b: f(x.detach(), b)) == {"no gradient"}
    assert planted(lambda f, x, b: f((x * 4).round() / 4, b)) == {"no gradient"}
    assert planted(lambda f, x, b: 1000 * f(x, b)) == {"no gradient"}
    assert planted(lambda f, x, b: f(x, b)) == set()


def test_grown_embeddings_are_told() -> None:
    victim: Victim = make_victim("bert")
    examples = examples_for(victim)
    assert victim.scale
    with torch.no_grad():
        victim.model.get_input_embeddings().weight.mul_(3)
    victim.forget()
    assert "embeddings grew" in {a.name for a in of_model(victim, examples)}
