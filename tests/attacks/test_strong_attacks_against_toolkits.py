"""DeepFool, FMN and Auto-PGD beside those of Foolbox and ART."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from victims import make_victim

from advlab.attacks import FMN, AutoPGD, CarliniWagner, DeepFool
from advlab.attacks.norms import norm

TEXTS = tuple(  # of one length, so that toolkits that know no padding see the same
    f"{a} {b} {c} film"
    for a in ("good", "poor", "the", "slow")
    for b in ("very", "dull", "great")
    for c in ("was", "we")
)


@pytest.fixture(scope="module")
def case() -> Any:
    """(victim, batch with the model's labels, embeddings) without padding, every position open."""
    victim = make_victim("bert", seed=3)
    batch = victim.encode(TEXTS)
    x = victim.embed(batch).detach()
    return victim, batch.with_target(labels=victim.output(x, batch).argmax(-1)), x


@pytest.fixture(scope="module")
def foolbox() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("foolbox", reason="needs foolbox: pip install 'advlab[test]'")


def wrapped(foolbox: Any, victim: Any) -> Any:
    from victims import FromEmbeddings

    return foolbox.PyTorchModel(FromEmbeddings(victim.model).eval(), bounds=(-50, 50))


def smallest(case: Any, attack: Any) -> Tensor:
    victim, batch, x = case
    everywhere = torch.ones_like(batch.perturbable)
    return replace(attack, unit="raw").smallest(victim.objective(batch), x, everywhere)[1]


def theirs(foolbox: Any, case: Any, attack: Any, p: Any) -> Tensor:
    victim, batch, x = case
    raw, _, ok = attack(wrapped(foolbox, victim), x, batch.target["labels"], epsilons=None)
    assert ok.all()
    return norm(raw - x, p, "example").flatten()


def test_deepfool_is_foolbox_deepfool(foolbox: Any, case: Any) -> None:
    reference = theirs(foolbox, case, foolbox.attacks.L2DeepFoolAttack(loss="logits"), "l2")
    torch.testing.assert_close(smallest(case, DeepFool()), reference, rtol=1e-6, atol=0)


def test_fmn_is_as_short_as_foolbox_ddn_and_shorter_than_deepfool(foolbox: Any, case: Any) -> None:
    """Foolbox's own L2 FMN does not project (its factor is 1), so DDN is the reference."""
    ddn = theirs(foolbox, case, foolbox.attacks.DDNAttack(steps=200), "l2")
    mine = smallest(case, FMN(steps=200))
    adam = smallest(case, CarliniWagner(steps=100, searches=6))
    for found in (mine, adam):  # single texts may end in another local minimum
        assert (found / ddn).median() <= 1.0
        assert (found / ddn).mean() <= 1.02
    assert (mine <= 1.001 * smallest(case, DeepFool())).double().mean() > 0.95


def test_linf_fmn_is_as_short_as_foolbox_linf_fmn(foolbox: Any, case: Any) -> None:
    reference = theirs(foolbox, case, foolbox.attacks.LInfFMNAttack(steps=200), "linf")
    assert (smallest(case, FMN(steps=200, p="linf")) / reference).median() <= 1.01


@pytest.mark.parametrize(("p", "ball"), [("l2", 2), ("linf", "inf")])
def test_auto_pgd_flips_whatever_arts_auto_pgd_flips(case: Any, p: Any, ball: Any) -> None:
    """At the median of the smallest radii; ART returns its last iterate, not its best."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("art", reason="needs adversarial-robustness-toolbox")
        from art.attacks.evasion import AutoProjectedGradientDescent
        from art.estimators.classification import PyTorchClassifier
    from victims import FromEmbeddings

    victim, batch, x = case
    eps = float(smallest(case, FMN(steps=100, p=p)).median()) * 1.1
    classifier = PyTorchClassifier(
        FromEmbeddings(victim.model).eval(),
        torch.nn.CrossEntropyLoss(reduction="none"),
        x.shape[1:],
        3,
        device_type="cpu",
        clip_values=None,
    )
    theirs = AutoProjectedGradientDescent(
        classifier,
        norm=ball,
        eps=eps,
        eps_step=2 * eps,
        max_iter=50,
        loss_type="cross_entropy",
        nb_random_init=1,
        verbose=False,
    ).generate(x.numpy(), batch.target["labels"].numpy())
    flipped = (
        victim.output(torch.as_tensor(theirs).double(), batch).argmax(1) != batch.target["labels"]
    )
    objective, everywhere = victim.objective(batch), torch.ones_like(batch.perturbable)
    mine = AutoPGD(eps, "raw", p, steps=50)(
        objective, x, everywhere, torch.Generator().manual_seed(0), flips=objective.flips
    )
    assert flipped.any()
    own = torch.as_tensor(theirs).double()
    assert mine.loss.mean() >= objective(own).mean() - 1e-4  # ART computes in float32
    assert ((mine.first_flip >= 0) | ~flipped).all()
