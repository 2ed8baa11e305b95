from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from victims import examples_for, make_victim, shared_victim, taught

from advlab.attacks.evaluate import survives
from advlab.attacks.hotflip import HotFlip
from advlab.attacks.norms import norm
from advlab.attacks.universal import Universal, spread
from advlab.errors import DataError
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.records.measured import CarryOver
from advlab.studies.carryover import (
    ONE_WORD,
    THREE_WORDS,
    UNIVERSAL,
    carry_over,
    kinds_of_attack,
    transfer,
    under_hotflip,
    under_universal,
    with_worst_word,
)
from advlab.studies.kept import Outcomes

EPS = 2.0


@pytest.fixture(scope="module")
def pair() -> tuple[list[Victim], list[Example]]:
    one, texts = taught(0)
    other, _ = taught(1)
    other.name = "other"
    return [one, other], texts


@pytest.fixture(scope="module")
def found(pair: Any) -> CarryOver:
    victims, texts = pair
    return carry_over(victims, texts, EPS, fitting=texts)


def test_every_kind_may_be_as_long_on_a_text_of_median_length() -> None:
    T, D = 9, 16
    for name, attack in kinds_of_attack(0.7, T, D).items():
        corner = torch.ones(1, T, D, dtype=torch.float64)
        if attack.p == "linf":
            widest = corner * attack.eps
        elif attack.ball == "token":
            widest = corner * attack.eps / D**0.5
        else:
            widest = corner * attack.eps / (T * D) ** 0.5
        assert float(norm(widest, "l2", "example").max()) == pytest.approx(0.7), name


def test_a_universal_delta_has_the_length_asked_for_and_spares_special_tokens() -> None:
    u = torch.nn.functional.normalize(torch.randn(16, dtype=torch.float64), dim=0)
    mask = torch.tensor([[False, True, True, False], [False, True, False, False], [False] * 4])
    delta = spread(u, mask, 0.3)
    assert delta[~mask].abs().max() == 0
    lengths = delta.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([0.3, 0.3, 0.0], dtype=torch.float64))


def test_the_universal_direction_of_a_linear_loss_is_its_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Loss Σ_t w·x_t: the mean over texts is largest at u = w/‖w‖."""
    victim = shared_victim("bert")
    w = torch.linspace(-1, 2, 16, dtype=torch.float64)
    monkeypatch.setattr(victim, "objective", lambda batch: lambda x: (x @ w).sum(1))
    u = Universal(1.0, passes=12, step_size=1.0).fit(victim, examples_for(victim))
    assert float(u @ w / w.norm()) > 0.99
    assert float(u.norm()) == pytest.approx(1.0)


def test_a_fitted_universal_delta_breaks_more_than_a_drawn_one(pair: Any) -> None:
    [victim, _], texts = pair
    raw = victim.scale.raw(4.0, "norm")
    fitted = Universal(4.0).fit(victim, texts).tolist()
    left = sum(under_universal(victim, texts, fitted, raw))
    drawn = [
        sum(
            under_universal(
                victim,
                texts,
                torch.nn.functional.normalize(
                    torch.randn(16, generator=torch.Generator().manual_seed(s)), dim=0
                ).tolist(),
                raw,
            )
        )
        for s in range(5)
    ]
    assert left <= min(drawn)
    assert left < sum(drawn) / len(drawn)
    assert left <= len(texts) / 2  # all of one class are read as the other


def test_the_table_holds_what_each_attack_alone_finds(pair: Any, found: CarryOver) -> None:
    victims, texts = pair
    for m, victim in enumerate(victims):
        pgd = found.right[m, found.kinds.index("PGD-20")]
        attack = next(a for n, a in kinds_of_attack(EPS, 1, 1).items() if n == "PGD-20")
        assert pgd.tolist() == survives(victim, texts, attack)
        flipped = found.right[m, found.kinds.index(ONE_WORD)]
        assert flipped.tolist() == under_hotflip(victim, texts, HotFlip(1))
    clean = np.array([survives(v, texts) for v in victims])
    assert (
        found.right <= clean[:, None]
    ).all()  # nothing is right under attack that is wrong clean
    one, three = found.kinds.index(ONE_WORD), found.kinds.index(THREE_WORDS)
    assert (found.right[:, three] <= found.right[:, one]).all()
    noise, strong = found.kinds.index("random noise"), found.kinds.index("PGD-20")
    assert found.share(0, strong).value < found.share(0, noise).value
    assert found.kinds.index(UNIVERSAL) < one


def test_it_is_read_back_and_can_be_stopped(pair: Any, found: CarryOver, tmp_path: Path) -> None:
    victims, texts = pair
    asked: list[str] = []

    def stop(share: float, what: str) -> None:
        asked.append(what)
        if len(asked) > 12:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        carry_over(victims, texts, EPS, fitting=texts, outcomes=Outcomes(tmp_path), progress=stop)
    kept = Outcomes(tmp_path)
    again = carry_over(victims, texts, EPS, fitting=texts, outcomes=kept)
    assert kept.read >= 10
    np.testing.assert_array_equal(again.right, found.right)


def test_delta_goes_to_models_with_the_same_words_only() -> None:
    bert, twin, gpt = make_victim("bert"), make_victim("bert", seed=3), make_victim("gpt2")
    texts = examples_for(bert, 12)
    moved = transfer([bert, twin, gpt], texts, 0.6, "delta")
    assert moved.possible.tolist() == [
        [True, True, False],
        [True, True, False],
        [False, False, True],
    ]
    own = [moved.share(i, i).value for i in range(3)]
    clean = [np.mean(survives(v, texts)) for v in (bert, twin, gpt)]
    assert own[0] < clean[0]
    assert moved.share(0, 1).value <= clean[1]
    assert moved.share(0, 0).value <= moved.share(1, 0).value  # its own δ is the worst for it


def test_replaced_words_go_to_every_model_as_text(pair: Any) -> None:
    victims, texts = pair
    moved = transfer(victims, texts, EPS, "words")
    assert moved.possible.all()
    changed = with_worst_word(victims[0], texts)
    for before, after in zip(texts, changed, strict=True):
        differ = sum(a != b for a, b in zip(before.text.split(), after.text.split(), strict=True))
        assert differ <= 1
        assert after.answers == before.answers
    assert any(a.text != b.text for a, b in zip(texts, changed, strict=True))
    for j, victim in enumerate(victims):
        both = np.array(survives(victim, texts)) & np.array(survives(victim, changed))
        assert moved.right[0, j].tolist() == both.tolist()
    assert moved.share(0, 0).value < np.mean(survives(victims[0], texts))


def test_nothing_to_attack_is_told(pair: Any) -> None:
    victims, texts = pair
    with pytest.raises(DataError, match="got none"):
        carry_over(victims, [], EPS, fitting=texts)
