from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import BertForSequenceClassification
from victims import KINDS, labelled, make_victim, tiny_model, word_tokenizer

from advlab.attacks import FGM, PGD
from advlab.attacks.norms import Ball, P, norm, project, random_in_ball, steepest
from advlab.errors import SettingError
from advlab.model import blocks
from advlab.model.victim import Victim
from advlab.records import Scale
from advlab.tasks import Batch, Classification, Objective
from advlab.training.methods import (
    METHODS,
    Adversarial,
    Place,
    Plain,
    Step,
    build_method,
    inputs,
    method_settings,
)
from advlab.training.methods.engine import Threat, ascend
from advlab.training.methods.inputs import FreeLB, Noise
from advlab.training.methods.lures import Unlikelihood
from advlab.training.methods.weights import AWP, SAM, TableAttack
from advlab.training.methods.words import Replace

ADVERSARIAL = [name for name in METHODS if name != "plain"]
ON_INPUTS = [name for name, cls in METHODS.items() if issubclass(cls, Adversarial)]
RANDOM_START = (
    "noise",
    "fast",
    "vat",
    "trades",
    "smart",
    "words",
)  # draws depend on the batch's shape
every_kind = pytest.mark.parametrize("kind", KINDS)
every_method = pytest.mark.parametrize("name", METHODS)
adversarial = pytest.mark.parametrize("name", ADVERSARIAL)
on_inputs = pytest.mark.parametrize("name", ON_INPUTS)


def gradients(victim: Victim, method: Any, batch: Batch, **more: Any) -> list[Tensor]:
    """Every parameter's `.grad` after a batch (its last replay), from the same dice each time."""
    carry: dict[str, Any] = {}
    dice = torch.Generator().manual_seed(1)
    for _ in range(method.replays):
        victim.model.zero_grad(set_to_none=True)
        torch.manual_seed(7)
        method.backward(victim, batch, Step(generator=dice, carry=carry, **more))
    return [
        torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in victim.model.parameters()
    ]


def assert_close(a: list[Tensor], b: list[Tensor], atol: float = 1e-12) -> None:
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=atol)


def training(kind: str = "bert", dropout: float = 0.2) -> tuple[Victim, Batch]:
    victim = make_victim(kind, dropout=dropout)
    batch = labelled(victim)
    victim.model.train()
    return victim, batch


# ---- without ε every method is plain training -----------------------------------------------


@every_kind
@adversarial
@pytest.mark.parametrize("how", ["eps", "strength"])
def test_at_zero_eps_gradients_equal_plain_training(kind: str, name: str, how: str) -> None:
    victim, batch = training(kind)
    wanted = gradients(victim, Plain(), batch)
    assert max(g.abs().max() for g in wanted) > 1e-3
    zero = {"sam": {"rho": 0.0}, "words": {"share": 0.0}}.get(name, {"eps": 0.0})
    zero |= {"gamma": 0.0} if name == "awp" else {}
    method = build_method({"name": name} | (zero if how == "eps" else {}))
    more = {} if how == "eps" else {"strength": 0.0}
    # Llama's norm layers compute in float32, whatever the model's type
    atol = 1e-6 if kind == "llama" else 1e-12
    assert_close(gradients(victim, method, batch, **more), wanted, atol)


@adversarial
def test_with_eps_gradients_differ_from_plain_training(name: str) -> None:
    victim, batch = training()
    wanted = gradients(victim, Plain(), batch)
    sizes = {"sam": {"rho": 0.3}, "words": {}}
    size = sizes.get(name, {"eps": 0.3, "unit": "raw"})
    found = gradients(victim, build_method({"name": name} | size), batch)
    assert max((a - b).abs().max() for a, b in zip(found, wanted, strict=True)) > 1e-4


def test_freelb_of_one_step_from_zero_is_plain_training() -> None:
    victim, batch = training()
    wanted = gradients(victim, Plain(), batch)
    assert_close(gradients(victim, FreeLB(eps=0.5, steps=1, start_size=0.0), batch), wanted)


@every_method
def test_the_next_batch_gets_the_same_dropout_whatever_the_method(name: str) -> None:
    """Each method leaves the random state where plain training leaves it."""
    victim, batch = training()
    gradients(victim, Plain(), batch)
    plain = torch.get_rng_state()
    gradients(victim, build_method({"name": name}), batch)
    assert torch.equal(torch.get_rng_state(), plain)


# ---- what each method computes --------------------------------------------------------------


@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
def test_fgm_trains_on_half_the_clean_and_half_the_attacked_loss(p: P, ball: Ball) -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, inputs.FGM(0.3, "raw", p, ball), batch)
    x = victim.embed(batch).detach()
    path = FGM(0.3, "raw", p, ball)(
        victim.objective(batch), x, batch.perturbable, keep_path=True
    ).path
    assert path is not None
    assert_close(found, _mean_gradient(victim, batch, [torch.zeros_like(x), path[-1]]))


