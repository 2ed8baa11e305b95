from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from known_loss import (
    RANDOM,
    Bumpy,
    bumpy,
    dice,
    every_attack,
    every_ball,
    every_norm,
    made,
    quick,
    seeds,
    shapes,
)
from torch import Tensor

from advlab.attacks import (
    ATTACKS,
    FGM,
    FGSM,
    PGD,
    Problem,
    RandomNoise,
    attack_settings,
    build_attack,
)
from advlab.attacks.base import Kind
from advlab.attacks.norms import Ball, P, norm, project
from advlab.errors import SettingError
from advlab.records import Scale
from advlab.settings import settings_of


@every_attack
@every_norm
@every_ball
@quick
@given(shape=shapes, seed=seeds, eps=st.sampled_from([0.0, 1e-3, 0.5, 20.0]))
def test_delta_stays_in_its_ball_and_off_the_mask_is_zero(
    name: str, p: P, ball: Ball, shape: tuple[int, int, int], seed: int, eps: float
) -> None:
    x, mask, loss = bumpy(shape, seed)
    found = made(name, p, ball, eps)(loss, x, mask, dice(seed), keep_path=True)
    for delta in (*found.path, found.delta, found.flip_delta):  # the start is path[0]
        assert (delta[~mask] == 0).all()
        assert (norm(delta, p, ball) <= eps * (1 + 1e-9)).all()
    if eps == 0:
        assert (found.delta == 0).all()


@every_attack
@every_norm
@every_ball
@quick
@given(shape=shapes, seed=seeds)
def test_the_best_iterate_is_returned(
    name: str, p: P, ball: Ball, shape: tuple[int, int, int], seed: int
) -> None:
    x, mask, loss = bumpy(shape, seed)
    found = made(name, p, ball, 1.5)(loss, x, mask, dice(seed), keep_path=True)
    seen = torch.stack([loss(x + delta) for delta in found.path])
    torch.testing.assert_close(found.losses, seen)
    torch.testing.assert_close(loss(x + found.delta), seen.max(0).values)
    torch.testing.assert_close(found.loss, seen.max(0).values)
    for b, s in enumerate(found.best_step):
        assert torch.equal(found.path[s, b], found.delta[b])


@every_norm
@every_ball
@quick
@given(shape=shapes, seed=seeds, targeted=st.booleans())
def test_more_steps_and_more_restarts_never_return_less(
    p: P, ball: Ball, shape: tuple[int, int, int], seed: int, targeted: bool
) -> None:
    x, mask, loss = bumpy(shape, seed)
    short = made("pgd", p, ball, 1.5, steps=2, targeted=targeted)
    for longer in (replace(short, steps=6), replace(short, restarts=4)):
        gain = longer(loss, x, mask, dice(seed)).loss - short(loss, x, mask, dice(seed)).loss
        assert ((-gain if targeted else gain) >= 0).all()


@every_norm
@every_ball
def test_more_noise_draws_never_return_less_and_keep_the_norm(p: P, ball: Ball) -> None:
    x, _, loss = bumpy((4, 3, 4), 1)
    mask = torch.ones(4, 3, dtype=torch.bool)
    one = RandomNoise(0.7, "raw", p, ball)
    found = [replace(one, draws=n)(loss, x, mask, dice(5)) for n in (1, 3, 10)]
    assert (found[1].loss >= found[0].loss).all()
    assert (found[2].loss >= found[1].loss).all()
    size = norm(found[2].delta, p, ball)
    torch.testing.assert_close(size, torch.full_like(size, 0.7))


@every_attack
def test_restarts_keep_losses_path_and_step_of_the_same_restart(name: str) -> None:
    x, mask, loss = bumpy((5, 3, 3), 2)
    again = {"draws": 6} if name == "noise" else {"restarts": 6} if name == "pgd" else {}
    found = made(name, "l2", "example", 2.0, **again)(loss, x, mask, dice(), keep_path=True)
    for s, delta in enumerate(found.path):
        torch.testing.assert_close(loss(x + delta), found.losses[s])
    torch.testing.assert_close(found.losses.max(0).values, found.loss)


@pytest.mark.parametrize("name", [n for n in ATTACKS if n != "ensemble"])
@quick
@given(shape=shapes, seed=seeds)
def test_the_first_flip_is_kept(name: str, shape: tuple[int, int, int], seed: int) -> None:
    x, mask, loss = bumpy(shape, seed)
    bar = loss(x) + 0.5
    found = made(name, "l2", "example", 1.5)(
        loss, x, mask, dice(seed), flips=lambda z: loss(z) > bar, keep_path=True
    )
    over = found.losses > bar
    for b in range(len(x)):
        steps = over[:, b].nonzero().flatten().tolist()
        assert found.first_flip[b] == (steps[0] if steps else -1)
        wanted = found.path[steps[0], b] if steps else found.delta[b]
        assert torch.equal(found.flip_delta[b], wanted)


