"""Auto-PGD: its checkpoints, its losses, its step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from victims import labelled, scores_of, shared_victim

from advlab.attacks import PGD, AutoPGD, Problem
from advlab.attacks.autopgd import checkpoints
from advlab.attacks.scores import dlr, margin


def test_checkpoints_are_those_of_the_paper() -> None:
    assert sorted(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]


def test_the_logit_ratio_ignores_scale_and_shift_and_is_positive_when_misread() -> None:
    z = torch.randn(50, 5, dtype=torch.float64)
    y = torch.randint(0, 5, (50,))
    ratio = dlr(scores_of(z, y))
    torch.testing.assert_close(ratio, dlr(scores_of(1000 * z + 7, y)))
    assert torch.equal(ratio > 0, z.argmax(1) != y)
    # by hand: (z₂ − z_y) / (z₁ − z₃) on the sorted logits; the label first, second, last
    by_hand = torch.tensor([[5.0, 3.0, 1.0, 0.0]] * 3, dtype=torch.float64)
    wanted = torch.tensor([-2 / 4, 2 / 4, 5 / 4], dtype=torch.float64)
    torch.testing.assert_close(dlr(scores_of(by_hand, torch.tensor([0, 1, 3]))), wanted)
    two = scores_of(z[:, :2], y % 2)
    torch.testing.assert_close(dlr(two), margin(two))


class Scripted:
    """A loss that follows a script, whatever it is asked: the value and the gradient of each pass."""

    def __init__(self, values: list[float], gradients: list[list[float]]) -> None:
        self.passes = iter(zip(values, gradients, strict=True))

    def __call__(self, x: Tensor) -> Tensor:
        value, gradient = next(self.passes)
        moved = (x - x.detach()) * torch.tensor(gradient, dtype=x.dtype)
        return value + moved.sum((1, 2))


def scripted_path(values: list[float], steps: int) -> Tensor:
    """(S+1,2) the path of Auto-PGD at ε = 1, if the first gradient is (1,0) and all others (0,1)."""
    loss = Scripted(values, [[1.0, 0.0]] + [[0.0, 1.0]] * steps)
    x, mask = torch.zeros(1, 1, 2, dtype=torch.float64), torch.ones(1, 1, dtype=torch.bool)
    found = AutoPGD(1.0, "raw", steps=steps)(loss, x, mask, keep_path=True)
    assert found.path is not None
    return found.path[:, 0, 0]


def test_auto_pgd_goes_on_from_its_best_point_with_that_points_gradient() -> None:
    steps = 50
    first, *_ = sorted(checkpoints(steps))
    path = scripted_path(
        [9.0, *[-float(s) for s in range(steps)]], steps
    )  # falls: the start is best
    torch.testing.assert_close(path[1], torch.tensor([1.0, 0.0]).double())
    assert path[first, 1] > 0.9  # by now along the gradients of the later points
    # from 0 a step of ε, halved from 2ε, along the start's own gradient; momentum leaves 0.75 of it
    torch.testing.assert_close(path[first + 1], torch.tensor([0.75, 0.0]).double())


def test_auto_pgd_halves_its_step_when_its_best_has_not_moved_between_checkpoints() -> None:
    steps = 50
    first, second, third, *_ = sorted(checkpoints(steps))
    # every step rises, but never to what the start had; after the second checkpoint every step falls
    rising = [0.1 * s for s in range(second)]
    path = scripted_path([9.0, *rising, *[-float(s) for s in range(steps - second)]], steps)
    assert (
        path[first + 1, 1] > 0.9
    )  # at the first checkpoint there is no earlier best to compare with
    torch.testing.assert_close(path[second + 1], torch.tensor([0.75, 0.0]).double())
    # the step was 2ε, then ε, now ε / 2
    torch.testing.assert_close(path[third + 1], torch.tensor([0.375, 0.0]).double())


def test_each_targeted_restart_keeps_to_the_class_that_it_began_with(planes: Any) -> None:
    model, x, _ = planes
    problem = Problem(model, x, torch.ones(x.shape[:2], dtype=torch.bool), 1.0)
    raised = AutoPGD(unit="raw", loss="targeted", restarts=9)._rises(problem)
    order = model.logits(x).argsort(1, descending=True)  # the label is first
    assert len(raised) == 3
    far = x + 3 * torch.randn_like(x)
    z = model.logits(far)
    assert not torch.equal(z.argsort(1, descending=True), order)
    for k, score in enumerate(raised, start=1):
        wanted = z.gather(1, order[:, k : k + 1]) - z.gather(1, order[:, :1])
        torch.testing.assert_close(score(problem.ask(far)), wanted.squeeze(1))


@pytest.mark.parametrize("p", ["l2", "linf", "l1"])
@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_auto_pgd_finds_at_least_what_pgd_finds(kind: str, p: Any) -> None:
    """Equal gradient steps and starts: on the mean of a batch it does not fall behind."""
    victim = shared_victim(kind)
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    eps = {"l2": 1.0, "linf": 0.1, "l1": 4.0}[p]
    objective = victim.objective(batch)

    def loss(attack: Any) -> float:
        dice = torch.Generator().manual_seed(0)
        return float(attack(objective, x, batch.perturbable, dice).loss.mean())

    simple = loss(PGD(eps, "raw", p, steps=30, step_size=0.25, start="random"))
    assert loss(AutoPGD(eps, "raw", p, steps=30)) > simple - 0.01 * abs(simple)


def test_targeted_restarts_go_through_the_other_classes() -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    attack = AutoPGD(3.0, "raw", steps=20, loss="targeted", restarts=5)
    rises = attack._rises(Problem(objective, x, batch.perturbable, 3.0))
    assert len(rises) == 2  # three classes, two of them wrong
    found = attack(
        objective, x, batch.perturbable, torch.Generator().manual_seed(0), flips=objective.flips
    )
    assert (found.first_flip >= 0).all()
