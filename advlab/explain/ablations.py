"""Attributions by taking words away: what the target loses when a word's vectors become the baseline.

Captum works on gates here, one number a word: 1 keeps the word's vectors, 0 puts the baseline's in
their place. A word's score is shared equally among its tokens. Random coalitions come from a
generator of their own, so that no other thread's dice are touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from advlab.explain.attributions import Scores
from advlab.explain.targets import Case, baselines_of
from advlab.language import _

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from advlab.model.victim import Victim

ROWS = 64  # rows of one forward pass
EVERY = 2**10  # this many coalitions are all taken, where the budget allows it


@dataclass(frozen=True)
class Gates:
    """The target as a function of which words are there: (N,W) -> (N,)."""

    case: Case
    view: Tensor  # (T,D)

    @torch.no_grad()
    def __call__(self, gates: Tensor) -> Tensor:
        return torch.cat(
            [self.case.target(self.case.gated(self.view, part)) for part in gates.split(ROWS)]
        )

    @property
    def open(self) -> Tensor:
        """(1,W): every word there."""
        return torch.ones(1, self.case.W, dtype=self.view.dtype, device=self.view.device)


def leave_one_out(case: Case) -> Scores:
    """F(x) − F(x with one word replaced): by MASK, where the tokenizer has none by PAD."""
    case = replace(case, baseline=stand_in(case.target.victim))

    def one(gates: Gates) -> Tensor:
        each = 1 - torch.eye(case.W, dtype=gates.view.dtype, device=gates.view.device)
        values = gates(torch.cat([gates.open, each]))
        return values[0] - values[1:]

    return _by_word(case, one)


def stand_in(victim: Victim) -> str:
    """The baseline that leaves one word out: MASK, where the tokenizer has none PAD."""
    return "mask" if "mask" in baselines_of(victim) else "pad"


def feature_ablation(case: Case) -> Scores:
    """F(x) − F(x with one word replaced by the baseline) (Captum FeatureAblation)."""

    def one(gates: Gates) -> Tensor:
        from captum.attr import FeatureAblation

        return FeatureAblation(gates).attribute(
            gates.open, baselines=0.0, perturbations_per_eval=ROWS
        )[0]

    return _by_word(case, one)


def occlusion(case: Case, window: int = 2) -> Scores:
    """F(x) − F(x with `window` neighbouring words replaced), averaged over the windows of a word.

    Zeiler and Fergus 2014, arXiv:1311.2901 (Captum Occlusion).
    """

    def one(gates: Gates) -> Tensor:
        from captum.attr import Occlusion

        return Occlusion(gates).attribute(
            gates.open,
            sliding_window_shapes=(min(window, case.W),),
            baselines=0.0,
            perturbations_per_eval=ROWS,
        )[0]

    return _by_word(case, one)


def kernel_shap(case: Case, samples: int = 256, seed: int = 0) -> Scores:
    """Shapley values of the words by weighted least squares over coalitions.

    Lundberg and Lee 2017, arXiv:1705.07874. Short texts take every coalition and are exact; longer
    ones draw coalitions and their complements (Covert and Lee 2021, arXiv:2012.01536) by the Shapley
    kernel. `samples`: coalitions, the empty and the full one included.
    """
    W = case.W
    exact = min(samples, EVERY) >= 2**W
    rows, weights = all_coalitions(W) if exact else drawn_coalitions(W, samples, seed)
    note = "" if exact or samples >= 4 * W else _too_few(samples, W)

    def one(gates: Gates) -> Tensor:
        if W == 1:  # nothing to share
            values = gates(torch.cat([gates.open, 0 * gates.open]))
            return values[:1] - values[1:]
        return _surrogate(gates, rows, weights, Surrogate(total=True))

    return replace(_by_word(case, one), note=note)


def lime(case: Case, samples: int = 256, seed: int = 0, width: float = 0.25) -> Scores:
    """Slopes of a ridge regression on texts with random words replaced, near texts counting more.

    Ribeiro et al. 2016, arXiv:1602.04938, as for text: the number of replaced words is uniform, the
    distance is the cosine of the gates, the kernel exp(−d²/width²) under a root, the ridge 1.
    """
    W, dice = case.W, torch.Generator().manual_seed(seed)
    rows = torch.ones(samples, W)
    for row in rows[1:]:
        gone = int(torch.randint(1, W + 1, (), generator=dice))
        row[torch.randperm(W, generator=dice)[:gone]] = 0
    cosine = rows.sum(1).sqrt() / math.sqrt(W)  # with the full text
    weights = (-((1 - cosine) ** 2) / width**2).exp().sqrt()
    note = "" if samples >= 4 * W else _too_few(samples, W)

    def one(gates: Gates) -> Tensor:
        return _surrogate(gates, rows, weights, Surrogate(ridge=1.0))

    return replace(_by_word(case, one), note=note)


def all_coalitions(W: int) -> tuple[Tensor, Tensor]:
    """Every coalition of W words (2^W,W), empty first and full last, and its Shapley kernel weight."""
    rows = ((torch.arange(2**W)[:, None] >> torch.arange(W)) & 1).float()
    sizes = rows.sum(1).long().tolist()
    weights = [(W - 1) / (math.comb(W, k) * k * (W - k)) if 0 < k < W else math.inf for k in sizes]
    return rows, torch.tensor(weights)


def drawn_coalitions(W: int, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Empty, full, then pairs of a coalition and its complement drawn by the Shapley kernel."""
    dice = torch.Generator().manual_seed(seed)
    sizes = torch.arange(1, W, dtype=torch.float64)
    chances = 1 / (sizes * (W - sizes))
    rows = [torch.zeros(W), torch.ones(W)]
    while len(rows) < max(samples, 3):
        k = 1 + int(torch.multinomial(chances, 1, generator=dice))
        row = torch.zeros(W)
        row[torch.randperm(W, generator=dice)[:k]] = 1
        rows += [row, 1 - row]
    found = torch.stack(rows[: max(samples, 3)])
    weights = torch.ones(len(found))
    weights[:2] = math.inf
    return found, weights