@pytest.mark.parametrize("name", [n for n in ATTACKS if n not in RANDOM])
@every_norm
@every_ball
def test_no_example_depends_on_its_batch_mates(name: str, p: P, ball: Ball) -> None:
    x, mask, loss = bumpy((4, 3, 4), 3)
    start = {"start": "zero"} if name == "pgd" else {}
    attack = made(name, p, ball, 0.8, **start)
    together = attack(loss, x, mask, dice())
    for b in range(4):
        alone = attack(loss.take(torch.tensor([b])), x[b : b + 1], mask[b : b + 1], dice())
        torch.testing.assert_close(alone.delta[0], together.delta[b], rtol=0, atol=1e-12)
    if name not in ("fgm", "fgsm", "pgd"):
        return  # these compare logits; no factor on the loss reaches them
    loud = attack(lambda z: loss(z) * torch.tensor([1.0, 1e6, 1e-6, 1.0]).double(), x, mask)
    torch.testing.assert_close(loud.delta, together.delta, rtol=0, atol=1e-9)


@every_norm
@every_ball
def test_one_step_on_a_linear_loss_is_the_hand_computed_one(p: P, ball: Ball) -> None:
    w = torch.tensor([[3.0, -4.0], [12.0, 0.0], [5.0, 9.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, False]])
    wanted = {
        ("l2", "example"): [[3 / 13, -4 / 13], [12 / 13, 0], [0, 0]],
        ("l2", "token"): [[0.6, -0.8], [1, 0], [0, 0]],
        ("linf", "example"): [[1, -1], [1, 0], [0, 0]],
        ("linf", "token"): [[1, -1], [1, 0], [0, 0]],
        ("l1", "example"): [[0, 0], [1, 0], [0, 0]],
        ("l1", "token"): [[0, -1], [1, 0], [0, 0]],
    }[p, ball]
    x = torch.ones(1, 3, 2, dtype=torch.float64)
    step = 0.25 * torch.tensor([wanted], dtype=torch.float64)
    for attack in (
        FGM(0.25, "raw", p, ball),
        FGSM(0.25, "raw", p, ball),
        PGD(0.25, "raw", p, ball, steps=5, step_size=0.4),
    ):
        found = attack(lambda z: (w * z).sum((1, 2)), x, mask)
        torch.testing.assert_close(found.delta, step)
        torch.testing.assert_close(found.loss, (w * (x + step)).sum((1, 2)))
        toward = replace(attack, targeted=True)(lambda z: (w * z).sum((1, 2)), x, mask)
        torch.testing.assert_close(toward.delta, -step)


def test_momentum_carries_the_direction_over() -> None:
    # the second gradient is (0,1); momentum 1 adds the first, (1,0), each of L1 length 1
    x = torch.zeros(1, 1, 2, dtype=torch.float64)
    mask = torch.ones(1, 1, dtype=torch.bool)

    def loss(z: Tensor) -> Tensor:
        a, b = z[:, 0, 0], z[:, 0, 1]
        return torch.where(a < 0.05, 7 * a, 3 * b)

    attack = PGD(10.0, "raw", "l2", steps=2, step_size=0.01, momentum=1.0)
    path = attack(loss, x, mask, keep_path=True).path
    assert path is not None
    half = 0.1 / 2**0.5
    torch.testing.assert_close(path[1].flatten(), torch.tensor([0.1, 0.0]).double())
    torch.testing.assert_close(path[2].flatten(), torch.tensor([0.1 + half, half]).double())


def test_nesterovs_momentum_takes_the_gradient_where_it_leads() -> None:
    # from (0.1,0) momentum 1 leads to (0.2,0), where the gradient is (0,−2); at (0.1,0) it is (0,3)
    x = torch.zeros(1, 1, 2, dtype=torch.float64)
    mask = torch.ones(1, 1, dtype=torch.bool)
    passes = []

    def loss(z: Tensor) -> Tensor:
        passes.append(z.detach().flatten().tolist())
        a, b = z[:, 0, 0], z[:, 0, 1]
        return torch.where(a < 0.05, 7 * a, torch.where(a < 0.15, 3 * b, -2 * b))

    attack = PGD(10.0, "raw", "l2", steps=2, step_size=0.01, momentum=1.0, nesterov=True)
    found = attack(loss, x, mask, keep_path=True)
    assert found.path is not None
    half = 0.1 / 2**0.5
    torch.testing.assert_close(found.path[1].flatten(), torch.tensor([0.1, 0.0]).double())
    torch.testing.assert_close(found.path[2].flatten(), torch.tensor([0.1 + half, -half]).double())
    assert passes[2] == pytest.approx([0.2, 0.0])
    assert len(passes) == 4  # three iterates and one look ahead
    passes.clear()
    still = replace(attack, momentum=0.0)
    same = replace(still, nesterov=False)
    assert torch.equal(still(loss, x, mask).delta, same(loss, x, mask).delta)