@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
@pytest.mark.parametrize("begin", ["zero", "random"])
def test_pgd_trains_on_half_the_clean_and_half_the_last_iterate(
    p: P, ball: Ball, begin: Any
) -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, inputs.PGD(0.3, "raw", p, ball, steps=4, start=begin), batch)
    x = victim.embed(batch).detach()
    attack = PGD(0.3, "raw", p, ball, steps=4, step_size=0.5, start=begin)
    dice = torch.Generator().manual_seed(1)
    path = attack(victim.objective(batch), x, batch.perturbable, dice, keep_path=True).path
    assert path is not None
    assert_close(found, _mean_gradient(victim, batch, [torch.zeros_like(x), path[-1]]), 1e-10)


@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
def test_freelb_averages_over_its_trajectory(p: P, ball: Ball) -> None:
    victim, batch = training(dropout=0.0)
    method = FreeLB(0.3, "raw", p, ball, steps=3)
    found = gradients(victim, method, batch)
    x = victim.embed(batch).detach()
    start = method.start_size * 0.3
    delta = random_in_ball(x, batch.perturbable, start, p, ball, torch.Generator().manual_seed(1))
    path = []
    for _ in range(3):
        path.append(delta)
        delta = delta.clone().requires_grad_()
        (grad,) = torch.autograd.grad(victim.objective(batch)(x + delta).sum(), delta)
        step = method.step_size * 0.3 * steepest(grad * batch.perturbable.unsqueeze(-1), p, ball)
        delta = project(delta.detach() + step, 0.3, p, ball)
    assert_close(found, _mean_gradient(victim, batch, path), 1e-10)


def test_noise_adds_the_symmetric_divergence() -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, Noise(0.3, "raw", weight=0.7), batch)
    x = victim.embed(batch)
    delta = random_in_ball(
        x.detach(),
        batch.perturbable,
        0.3,
        "l2",
        "example",
        torch.Generator().manual_seed(1),
        surface=True,
    )
    p, q = victim.output(x, batch).softmax(-1), victim.output(x + delta, batch).softmax(-1)
    apart = ((p - q) * (p.log() - q.log())).sum(-1)  # KL(p‖q) + KL(q‖p)
    victim.model.zero_grad(set_to_none=True)
    (victim.objective(batch)(x) + 0.7 * apart).mean().backward()
    assert_close(found, [_grad(q) for q in victim.model.parameters()])


def _mean_gradient(victim: Victim, batch: Batch, deltas: list[Tensor]) -> list[Tensor]:
    victim.model.zero_grad(set_to_none=True)
    for delta in deltas:
        loss = victim.objective(batch)(victim.embed(batch) + delta).mean()
        (loss / len(deltas)).backward()
    return [_grad(p) for p in victim.model.parameters()]