class Surrogate:
    """Captum's interpretable model: weighted least squares in float64, without scikit-learn.

    Rows of infinite weight, empty and full, fix the intercept and, with `total`, the sum.
    """

    def __init__(self, ridge: float = 0.0, *, total: bool = False) -> None:
        self.ridge, self.total = ridge, total
        self.weights = torch.empty(0)

    def fit(self, train_data: DataLoader[Any], **_: object) -> None:
        """Fit to the loader's data set; its tensors are read whole, as iterating draws dice."""
        tensors: tuple[Tensor, Tensor, Tensor] = train_data.dataset.tensors  # type: ignore[attr-defined]
        rows, values, weights = (t.detach().cpu().double() for t in tensors)
        self.weights = (
            self._with_total(rows, values, weights)
            if self.total
            else self._ridged(rows, values, weights)
        )

    def _with_total(self, rows: Tensor, values: Tensor, weights: Tensor) -> Tensor:
        empty, full = values[rows.sum(1) == 0][0], values[(rows == 1).all(1)][0]
        free = weights.isfinite()
        root = weights[free].sqrt()
        left, last = rows[free, :-1], rows[free, -1]
        goal = values[free] - empty - last * (full - empty)  # the last word takes what is left
        head = torch.linalg.lstsq(
            root[:, None] * (left - last[:, None]), (root * goal)[:, None], driver="gelsd"
        ).solution[:, 0]
        return torch.cat([head, (full - empty - head.sum())[None]])

    def _ridged(self, rows: Tensor, values: Tensor, weights: Tensor) -> Tensor:
        share = weights / weights.sum()
        x, y = rows - share @ rows, values - share @ values  # the intercept is not penalised
        square = x.T @ (weights[:, None] * x) + self.ridge * torch.eye(x.shape[1]).double()
        return torch.linalg.solve(square, x.T @ (weights * y))

    def representation(self) -> Tensor:
        """(W,) the slopes."""
        return self.weights


def _surrogate(gates: Gates, rows: Tensor, weights: Tensor, model: Surrogate) -> Tensor:
    """Captum's LIME on given coalitions (S,W) with given weights (S,) -> (W,)."""
    from captum.attr import LimeBase

    weight_of = iter(weights.tolist())

    def coalitions(_: Tensor, **__: object) -> Iterator[Tensor]:
        yield from rows.to(gates.view).split(1)

    method = LimeBase(
        gates,
        model,  # type: ignore[arg-type]  it has the two functions that are called
        similarity_func=lambda *_, **__: next(weight_of),
        perturb_func=coalitions,
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda sample, *_, **__: sample,
        to_interp_rep_transform=None,
    )
    return method.attribute(gates.open, n_samples=len(rows), perturbations_per_eval=ROWS)


def _by_word(case: Case, one: Callable[[Gates], Tensor]) -> Scores:
    """Word scores of each view, shared equally among a word's ordinary tokens."""
    words = torch.tensor(case.word_of, device=case.views.device)
    inside = (words >= 0) & case.ordinary
    counts = torch.bincount(words[inside], minlength=max(case.W, 1))
    found = []
    for view in case.views:
        tokens = torch.zeros_like(view[:, 0])
        if case.W:
            scores = one(Gates(case, view)).detach().to(tokens)
            tokens[inside] = (scores / counts.clamp_min(1))[words[inside]]
        found.append(tokens)
    return Scores(torch.stack(found))


def _too_few(samples: int, W: int) -> str:
    return _(
        "{samples} samples are few for {words} words: take {enough} or more",
        samples=samples,
        words=W,
        enough=4 * W,
    )
