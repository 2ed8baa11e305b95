from __future__ import annotations

import pytest
import torch
from victims import TEXTS, shared_victim

from advlab.attacks import PGD, Problem
from advlab.attacks.evaluate import first_broken, survives
from advlab.attacks.norms import norm
from advlab.records import Example

TEXTS_MANY = [f"{a} {b}" for a in TEXTS for b in ("good film", "the plot was slow", "we saw it")]
ATTACKS = (
    PGD(1.0, steps=6),
    PGD(1.0, steps=5, start="random", restarts=3),
    PGD(2.0, steps=4, ball="token"),
    PGD(0.2, p="linf", steps=4),
    PGD(1.5, steps=5, momentum=0.9),
    PGD(1.5, steps=5, momentum=0.9, nesterov=True),
    PGD(0.2, p="linf", steps=4, momentum=0.7, nesterov=True, start="random", restarts=2),
)


def examples(kind: str) -> list[Example]:
    """Texts with the model's own predictions as labels, some of them made wrong."""
    victim = shared_victim(kind)
    batch = victim.encode(TEXTS_MANY)
    said = victim.output(victim.embed(batch), batch).argmax(-1).tolist()
    return [
        Example(str(i), text, (victim.head[(label + (i % 5 == 4)) % len(victim.head)],))
        for i, (text, label) in enumerate(zip(TEXTS_MANY, said, strict=True))
    ]


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_what_is_broken_is_broken_by_a_delta_inside_its_own_ball(kind: str, attack: PGD) -> None:
    victim = shared_victim(kind)
    batch = victim.encode(examples(kind))
    raw = attack.at(victim.scale)
    eps = raw.eps * torch.linspace(0.2, 3, len(batch), dtype=torch.float64)
    objective, embeds = victim.objective(batch), victim.embed(batch).detach()
    dice = torch.Generator().manual_seed(0)
    problem = Problem(objective, embeds, batch.perturbable, eps, dice, objective.flips)
    broken, deltas = raw.breaks(problem)
    size = norm(deltas, raw.p, raw.ball).reshape(len(batch), -1).amax(1)
    assert (size <= eps * (1 + 1e-9)).all()
    assert not deltas[~batch.perturbable].any()
    flips = victim.objective(batch).flips(embeds + deltas)
    torch.testing.assert_close(flips[broken], torch.ones_like(flips[broken]))
    assert broken.any()
    # the picture-making attack breaks the same ones
    found = raw(
        objective,
        embeds,
        batch.perturbable,
        torch.Generator().manual_seed(0),
        eps=eps,
        flips=objective.flips,
    )
    torch.testing.assert_close(broken, found.first_flip >= 0)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_looking_from_above_finds_what_looking_at_every_radius_finds(kind: str) -> None:
    victim, texts = shared_victim(kind), examples(kind)
    radii = (0.1, 0.3, 0.6, 1.0, 2.0)
    attack = PGD(2.0, steps=8, step_size=0.3)
    found = first_broken(victim, texts, attack, radii)
    alive = survives(victim, texts)
    assert [place < 0 for place in found] == [not ok for ok in alive]
    for k, radius in enumerate(radii):
        kept = survives(victim, texts, PGD(radius, steps=8, step_size=0.3))
        alive = [a and b for a, b in zip(alive, kept, strict=True)]
        mine = [place > k for place in found]
        assert sum(mine) <= sum(alive) + 1  # an attack from above may miss one, and may find more
        assert sum(a != b for a, b in zip(mine, alive, strict=True)) <= 2
    assert len(set(found)) > 2