def _grad(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad.clone()


@every_kind
@pytest.mark.parametrize("layer", [0, 1])
def test_hidden_pgd_trains_at_the_delta_that_whole_passes_would_find(kind: str, layer: int) -> None:
    """The ascent through the upper blocks only gives what whole forward passes give."""
    victim, batch = training(kind, dropout=0.0)
    method = inputs.Hidden(0.2, "raw", layer=layer, steps=3)
    found = gradients(victim, method, batch)
    x = victim.embed(batch).detach()

    def loss(delta: Tensor, embeds: Tensor = x) -> Tensor:
        add = lambda hidden: hidden + delta  # noqa: E731
        return victim.objective(batch).loss_of(
            blocks.logits_with(victim, embeds, batch, layer, add)
        )

    delta = torch.zeros_like(blocks.hidden_at(victim, x, batch, layer))
    for _ in range(3):
        delta = delta.detach().requires_grad_()
        (grad,) = torch.autograd.grad(loss(delta).sum(), delta)
        step = 0.5 * 0.2 * steepest(grad * batch.perturbable.unsqueeze(-1), "l2", "example")
        delta = project(delta.detach() + step, 0.2, "l2", "example")
    victim.model.zero_grad(set_to_none=True)
    for d in (torch.zeros_like(delta), delta):
        (loss(d, victim.embed(batch)).mean() / 2).backward()
    wanted = [_grad(p) for p in victim.model.parameters()]
    assert max(g.abs().max() for g in wanted) > 1e-3
    assert_close(found, wanted, 1e-6 if kind == "llama" else 1e-10)


def test_hidden_eps_counts_the_batchs_own_vectors() -> None:
    victim, batch = training(dropout=0.0)
    told = inputs.Hidden(0.5, "norm", layer=1, steps=5).backward(victim, batch, Step())
    hidden = blocks.hidden_at(victim, victim.embed(batch), batch, 1)
    size = hidden.norm(dim=-1)[batch.perturbable].mean().item()
    assert told["delta_norm"] == pytest.approx(0.5 * size, rel=1e-9)
    with pytest.raises(SettingError, match="norm or raw"):
        inputs.Hidden(0.5, "half-nn").backward(victim, batch, Step())


def test_the_hidden_ascent_is_cheaper_the_later_the_layer() -> None:
    """Blocks run per training step: all of them in the two training passes, few in the ascent."""
    victim, batch = training()
    runs: list[int] = []
    blocks.check_blocks(victim, batch)  # which it would be at the first batch, once
    for block in blocks.blocks_of(victim)[2]:
        block.register_forward_hook(lambda *_: runs.append(1))
    counts = []
    for layer in (0, 1):
        runs.clear()
        inputs.Hidden(layer=layer, steps=4).backward(victim, batch, Step())
        counts.append(len(runs))
    assert counts == [2 + 3 * 2 + 2, 2 + 3 * 1 + 2]


def test_vat_finds_a_direction_that_moves_the_prediction_more_than_noise_does() -> None:
    victim, batch = training(dropout=0.0)
    place = Place(victim, batch)
    method = inputs.VAT(0.3, "raw", steps=2)
    clean = place.logits().detach()
    dice = torch.Generator().manual_seed(0)
    delta = ascend(place, Threat(0.3), method.parts()[0], dice, clean=clean)
    assert torch.allclose(norm(delta, "l2", "example"), torch.tensor(0.3, dtype=delta.dtype))
    found = place.divergence(clean, place.logits(delta), False)
    for _ in range(20):
        noise = random_in_ball(
            place.like, batch.perturbable, 0.3, "l2", "example", dice, surface=True
        )
        assert (found > place.divergence(clean, place.logits(noise), False)).all()


@pytest.mark.parametrize("name", ["sam", "awp", "table"])
def test_weights_are_put_back_bit_for_bit_after_errors_too(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, batch = training()
    before = [p.detach().clone() for p in victim.model.parameters()]
    build_method({"name": name}).backward(victim, batch, Step())
    assert all(torch.equal(a, b) for a, b in zip(before, victim.model.parameters(), strict=True))
    changed, real = [], Place.logits

    def failing(place: Place, delta: Tensor | None = None) -> Tensor:
        now = victim.model.parameters()
        if any(not torch.equal(a, b) for a, b in zip(before, now, strict=True)):
            changed.append(1)
            raise RuntimeError("out of memory")
        return real(place, delta)

    monkeypatch.setattr(Place, "logits", failing)
    with pytest.raises(RuntimeError, match="memory"):
        build_method({"name": name}).backward(victim, batch, Step())
    assert changed
    assert all(torch.equal(a, b) for a, b in zip(before, victim.model.parameters(), strict=True))


def test_sam_takes_the_gradient_at_the_worst_nearby_weights() -> None:
    victim, batch = training(dropout=0.0)
    found = gradients(victim, SAM(0.2), batch)
    plain = gradients(victim, Plain(), batch)
    size = torch.stack([g.norm() for g in plain]).norm()
    with torch.no_grad():
        for p, g in zip(victim.model.parameters(), plain, strict=True):
            p.add_(0.2 * g / size)
    assert_close(found, gradients(victim, Plain(), batch), 1e-10)


def test_awp_moves_each_matrix_by_its_share_and_no_vector() -> None:
    victim, batch = training(dropout=0.0)
    method = AWP(0.2, "raw", gamma=0.05, steps=2)
    seen: list[list[Tensor]] = []
    real = victim.output

    def watching(embeds: Tensor, one: Batch) -> Tensor:
        seen.append([p.detach().clone() for p in victim.model.parameters()])
        return real(embeds, one)

    victim.output = watching  # type: ignore[method-assign]
    method.backward(victim, batch, Step())
    for before, after in zip(seen[0], seen[-1], strict=True):
        moved = (after - before).norm()
        if before.ndim < 2:
            assert moved == 0
        elif moved > 0:
            assert moved == pytest.approx(0.05 * before.norm().item(), rel=1e-9)
    assert sum((a != b).any() for a, b in zip(seen[0], seen[-1], strict=True)) > 3


def test_the_table_attack_has_one_norm_for_the_whole_batch_and_moves_specials_too() -> None:
    """What is wrong with it, measured: texts get unequal shares of ε, and [CLS] moves."""
    victim, batch = training(dropout=0.0)
    clean = victim.embed(batch).detach()
    seen: list[Tensor] = []
    real = victim.output

    def watching(embeds: Tensor, one: Batch) -> Tensor:
        seen.append(embeds.detach() - clean)
        return real(embeds, one)

    victim.output = watching  # type: ignore[method-assign]
    TableAttack(0.3, "raw").backward(victim, batch, Step())
    sizes = norm(seen[-1], "l2", "example").flatten()
    assert sizes.max() > 1.01 * sizes.min()
    assert seen[-1][~batch.perturbable & batch.attention_mask.bool()].abs().max() > 0


@on_inputs
def test_a_fraction_of_the_batches_is_perturbed(name: str) -> None:
    """Drawn once a batch: all replays of a batch are perturbed, or none is."""
    victim, batch = training()
    dice = torch.Generator().manual_seed(0)
    method = build_method({"name": name, "fraction": 0.3})
    perturbed = 0
    for _ in range(40):
        carry: dict[str, Any] = {}
        told = [
            method.backward(victim, batch, Step(generator=dice, carry=carry))
            for _ in range(method.replays)
        ]
        plain = [set(numbers) == {"clean_loss"} for numbers in told]
        assert len(set(plain)) == 1
        perturbed += not plain[0]
    assert 5 <= perturbed <= 20
    never = build_method({"name": name, "fraction": 0.0})
    assert_close(gradients(victim, never, batch), gradients(victim, Plain(), batch))


def test_a_layer_that_the_model_lacks_is_refused_by_its_number() -> None:
    victim, batch = training()
    for layer in (2, 3, 9):
        with pytest.raises(SettingError, match=rf"below 2, as bert has, got {layer}; lower it"):
            inputs.Hidden(layer=layer).backward(victim, batch, Step())
    tokenizer = word_tokenizer("bert")
    config = tiny_model("bert", tokenizer).config
    config.num_hidden_layers = 3
    three = Victim(
        BertForSequenceClassification(config).double().eval(),
        tokenizer,
        head=("no", "yes", "maybe"),
        name="three",
        max_length=32,
    )
    assert Place(three, batch, "hidden", 2).layer == 2
    assert Place(three, batch, "hidden").layer == 1
    with pytest.raises(SettingError, match="below 3, as three has, got 3"):
        Place(three, batch, "hidden", 3)


def test_the_table_attack_needs_a_table_that_trains() -> None:
    victim, batch = training()
    victim.model.get_input_embeddings().weight.requires_grad_(False)
    with pytest.raises(SettingError, match="let the table train, or use fgm"):
        TableAttack().backward(victim, batch, Step())


def test_free_training_carries_delta_through_the_replays_of_a_batch() -> None:
    victim, batch = training(dropout=0.0)
    carry: dict[str, Any] = {}
    method = inputs.FreeAT(0.3, "raw")
    lengths = [method.backward(victim, batch, Step(carry=carry))["delta_norm"] for _ in range(3)]
    assert lengths[0] == 0
    assert lengths[1:] == pytest.approx([0.3, 0.3])


# ---- by hand on a linear model --------------------------------------------------------------


class Linear:
    """logits = Wᵀ·(mean of the embeddings): everything can be worked out on paper."""

    def __init__(self) -> None:
        dice = torch.Generator().manual_seed(3)
        self.table = torch.nn.Parameter(
            torch.randn(5, 3, generator=dice, dtype=torch.float64), requires_grad=False
        )
        self.weight = torch.nn.Parameter(torch.randn(3, 2, generator=dice, dtype=torch.float64))
        self.model = torch.nn.ParameterDict({"table": self.table, "weight": self.weight})
        self.task = Classification()
        self.scale = Scale(1.0, 0.5)

    def embed(self, batch: Batch) -> Tensor:
        return self.table[batch.input_ids]

    def output(self, embeds: Tensor, batch: Batch) -> Tensor:
        return embeds.mean(1) @ self.weight

    def objective(self, batch: Batch, *, training: bool = False) -> Objective:
        return Objective(self, batch, training=training)


EPS = 0.4


def one_text(ids: Sequence[int] = (1, 4, 2)) -> Batch:
    """One text of three words, every place open, label 1."""
    whole = torch.ones(1, len(ids), dtype=torch.long)
    target = {"labels": torch.tensor([1])}
    return Batch(torch.tensor([ids]), whole, whole.bool(), torch.zeros_like(whole), target)


def by_hand(name: str, x: np.ndarray, w: np.ndarray, y: int, eps: float = EPS) -> np.ndarray:
    """dW of one text x (T,D), zero starts, two steps where there are steps; numpy and paper."""
    T = len(x)

    def p(d: np.ndarray, w: np.ndarray = w) -> np.ndarray:
        z = (x + d).mean(0) @ w
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum()

    def dw(d: np.ndarray, w: np.ndarray = w) -> np.ndarray:  # ∂L/∂W = mean(x + δ) ⊗ (p − y)
        return np.outer((x + d).mean(0), p(d, w) - np.eye(2)[y])

    def dx(d: np.ndarray) -> np.ndarray:  # ∂L/∂x_t = W(p − y)/T, the same for every token
        return np.tile(w @ (p(d) - np.eye(2)[y]) / T, (T, 1))

    def unit(g: np.ndarray) -> np.ndarray:
        return g / np.linalg.norm(g)

    zero = np.zeros_like(x)
    far = eps * unit(dx(zero))  # in a linear model the steepest direction never turns
    if name == "plain":
        return dw(zero)
    if name == "fgm":
        return (dw(zero) + dw(far)) / 2
    if name == "fgsm":
        return (dw(zero) + dw(EPS * np.sign(dx(zero)))) / 2
    if name == "pgd":  # two steps of 0.6 ε end on the sphere
        return (dw(zero) + dw(far)) / 2
    if name == "free":
        return dw(far)
    if name in ("freelb", "freelb++"):  # steps of 0.6 ε: 0, 0.6, then 1 when projected, else 1.2
        last = 1.2 if name == "freelb++" else 1.0
        return (dw(zero) + dw(0.6 * far) + dw(last * far)) / 3
    if name == "sam":
        g = dw(zero)
        return dw(zero, w + 0.1 * unit(g))
    if name == "awp":
        worse = w + 0.1 * np.linalg.norm(w) * unit(dw(far))
        return (dw(zero, worse) + dw(far, worse)) / 2
    raise AssertionError("its start is random: see below")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("plain", {}),
        ("fgm", {}),
        ("fgsm", {}),
        ("pgd", {"steps": 2, "step_size": 0.6}),
        ("free", {"replays_m": 2}),
        ("freelb", {"steps": 3, "step_size": 0.6, "start_size": 0.0}),
        ("freelb++", {"steps": 3, "step_size": 0.6, "start_size": 0.0}),
        ("sam", {"rho": 0.1}),
        ("awp", {"steps": 2, "step_size": 0.6, "gamma": 0.1}),
    ],
)
def test_one_step_on_a_linear_model_is_as_worked_out_by_hand(
    name: str, settings: dict[str, Any]
) -> None:
    victim: Any = Linear()
    batch = one_text()
    size = {"eps": EPS, "unit": "raw"} if name not in ("plain", "sam") else {}
    method = build_method({"name": name} | size | settings)
    carry: dict[str, Any] = {}
    for _ in range(method.replays):
        victim.weight.grad = None
        dice = torch.Generator().manual_seed(0)
        method.backward(victim, batch, Step(generator=dice, carry=carry))
    x = victim.table[batch.input_ids[0]].numpy()
    wanted = by_hand(name, x, victim.weight.detach().numpy(), 1)
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, atol=1e-12)


