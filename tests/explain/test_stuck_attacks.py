from __future__ import annotations

import pytest
import torch
from explored import TEXT
from victims import shared_victim, taught

from advlab.attacks import FGM, PGD, Attack, AutoPGD, DeepFool
from advlab.explain.explore import explore
from advlab.model.victim import Victim
from advlab.pictures.findings import finding, sentence
from advlab.pictures.sentences import headline


def saturated() -> tuple[Victim, str]:
    """A model whose scores are so far apart that its loss rounds to 0, and a text it reads right."""
    victim, examples = taught(0)
    with torch.no_grad():
        victim.model.classifier.weight *= 1e5
        victim.model.classifier.bias *= 1e5
    return victim, examples[0].text


@pytest.mark.parametrize("attack", [PGD(), FGM(), PGD(start="random"), PGD(targeted=True)])
def test_an_attack_without_a_gradient_is_not_told_as_robustness(attack: Attack):
    victim, text = saturated()
    record = explore(victim, text, attack=attack)
    assert record.stuck
    assert not record.flipped
    told = headline(record)
    assert "no gradient came" in told
    assert "Holds" not in told
    assert "No token moved" not in told
    assert finding(record).outcome == "no gradient"
    assert "On 1 the attack could not begin" in sentence("M", [finding(record)])


@pytest.mark.parametrize("attack", [AutoPGD(loss="dlr"), DeepFool()])
def test_attacks_that_compare_scores_move_where_the_loss_is_flat(attack: Attack):
    victim, text = saturated()
    assert not explore(victim, text, attack=attack).stuck


def test_an_attack_without_room_is_not_called_stuck():
    record = explore(shared_victim("bert"), TEXT, attack=PGD(0.0))
    assert not record.stuck
    assert "no gradient" not in headline(record)