@every_attack
@every_norm
@every_ball
def test_zero_gradients_give_no_nan(name: str, p: P, ball: Ball) -> None:
    x = torch.zeros(2, 3, 4)
    mask = torch.ones(2, 3, dtype=torch.bool)
    for scale in (0.0, 1e-30):
        flat = Bumpy(torch.zeros(3, 1, 12))
        flat.logits = flat.scores = lambda z, k=scale: (z * k).sum(2)[:, :3]  # type: ignore[method-assign]
        found = made(name, p, ball)(flat, x, mask, dice(), keep_path=True)
        assert torch.isfinite(found.path).all()
        assert torch.isfinite(found.losses).all()


@every_attack
def test_radii_may_differ_by_example(name: str) -> None:
    x, _, loss = bumpy((3, 2, 3), 4)
    mask = torch.ones(3, 2, dtype=torch.bool)
    eps = torch.tensor([0.0, 0.1, 2.0], dtype=torch.float64)
    found = made(name, "l2", "example")(loss, x, mask, dice(), eps=eps)
    size = norm(found.delta, "l2", "example").flatten()
    assert size[0] == 0
    assert (size <= eps * (1 + 1e-12)).all()
    assert size[2] > 0.1 or name in ("fgm", "fgsm", "deepfool", "fmn", "cw")  # these may stop short


def test_units_other_than_raw_need_a_scale() -> None:
    x, mask, loss = bumpy((1, 2, 2), 5)
    for name in ATTACKS:
        attack = build_attack({"name": name, "eps": 0.5, "unit": "norm"})
        with pytest.raises(SettingError, match=r"attack\.at\(victim\.scale\)"):
            attack(loss, x, mask)
        raw = attack.at(Scale(mean_norm=3.0, half_nn=0.2))
        assert (raw.eps, raw.unit) == (1.5, "raw")
        assert attack_settings(replace(attack, unit="half-nn").at(Scale(3.0, 0.2)))["eps"] == 0.1


def test_attacks_are_built_by_name_and_say_what_is_wrong() -> None:
    for name in ATTACKS:
        values = attack_settings(ATTACKS[name]())
        assert values["name"] == name
        assert build_attack(values) == ATTACKS[name]()
    with pytest.raises(SettingError, match="choose from autopgd, cw, deepfool, ensemble"):
        build_attack({"name": "jsma"})
    with pytest.raises(SettingError, match="no setting 'epsilon'"):
        build_attack({"name": "pgd", "epsilon": 1})
    with pytest.raises(SettingError, match=r"PGD\.steps: expected a whole number"):
        build_attack({"name": "pgd", "steps": 0})


@every_attack
def test_an_attack_says_what_it_is(name: str) -> None:
    cls = ATTACKS[name]
    assert cls.title
    assert cls.kind in get_args(Kind)
    assert sum(other.title == cls.title for other in ATTACKS.values()) == 1
    effort = {item.name for item in settings_of(cls) if item.name in cls.efforts}
    assert effort == set(cls.efforts)


@every_attack
def test_a_brief_attack_does_less_and_asks_the_same(name: str) -> None:
    cls = ATTACKS[name]
    whole = replace(cls(), **dict.fromkeys(cls.efforts, 40))
    brief = whole.brief(steps=5, draws=3)
    changed = {k for k, v in attack_settings(brief).items() if v != attack_settings(whole)[k]}
    assert changed <= set(cls.efforts)
    assert bool(changed) == bool(cls.efforts)
    for effort in changed:
        assert attack_settings(brief)[effort] <= 5
    assert brief.brief(steps=9, draws=9) == brief


@every_attack
def test_what_breaks_is_broken_by_the_delta_that_comes_with_it(name: str) -> None:
    x, mask, loss = bumpy((8, 3, 4), 6)
    assert not loss.flips(x).all()
    limit = torch.linspace(0.1, 3, 8, dtype=torch.float64)
    broken, deltas = made(name, "l2", "example").breaks(
        Problem(loss, x, mask, limit, dice(), loss.flips)
    )
    assert broken.any()
    assert loss.flips(x + deltas)[broken].all()
    assert not deltas[~broken].any()
    assert (norm(deltas, "l2", "example").flatten() <= limit * (1 + 1e-9)).all()


def test_projection_is_applied_after_every_step() -> None:
    x, mask, loss = bumpy((3, 3, 3), 8)
    found = PGD(0.2, "raw", "l2", steps=5, step_size=5.0)(loss, x, mask, keep_path=True)
    assert found.path is not None
    for delta in found.path[1:]:
        torch.testing.assert_close(delta, project(delta, 0.2, "l2", "example"))
