"""Every architecture works, or the part that cannot says why while the rest goes on."""

from __future__ import annotations

import pytest
import torch
from architectures import ARCHITECTURES, architecture_victim
from victims import TEXTS

from advlab.attacks import build_attack
from advlab.errors import AdvlabError, ModelError, SettingError
from advlab.explain.explore import analyse, explore
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.training.methods import build_method
from advlab.training.methods.base import Step

# refused when loaded, and what the reason names
REFUSED = {
    "convbert": "the same logits from ids and from their embeddings",
    "ctrl": "the same logits from ids and from their embeddings",
    "ibert": "runs from embeddings",
    "longformer": "runs from embeddings",
    "mobilebert": "the same logits from ids and from their embeddings",
    "nystromformer": "the same logits from ids and from their embeddings",
}
# works but for δ within its blocks
NO_BLOCKS = {
    "albert": "found none",
    "flaubert": "fails from block 1 on",
    "funnel": "did not",
    "squeezebert": "did not",
    "xlm": "fails from block 1 on",
    "xlnet": r"gives block 0 a tensor of shape \(\d+, 2, 16\)",
}
NO_LAYERS = {"funnel": "joins tokens on the way"}
NO_ROLLOUT = {"falcon"}
OPEN = sorted(set(ARCHITECTURES) - set(REFUSED))
LABELLED = [Example("0", TEXTS[0], ("no",)), Example("1", TEXTS[1], ("yes",))]


def trained(victim: Victim, method: str) -> dict[str, float]:
    """One batch; every parameter that the loss reaches has a finite gradient."""
    twin = victim.apart()
    twin.model.train().requires_grad_(True)
    dice = torch.Generator().manual_seed(0)
    told = build_method({"name": method}).backward(
        twin, twin.encode(LABELLED), Step(generator=dice)
    )
    grads = [p.grad for p in twin.model.parameters() if p.grad is not None]
    assert grads
    assert all(bool(g.isfinite().all()) for g in grads)
    return told


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_an_architecture_that_cannot_be_perturbed_is_refused_with_the_reason(kind: str) -> None:
    with pytest.raises(ModelError, match=REFUSED[kind]):
        architecture_victim(kind)


@pytest.mark.parametrize("kind", OPEN)
def test_an_architecture_is_attacked_explained_and_trained(kind: str) -> None:
    victim = architecture_victim(kind)
    record = explore(victim, TEXTS[0], attack=build_attack({"name": "pgd", "eps": 0.5}), seed=0)
    again = explore(victim, TEXTS[0], attack=build_attack({"name": "pgd", "eps": 0.5}), seed=0)
    assert (record.delta == again.delta).all()
    assert record.clean.answers[0] in victim.head
    for name in ("saliency", "surface", "nearest", "exits"):
        analyse(victim, record, name)
    assert trained(victim, "pgd")["delta_norm"] > 0

    if kind in NO_LAYERS:
        with pytest.raises(SettingError, match=NO_LAYERS[kind]):
            analyse(victim, record, "layers")
    else:
        shown = analyse(victim, record, "layers")
        assert len(shown.gradients_clean) >= 2
        assert bool(shown.note) or kind not in NO_ROLLOUT

    for method in ("hidden", "smart"):
        if kind in NO_BLOCKS:
            with pytest.raises(AdvlabError, match=NO_BLOCKS[kind]) as told:
                trained(victim, method)
            assert "perturb the word embeddings instead" in str(told.value)
        else:
            assert trained(victim, method)["delta_norm"] > 0
