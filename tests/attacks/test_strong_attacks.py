"""Auto-PGD, the smallest δ that flips, guessed gradients, the ensemble, chosen words."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from victims import labelled, make_victim, scores_of, shared_victim

from advlab.attacks import FGM, FMN, PGD, SPSA, AutoPGD, CarliniWagner, DeepFool, Ensemble, Problem
from advlab.attacks.autopgd import checkpoints
from advlab.attacks.norms import norm
from advlab.attacks.scores import dlr, margin
from advlab.errors import SettingError

TEXTS = tuple(  # of one length, so that toolkits that know no padding see the same
    f"{a} {b} {c} film"
    for a in ("good", "poor", "the", "slow")
    for b in ("very", "dull", "great")
    for c in ("was", "we")
)


class Planes:
    """Linear logits W·x + b for one text of T·D numbers: distances to boundaries are known."""

    def __init__(self, w: Tensor, b: Tensor, labels: Tensor) -> None:
        self.w, self.b, self.batch = w, b, SimpleNamespace(target={"labels": labels})

    def logits(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.w.T + self.b

    def scores(self, x: Tensor) -> Tensor:
        return scores_of(self.logits(x), self.batch.target["labels"])

    def flips(self, x: Tensor) -> Tensor:
        return self.logits(x).argmax(1) != self.batch.target["labels"]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(
            self.logits(x), self.batch.target["labels"], reduction="none"
        )


@pytest.fixture(scope="module")
def planes() -> tuple[Planes, Tensor, Tensor]:
    """Four classes over 3 tokens of 4 numbers, six texts; all positions open."""
    dice = torch.Generator().manual_seed(1)
    w = torch.randn(4, 12, generator=dice, dtype=torch.float64)
    b = torch.randn(4, generator=dice, dtype=torch.float64)
    x = torch.randn(6, 3, 4, generator=dice, dtype=torch.float64)
    labels = (x.flatten(1) @ w.T + b).argmax(1)
    return Planes(w, b, labels), x, torch.ones(6, 3, dtype=torch.bool)


def distance(planes: Planes, x: Tensor, dual: float) -> Tensor:
    """To the nearest boundary: gap over the dual norm of the difference of two classes' rows."""
    z, y = planes.logits(x), planes.batch.target["labels"]
    apart = planes.w[None] - planes.w[y][:, None]  # (B,C,N)
    far = (z.gather(1, y[:, None]) - z) / torch.linalg.vector_norm(apart, dual, dim=2)
    return far.scatter(1, y[:, None], torch.inf).amin(1)


@pytest.mark.parametrize(("p", "dual"), [("l2", 2.0), ("linf", 1.0), ("l1", float("inf"))])
@pytest.mark.parametrize("attack", [DeepFool(), FMN(steps=400)])
def test_smallest_deltas_of_a_linear_model_reach_its_boundaries(
    planes: Any, attack: Any, p: Any, dual: float
) -> None:
    model, x, mask = planes
    delta, size = replace(attack, unit="raw", p=p).smallest(model, x, mask)
    wanted = distance(model, x, dual)
    assert model.flips(x + delta).all()
    assert (size >= wanted * (1 - 1e-9)).all()  # nothing flips below
    assert (size <= wanted * 1.03).all()
    torch.testing.assert_close(norm(delta, p, "example").flatten(), size)


def test_carlini_and_wagner_reach_them_too(planes: Any) -> None:
    model, x, mask = planes
    delta, size = CarliniWagner(unit="raw", steps=300, searches=9).smallest(model, x, mask)
    wanted = distance(model, x, 2.0)
    assert model.flips(x + delta).all()
    assert (size >= wanted * (1 - 1e-9)).all()
    assert (size <= wanted * 1.05).all()


def test_carlini_and_wagner_look_for_the_smallest_l2_in_any_ball_and_say_so(planes: Any) -> None:
    model, x, mask = planes
    quick = CarliniWagner(unit="raw", steps=60)
    in_l2, _ = quick.smallest(model, x, mask)
    in_linf, size = replace(quick, p="linf").smallest(model, x, mask)
    assert torch.equal(in_l2, in_linf)
    torch.testing.assert_close(size, norm(in_linf, "linf", "example").flatten())
    shorter = FMN(unit="raw", steps=400, p="linf").smallest(model, x, mask)[1]
    assert (shorter < 0.8 * size).all()
    assert "for fmn" in (CarliniWagner.__doc__ or "")


@pytest.mark.parametrize("attack", [DeepFool(), FMN(), CarliniWagner()])
def test_misread_texts_need_nothing_and_hopeless_ones_have_no_smallest(
    planes: Any, attack: Any
) -> None:
    model, x, mask = planes
    wrong = Planes(model.w, model.b, (model.batch.target["labels"] + 1) % 4)
    delta, size = replace(attack, unit="raw").smallest(wrong, x, mask)
    assert (delta == 0).all()
    assert (size == 0).all()
    nothing = torch.zeros_like(mask)
    delta, size = replace(attack, unit="raw").smallest(model, x, nothing)
    assert size.isinf().all()
    assert (delta == 0).all()


