"""The attacks against Foolbox and ART, on one random BERT in float64, from deterministic starts.

Both perturb whole inputs and return the last iterate. So texts of equal length without padding are
attacked at every position, and advlab's last iterate is compared. ART casts to float32 in places:
its tolerance is 1e-4, where Foolbox's is 1e-10.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from victims import FromEmbeddings, make_victim

from advlab.attacks import FGM, FGSM, PGD

with warnings.catch_warnings():  # at import: deprecations of their own dependencies
    warnings.simplefilter("ignore")
    foolbox = pytest.importorskip("foolbox", reason="needs foolbox: pip install 'advlab[test]'")
    pytest.importorskip("art", reason="needs adversarial-robustness-toolbox")
    from art.attacks.evasion import (
        FastGradientMethod,
        MomentumIterativeMethod,
        ProjectedGradientDescent,
    )
    from art.estimators.classification import PyTorchClassifier

TEXTS = ("the film was very good", "poor slow plot and actor", "i would see it again")
EPS, STEPS, REL = 0.7, 12, 0.15
FOOLBOX_TOLERANCE, ART_TOLERANCE = 1e-10, 1e-4


@pytest.fixture(scope="module")
def case() -> Any:
    """(victim, batch with the model's labels, embeddings)."""
    victim = make_victim("bert", seed=3)
    batch = victim.encode(TEXTS)
    assert batch.attention_mask.all()
    x = victim.embed(batch).detach()
    return victim, batch.with_target(labels=victim.output(x, batch).argmax(-1)), x


def last(attack: PGD | FGSM, case: Any, labels: Tensor | None = None) -> Tensor:
    """advlab's last iterate with every position open."""
    victim, batch, x = case
    if labels is not None:
        batch = batch.with_target(labels=labels)
    everywhere = torch.ones_like(batch.perturbable)
    path = attack(victim.objective(batch), x, everywhere, keep_path=True).path
    assert path is not None
    return x + path[-1]


def worst(mine: Tensor, theirs: Any) -> float:
    return float((mine - torch.as_tensor(theirs, dtype=torch.float64)).abs().max())


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(
    ("p", "name"), [("l2", "L2ProjectedGradientDescentAttack"), ("linf", "LinfPGD")]
)
def test_pgd_is_foolbox_pgd(case: Any, p: Any, name: str, targeted: bool) -> None:
    victim, batch, x = case
    labels = (batch.target["labels"] + 1) % 3 if targeted else batch.target["labels"]
    theirs = getattr(foolbox.attacks, name)(rel_stepsize=REL, steps=STEPS, random_start=False)
    goal = foolbox.criteria.TargetedMisclassification if targeted else foolbox.Misclassification
    model = foolbox.PyTorchModel(FromEmbeddings(victim.model).eval(), bounds=(-50, 50))
    eps = EPS if p == "l2" else 0.1
    raw, _, _ = theirs(model, x, goal(labels), epsilons=eps)
    mine = last(PGD(eps, "raw", p, steps=STEPS, step_size=REL, targeted=targeted), case, labels)
    assert worst(mine, raw) < FOOLBOX_TOLERANCE
    assert worst(mine, x) > 0.05  # and something moved


@pytest.mark.parametrize(("p", "name"), [("l2", "FGM"), ("linf", "FGSM")])
def test_single_steps_are_foolbox_single_steps(case: Any, p: Any, name: str) -> None:
    victim, batch, x = case
    model = foolbox.PyTorchModel(FromEmbeddings(victim.model).eval(), bounds=(-50, 50))
    theirs = getattr(foolbox.attacks, name)(random_start=False)
    raw, _, _ = theirs(model, x, batch.target["labels"], epsilons=EPS)
    mine = last((FGM if p == "l2" else FGSM)(EPS, "raw", p), case)
    assert worst(mine, raw) < FOOLBOX_TOLERANCE


def test_pgd_continues_from_a_given_start_as_foolbox_does(case: Any) -> None:
    """One random start for both: Foolbox's step from it is advlab's next iterate."""
    victim, batch, x = case
    objective, everywhere = victim.objective(batch), torch.ones_like(batch.perturbable)
    attack = PGD(EPS, "raw", "linf", steps=1, step_size=REL, start="random")
    path = attack(objective, x, everywhere, torch.Generator().manual_seed(5), keep_path=True).path
    assert path is not None

    class Injected(foolbox.attacks.LinfPGD):  # type: ignore[name-defined,misc]
        def get_random_start(self, x0: Any, epsilon: float) -> Any:
            import eagerpy as ep

            return x0 + ep.astensor(path[0])

    model = foolbox.PyTorchModel(FromEmbeddings(victim.model).eval(), bounds=(-50, 50))
    raw, _, _ = Injected(rel_stepsize=REL, steps=1, random_start=True)(
        model, x, batch.target["labels"], epsilons=EPS
    )
    assert worst(x + path[1], raw) < FOOLBOX_TOLERANCE


def art_classifier(victim: Any, shape: tuple[int, int]) -> Any:
    return PyTorchClassifier(
        FromEmbeddings(victim.model, mask_channel=True).eval(),
        nn.CrossEntropyLoss(),
        input_shape=shape,
        nb_classes=3,
        clip_values=None,
        device_type="cpu",
    )


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(
    ("kind", "p"),
    [
        ("fgm", "l2"),
        ("fgm", "linf"),
        ("fgm", "l1"),
        ("pgd", "l2"),
        ("pgd", "linf"),
        ("mim", "linf"),
    ],
)
def test_attacks_are_those_of_art_on_a_padded_batch(kind: str, p: Any, targeted: bool) -> None:
    """The mask rides along: padding and special tokens stay closed in both."""
    victim = make_victim("bert", seed=4)
    batch = victim.encode(("the film was very good", "poor plot", "i would not see it again"))
    x = victim.embed(batch).detach()
    y = victim.output(x, batch).argmax(-1)
    batch = batch.with_target(labels=(y + 1) % 3 if targeted else y)
    steps, rel = 4, 0.4
    eps = {"l2": EPS, "linf": 0.1, "l1": 2.0}[p]
    channel = batch.attention_mask.unsqueeze(-1).double()
    carried = torch.cat([x, channel], -1).numpy().astype(np.float32)
    opened = batch.perturbable.unsqueeze(-1).expand_as(x)
    mask = torch.cat([opened, torch.zeros_like(channel).bool()], -1).numpy().astype(np.float32)
    ball = {"l2": 2, "linf": np.inf, "l1": 1}[p]
    classifier = art_classifier(victim, (x.shape[1], x.shape[2] + 1))
    if kind == "fgm":
        theirs: Any = FastGradientMethod(classifier, norm=ball, eps=eps, targeted=targeted)
        mine: Any = FGM(eps, "raw", p, targeted=targeted)
    else:
        momentum = 0.8 if kind == "mim" else 0.0
        common = {"norm": ball, "eps": eps, "eps_step": rel * eps, "max_iter": steps}
        extra = {"targeted": targeted, "verbose": False}
        if kind == "mim":
            theirs = MomentumIterativeMethod(classifier, decay=momentum, **common, **extra)
        else:
            theirs = ProjectedGradientDescent(classifier, **common, **extra)
        mine = PGD(eps, "raw", p, steps=steps, step_size=rel, momentum=momentum, targeted=targeted)
    found = theirs.generate(carried, np.eye(3)[batch.target["labels"].numpy()], mask=mask)[..., :-1]
    path = mine(victim.objective(batch), x, batch.perturbable, keep_path=True).path
    assert path is not None
    assert worst(x + path[-1], found) < ART_TOLERANCE
    assert worst(x + path[-1], x) > 0.05
    assert (path[-1][~batch.perturbable] == 0).all()