def from_a_random_start(
    name: str, x: np.ndarray, w: np.ndarray, y: int, start: np.ndarray
) -> np.ndarray:
    """dW of one text for the methods whose δ begins at a drawn point; weights λ are 0.7."""
    T = len(x)

    def softmax(d: np.ndarray) -> np.ndarray:
        z = (x + d).mean(0) @ w
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum()

    def apart(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradients of KL(p‖q) with respect to the logits of p and of q."""
        gap = np.log(p) - np.log(q)
        return p * (gap - (p * gap).sum()), q - p

    def divergence(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, q = softmax(np.zeros_like(x)), softmax(d)
        of_p, of_q = apart(p, q)
        if name in ("noise", "smart"):  # both directions
            other_q, other_p = apart(q, p)
            of_p, of_q = of_p + other_p, of_q + other_q
        return of_p, of_q

    def ascent(d: np.ndarray) -> np.ndarray:
        return np.tile(w @ divergence(d)[1] / T, (T, 1))

    def unit(g: np.ndarray) -> np.ndarray:
        return g / np.linalg.norm(g)

    def inside(d: np.ndarray) -> np.ndarray:
        return d * min(1.0, EPS / np.linalg.norm(d))

    d = start
    if name == "fast":  # the perturbed loss alone
        d = inside(d + 1.25 * EPS * unit(np.tile(w @ (softmax(d) - np.eye(2)[y]) / T, (T, 1))))
        return np.outer((x + d).mean(0), softmax(d) - np.eye(2)[y])
    if name == "vat":  # the small start gives the direction of a step of full length
        d = EPS * unit(ascent(d))
    if name == "trades":
        for _ in range(2):
            d = inside(d + 0.5 * EPS * unit(ascent(d)))
    if name == "smart":
        d = np.clip(d + EPS * np.sign(ascent(d)), -EPS, EPS)
    of_p, of_q = divergence(d)
    clean = softmax(np.zeros_like(x)) - np.eye(2)[y]
    return np.outer(x.mean(0), clean + 0.7 * of_p) + np.outer((x + d).mean(0), 0.7 * of_q)


@pytest.mark.parametrize(
    ("name", "settings", "start"),
    [
        ("noise", {"weight": 0.7}, 1.0),
        ("fast", {}, None),
        ("vat", {"weight": 0.7, "start_size": 0.02}, 0.02),
        ("trades", {"weight": 0.7, "steps": 2, "start_size": 0.1}, 0.1),
        ("smart", {"weight": 0.7, "site": "words", "start_size": 0.1}, 0.1),
    ],
)
def test_one_step_from_a_random_start_is_as_worked_out_by_hand(
    name: str, settings: dict[str, Any], start: float | None
) -> None:
    """The start comes from the same dice; `start` None: anywhere in the ball, else on a sphere."""
    victim: Any = Linear()
    batch = one_text()
    method: Any = build_method({"name": name, "eps": EPS, "unit": "raw"} | settings)
    method.backward(victim, batch, Step(generator=torch.Generator().manual_seed(0)))
    x = victim.table[batch.input_ids]
    begin = random_in_ball(
        x,
        batch.perturbable,
        EPS * (start or 1.0),
        method.p,
        method.ball,
        torch.Generator().manual_seed(0),
        surface=start is not None,
    )
    wanted = from_a_random_start(
        name, x[0].numpy(), victim.weight.detach().numpy(), 1, begin[0].numpy()
    )
    assert np.abs(wanted).max() > 0.01
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_steps_that_fall_are_as_long_as_worked_out_by_hand() -> None:
    """Three steps of 0.4: 0.4, 0.267 and 0.133 of ε, all in one direction: 0.8 of ε."""
    victim: Any = Linear()
    method = inputs.PGD(EPS, "raw", steps=3, step_size=0.4, step_rule="falling")
    told = method.backward(victim, one_text(), Step())
    assert told["delta_norm"] == pytest.approx(0.8 * EPS, rel=1e-12)
    x, w = victim.table[[1, 4, 2]].numpy(), victim.weight.detach().numpy()
    wanted = by_hand("fgm", x, w, 1, 0.8 * EPS)
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, atol=1e-12)
    assert [method.parts()[0].share(k) for k in range(3)] == pytest.approx([0.4, 0.8 / 3, 0.4 / 3])


def test_one_step_of_the_table_attack_is_as_worked_out_by_hand() -> None:
    """A word that stands twice gets both gradients, and moves alike at both places."""
    victim: Any = Linear()
    victim.table.requires_grad_(True)
    victim.model = SimpleNamespace(
        get_input_embeddings=lambda: SimpleNamespace(weight=victim.table)
    )
    ids = [1, 4, 1]
    x, w = victim.table[ids].detach().numpy(), victim.weight.detach().numpy()
    method = build_method({"name": "table", "eps": EPS, "unit": "raw"})
    method.backward(victim, one_text(ids), Step())

    def gap(d: np.ndarray) -> np.ndarray:
        z = (x + d).mean(0) @ w
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum() - np.eye(2)[1]

    g = w @ gap(np.zeros_like(x)) / 3
    far = EPS * np.stack([2 * g, g, 2 * g]) / (np.sqrt(5) * np.linalg.norm(g))
    wanted = (np.outer(x.mean(0), gap(0 * x)) + np.outer((x + far).mean(0), gap(far))) / 2
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, atol=1e-12)


class Stacked(Linear):
    """Two linear blocks under the mean: h = x·A₁·A₂."""

    def __init__(self) -> None:
        super().__init__()
        dice = torch.Generator().manual_seed(4)
        self.model = torch.nn.Module()
        self.model.config = SimpleNamespace(num_hidden_layers=2)  # type: ignore[assignment]
        self.model.layers = torch.nn.ModuleList(
            torch.nn.Linear(3, 3, bias=False, dtype=torch.float64) for _ in range(2)
        )
        for block in self.model.layers:
            block.weight.data = torch.randn(3, 3, generator=dice, dtype=torch.float64)

    def output(self, embeds: Tensor, batch: Batch) -> Tensor:
        for block in self.model.layers:  # type: ignore[union-attr]
            embeds = block(embeds)
        return embeds.mean(1) @ self.weight


def test_one_hidden_step_is_as_worked_out_by_hand() -> None:
    """δ on the input of the second block, h = x·A₁; from there the model is W after A₂."""
    victim: Any = Stacked()
    method = inputs.Hidden(EPS, "raw", layer=1, steps=2, step_size=0.6)
    method.backward(victim, one_text(), Step())
    first, second = (block.weight.detach().numpy().T for block in victim.model.layers)
    h, w = victim.table[[1, 4, 2]].numpy() @ first, victim.weight.detach().numpy()

    def gap(d: np.ndarray) -> np.ndarray:
        z = (h + d).mean(0) @ second @ w
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum() - np.eye(2)[1]

    g = np.tile(second @ w @ gap(0 * h), (3, 1))
    far = EPS * g / np.linalg.norm(g)  # two steps of 0.6 ε end on the sphere
    wanted = (
        np.outer(h.mean(0) @ second, gap(0 * h)) + np.outer((h + far).mean(0) @ second, gap(far))
    ) / 2
    np.testing.assert_allclose(victim.weight.grad.numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("noise", {"weight": 0.0}),
        ("vat", {"weight": 0.0}),
        ("trades", {"weight": 0.0}),
        ("smart", {"weight": 0.0}),
        ("fgm", {"adv_weight": 0.0}),
        ("fgsm", {"adv_weight": 0.0}),
        ("pgd", {"adv_weight": 0.0}),
        ("pgd", {"adv_weight": 0.0, "start": "random"}),
        ("hidden", {"adv_weight": 0.0}),
        ("awp", {"adv_weight": 0.0, "gamma": 0.0}),
        ("words", {"adv_weight": 0.0}),
        ("c-advul", {"toward": 0.0, "away": 0.0}),
    ],
)
def test_at_weight_zero_gradients_equal_plain_training(name: str, settings: dict[str, Any]) -> None:
    victim, batch = training()
    method = build_method({"name": name} | settings)
    assert_close(gradients(victim, method, batch), gradients(victim, Plain(), batch))


# ---- cost, dropout, padding -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        (Plain(), (1, 1)),
        (Noise(), (2, 2)),
        (inputs.FGM(), (2, 2)),
        (inputs.FGSM(), (2, 2)),
        (inputs.PGD(steps=1), (2, 2)),
        (inputs.PGD(steps=5), (6, 6)),
        (inputs.PGD(steps=5, start="random"), (7, 7)),
        (inputs.PGD(steps=5, start="random", adv_weight=1.0), (6, 6)),
        (inputs.FastAT(), (2, 2)),
        (inputs.FreeAT(), (1, 1)),  # on each replay
        (inputs.FreeLBPlus(), (10, 10)),
        (inputs.VAT(), (3, 3)),
        (inputs.VAT(steps=2), (4, 4)),
        (inputs.TRADES(), (5, 5)),
        (inputs.SMART(), (3, 3)),
        (SAM(), (2, 2)),
        (AWP(steps=3), (6, 6)),
        (TableAttack(), (2, 2)),
        (Replace(), (2, 2)),
        (Unlikelihood(steps=3), (6, 6)),
        (FreeLB(steps=1), (1, 1)),
        (FreeLB(steps=5), (5, 5)),
    ],
)
def test_a_step_costs_the_passes_that_it_says(method: Any, passes: tuple[int, int]) -> None:
    victim, batch = training()
    blocks.check_blocks(victim, batch)  # which it would be at the first batch, once
    forward, backward, real = [], [], victim.output

    def counting(embeds: Tensor, one: Batch) -> Tensor:
        forward.append(1)
        logits = real(embeds, one)
        if logits.requires_grad:
            logits.register_hook(backward.append)  # fires when a gradient reaches these logits
        return logits

    victim.output = counting  # type: ignore[method-assign]
    method.backward(victim, batch, Step(generator=torch.Generator().manual_seed(0)))
    assert (len(forward), len(backward)) == passes


def test_all_passes_over_a_batch_drop_the_same_units() -> None:
    victim, batch = training()
    x = victim.embed(batch).detach()
    loose = victim.objective(batch)
    assert not torch.equal(loose.output(x), loose.output(x))
    place, none = Place(victim, batch), torch.zeros_like(x)
    assert torch.equal(place.logits(), place.logits())
    torch.rand(5)
    assert torch.equal(place.probe(none), place.logits(none))
    assert not torch.equal(Place(victim, batch).logits(), place.logits())


@pytest.mark.parametrize("site", ["words", "hidden"])
def test_passes_drop_other_units_where_they_are_not_tied(site: Any) -> None:
    victim, batch = training()
    place = Place(victim, batch, site, tied=False)
    first = place.logits()
    assert not torch.equal(first, place.logits())
    none = torch.zeros_like(place.like)
    assert not torch.equal(place.probe(none), place.probe(none))


@pytest.mark.parametrize("name", list(METHODS))
def test_untied_masks_change_a_method_only_where_there_is_dropout(name: str) -> None:
    for dropout in (0.0, 0.3):
        losses = []
        for tied in (True, False):
            victim, batch = training(dropout=dropout)
            torch.manual_seed(0)
            dice = torch.Generator().manual_seed(0)
            losses.append(
                build_method({"name": name}).backward(victim, batch, Step(1.0, dice, tied=tied))
            )
        several = name not in ("plain", "free")  # one pass a step has nothing to tie
        assert (losses[0] == losses[1]) == (dropout == 0 or not several), losses


@every_kind
@pytest.mark.parametrize("name", [n for n in METHODS if n not in RANDOM_START])
def test_more_padding_changes_no_gradient(kind: str, name: str) -> None:
    """No dropout, no random start: what stands behind the texts must not matter."""
    victim, batch = training(kind, dropout=0.0)
    method: Any = build_method({"name": name} | ({} if name in ("plain", "sam") else {"eps": 0.4}))
    if isinstance(method, FreeLB):
        method = replace(method, start_size=0.0)
    B = len(batch)
    longer = Batch(
        torch.cat([batch.input_ids, torch.full((B, 5), victim.tokenizer.pad_token_id)], 1),
        torch.cat([batch.attention_mask, torch.zeros(B, 5, dtype=torch.long)], 1),
        torch.cat([batch.perturbable, torch.zeros(B, 5, dtype=torch.bool)], 1),
        torch.cat([batch.segment, torch.full((B, 5), -1)], 1),
        batch.target,
    )
    assert_close(gradients(victim, method, longer), gradients(victim, method, batch), atol=1e-10)


@on_inputs
@pytest.mark.parametrize("p", get_args(P))
@pytest.mark.parametrize("ball", get_args(Ball))
@pytest.mark.parametrize("site", ["words", "sum", "hidden"])
def test_training_perturbations_stay_in_their_ball_and_off_specials(
    name: str, p: P, ball: Ball, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, batch = training(dropout=0.0)
    seen: list[Tensor] = []
    for kind in ("logits", "probe"):
        real = getattr(Place, kind)

        def watching(place: Place, delta: Tensor | None = None, real: Any = real) -> Tensor:
            if delta is not None:
                seen.append(delta.detach())
            return real(place, delta)

        monkeypatch.setattr(Place, kind, watching)
    method = build_method(
        {"name": name, "eps": 0.8, "unit": "raw", "p": p, "ball": ball, "site": site}
    )
    told = method.backward(victim, batch, Step(0.5, torch.Generator().manual_seed(0)))
    if isinstance(method, inputs.FreeAT):
        method.backward(victim, batch, Step(0.5, carry=(carry := {})))
        told = method.backward(victim, batch, Step(strength=0.5, carry=carry))
    limit = 0.4 * (1.0 if name != "freelb++" else 0.3 + 9 * 0.2) + 1e-9
    for delta in seen:
        assert (delta[~batch.perturbable] == 0).all()
        assert (norm(delta, p, ball) <= limit).all()
    assert max(norm(d, p, ball).max() for d in seen) > 0.1
    assert told["delta_norm"] == pytest.approx(
        norm(seen[-1], "l2", "example").mean().item(), rel=1e-9
    )


@every_method
def test_saturated_losses_give_finite_gradients(name: str) -> None:
    """float32 cross-entropy has an exactly zero gradient at a logit gap above about 120."""
    victim, batch = training(dropout=0.0)
    victim.model.float()
    with torch.no_grad():
        head = victim.model.classifier
        head.weight.zero_()
        head.bias.copy_(torch.tensor([400.0, 0.0, -400.0]))
    batch = batch.with_target(labels=torch.zeros_like(batch.target["labels"]))
    x = victim.embed(batch).detach().requires_grad_()
    assert (torch.autograd.grad(victim.objective(batch)(x).sum(), x)[0] == 0).all()
    for g in gradients(victim, build_method({"name": name}), batch):
        assert torch.isfinite(g).all()


@every_method
def test_backward_reports_losses_as_numbers(name: str) -> None:
    victim, batch = training()
    told = build_method({"name": name}).backward(victim, batch, Step())
    assert all(isinstance(v, float) for v in told.values())
    assert {"clean_loss", "adv_loss"} & set(told)


def test_units_count_from_the_scale_that_was_recorded() -> None:
    victim, _ = training()
    scale = victim.scale
    assert FreeLB(0.5, "norm").radius(victim, 0.5) == pytest.approx(0.25 * scale.mean_norm)
    assert FreeLB(0.5, "half-nn").radius(victim, 1.0) == pytest.approx(0.5 * scale.half_nn)
    assert FreeLB(0.5, "raw").radius(victim, 1.0) == 0.5


def test_methods_are_built_by_name_and_say_what_is_wrong() -> None:
    for name, cls in METHODS.items():
        assert build_method(method_settings(cls())) == cls()
        assert cls.title
        assert cls.quoted is None or cls.quoted in method_settings(cls())
        assert method_settings(cls())["name"] == name
    with pytest.raises(SettingError, match="unknown training method 'yopo'; choose from awp"):
        build_method({"name": "yopo"})
    with pytest.raises(SettingError, match="no setting 'eps'"):
        build_method({"name": "plain", "eps": 0.1})
    with pytest.raises(SettingError, match=r"FreeLB\.p: expected one of l2, linf, l1, got 'l3'"):
        build_method({"name": "freelb", "p": "l3"})