def test_fmn_shrinks_from_the_shortest_delta_that_flipped() -> None:
    """Where a δ flips that is shorter than its ε, the next ε is a little below that δ."""
    seen: list[float] = []

    class Wall:
        """The boundary is at 1 along a line."""

        def __call__(self, x: Tensor) -> Tensor:
            return x.sum((1, 2))

        def scores(self, x: Tensor) -> Tensor:
            seen.append(float(x.detach().sum()))
            return torch.cat([torch.ones_like(x[:, 0]), x[:, 0]], 1)

    x, mask = torch.zeros(1, 1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.bool)
    FMN(unit="raw", steps=100, step_size=1.004, gamma=0.1).smallest(Wall(), x, mask)
    # ε is 1.01 at first, but the step reaches 1.004, and flips
    fall = (1 + math.cos(math.pi / 100)) / 2
    assert seen[:3] == pytest.approx([0.0, 1.004, 1.004 * (1 - 0.1 * fall)], rel=1e-6)


def test_a_loss_without_scores_is_refused_with_a_way_out(planes: Any) -> None:
    _, x, mask = planes
    for attack in (DeepFool(unit="raw"), AutoPGD(unit="raw", loss="dlr")):
        with pytest.raises(SettingError, match="use pgd or autopgd with loss ce"):
            attack(lambda z: z.sum((1, 2)), x, mask, torch.Generator())


# ---- Auto-PGD -------------------------------------------------------------------------------


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


# ---- against the toolkits -------------------------------------------------------------------


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


def test_l1_fmn_is_as_short_as_brute_force(planes: Any) -> None:
    """On a linear model an L1 δ spends all on one number: every number and class is tried."""
    model, x, mask = planes
    z, y = model.logits(x), model.batch.target["labels"]
    for i in range(len(x)):
        lengths = []
        for rival in range(4):
            gap = float(z[i, y[i]] - z[i, rival])
            lengths += [
                gap / abs(float(model.w[rival, n] - model.w[y[i], n]))
                for n in range(12)
                if rival != y[i]
            ]
        one = Planes(model.w, model.b, y[i : i + 1])
        delta, size = FMN(unit="raw", p="l1", steps=400).smallest(
            one, x[i : i + 1], mask[i : i + 1]
        )
        assert min(lengths) * (1 - 1e-9) <= float(size) <= 1.03 * min(lengths)
        assert one.flips(x[i : i + 1] + delta).all()


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


# ---- no gradients, all together, weights ----------------------------------------------------


def test_guessed_gradients_pass_a_model_that_hides_its_own(planes: Any) -> None:
    model, x, mask = planes

    class Hidden(Planes):
        def logits(self, x: Tensor) -> Tensor:
            return super().logits(x.detach()) + 0 * x.sum()

    masked = Hidden(model.w, model.b, model.batch.target["labels"])
    eps = float(distance(model, x, 2.0).max()) * 1.5
    dice = torch.Generator().manual_seed(0)
    stopped = PGD(eps, "raw")(masked, x, mask, dice, flips=masked.flips)
    assert (stopped.first_flip < 0).all()
    found = SPSA(eps, "raw", steps=30, samples=24)(masked, x, mask, dice, flips=masked.flips)
    assert (found.first_flip >= 0).all()


def test_the_ensemble_leaves_no_more_standing_than_any_member() -> None:
    victim = shared_victim("bert")
    texts = [
        f"{a} {b} {c}"
        for a in ("good", "poor", "the")
        for b in ("film", "very")
        for c in ("slow", "we", "dull")
    ]
    batch = labelled(victim, tuple(texts))
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    everyone = Ensemble(1.0, "raw", effort=12)

    def standing(attack: Any) -> Tensor:
        dice = torch.Generator().manual_seed(0)
        return attack(objective, x, batch.perturbable, dice, flips=objective.flips).first_flip < 0

    all_of_them = standing(everyone)
    counts = [int(standing(member).sum()) for member in everyone.members()]
    assert 0 < int(all_of_them.sum()) < len(texts)
    assert all(int(all_of_them.sum()) <= n for n in counts)
    assert len(set(counts)) > 1  # and the members do differ


def test_the_ensemble_works_only_on_what_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    sizes: list[int] = []
    real = AutoPGD.__call__

    def watching(self: Any, loss_fn: Any, embeds: Tensor, *more: Any, **named: Any) -> Any:
        sizes.append(len(embeds))
        return real(self, loss_fn, embeds, *more, **named)

    monkeypatch.setattr(AutoPGD, "__call__", watching)
    eps = float(FMN(unit="raw").smallest(objective, x, batch.perturbable)[1].median()) * 1.2
    found = Ensemble(eps, "raw", effort=20)(
        objective, x, batch.perturbable, torch.Generator().manual_seed(0), flips=objective.flips
    )
    assert sizes[0] == len(batch)
    assert sizes[-1] < len(batch)
    broken = found.first_flip >= 0
    assert torch.equal(
        victim.output(x + found.flip_delta, batch).argmax(1) != batch.target["labels"], broken
    )


@pytest.mark.parametrize("attack", [PGD(2.0, steps=4), AutoPGD(2.0, steps=5), FGM(2.0)])
def test_chosen_words_alone_can_be_attacked(attack: Any) -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    x = victim.embed(batch).detach()
    objective = victim.objective(batch)
    places = [[2], [3, 5], [1, 2], [4]]
    raw = attack.at(victim.scale)
    chosen = torch.zeros_like(batch.perturbable)
    for row, tokens in enumerate(places):
        chosen[row, tokens] = True
    found = raw(objective, x, batch.perturbable & chosen)
    moved = (found.delta.norm(dim=-1) > 0).tolist()
    assert [[t for t, m in enumerate(row) if m] for row in moved] == places
    assert (norm(found.delta, "l2", "example") <= raw.eps * (1 + 1e-9)).all()
    assert (found.loss > objective(x)).all()
