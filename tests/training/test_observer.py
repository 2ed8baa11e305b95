"""Who watches a training method changes nothing, and is shown what the method computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from victims import labelled, make_victim

from advlab.training.methods import METHODS, Step, build_method
from advlab.training.methods.observer import Observer


class Everything(Observer):
    """Keeps all that it is shown, by the name of the call."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, tuple[Any, ...]]] = []

    def __getattribute__(self, name: str) -> Any:
        if name not in ("clean", "began", "probed", "moved", "trained"):
            return super().__getattribute__(name)
        return lambda *shown: self.seen.append((name, shown))


def one_batch(name: str, observer: Observer) -> tuple[list[Tensor], dict[str, float], Tensor]:
    """Gradients, what the method tells, and the random state that it leaves."""
    victim = make_victim("bert", dropout=0.2)
    batch = labelled(victim)
    victim.model.train()
    torch.manual_seed(7)
    given = Step(generator=torch.Generator().manual_seed(1), observer=observer)
    told = build_method({"name": name}).backward(victim, batch, given)
    grads = [p.grad for p in victim.model.parameters() if p.grad is not None]
    return grads, told, torch.get_rng_state()


@pytest.mark.parametrize("name", METHODS)
def test_gradients_are_bit_for_bit_the_same_with_and_without_an_observer(name: str) -> None:
    grads, told, dice = one_batch(name, Observer())
    watched, said, after = one_batch(name, Everything())
    assert len(grads) == len(watched) > 0
    assert all(torch.equal(a, b) for a, b in zip(grads, watched, strict=True))
    assert told == said
    assert torch.equal(dice, after)


@pytest.mark.parametrize("name", [n for n, cls in METHODS.items() if not cls.unobserved])
def test_a_method_that_can_be_followed_shows_all_its_passes_and_steps(name: str) -> None:
    watch = Everything()
    method: Any = build_method({"name": name})
    _, told, _ = one_batch(name, watch)
    calls = [call for call, _ in watch.seen]
    assert ("clean" in calls) == ("clean_loss" in told)
    assert ("trained" in calls) == ("adv_loss" in told)
    moves = getattr(method, "steps", int(name in ("fgm", "fgsm", "fast")))
    assert calls.count("moved") == moves - name.startswith("freelb")  # its last pass moves nothing
    assert calls.count("trained") == (moves if name.startswith("freelb") else int(name != "plain"))


def test_nothing_is_projected_where_a_method_has_no_ball() -> None:
    for name, held in (("freelb", True), ("freelb++", False)):
        watch = Everything()
        one_batch(name, watch)
        moves = [shown for call, shown in watch.seen if call == "moved"]
        assert moves
        assert all((after is not stepped) == held for _, stepped, after in moves)
