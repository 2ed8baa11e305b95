"""What was measured over whole data sets, and what is doubted of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from advlab.language import N_
from advlab.records.estimates import Estimate, Resampled, share_of


@dataclass(frozen=True)
class Quoted:
    """One figure that people quote of answers as they were given: clean, attacked, under noise."""

    name: str  # "F1", "BLEU", "perplexity"
    clean: Resampled
    robust: tuple[Resampled, ...]  # at each ε
    noisy: tuple[Resampled, ...]
    note: str = ""  # how it is counted, where that is not settled by the name
    lower: bool = False  # whether less of it is better


@dataclass(frozen=True)
class Row:
    """One model under one attack: what happened to each of the N texts, in the given order."""

    model: str
    model_hash: str
    attack: Mapping[str, Any]
    eps: tuple[float, ...]  # ascending, in the attack's unit
    raw_eps: tuple[float, ...]
    right: np.ndarray  # (N,) bool, when clean
    confidence: np.ndarray  # (N,) probability of the prediction, when clean
    # (N,) index into `eps` of the first that breaks; −1: a clean mistake; len(eps): none does
    broken: np.ndarray
    # (E,N) bool, right under random noise of the same norm, the worst of the draws
    noise: np.ndarray
    # what it answers to each clean text, and what is quoted of answers; empty: not asked for
    said: tuple[str, ...] = ()
    quoted: tuple[Quoted, ...] = ()

    def stands(self, e: int) -> np.ndarray:
        """(N,) bool: right at ε number `e` and at every smaller one."""
        return self.broken > e

    @property
    def clean(self) -> Estimate:
        """Share right when clean."""
        return share_of(self.right)

    @property
    def robust(self) -> tuple[Estimate, ...]:
        """Share right at each ε."""
        return tuple(share_of(self.stands(e)) for e in range(len(self.eps)))

    @property
    def noisy(self) -> tuple[Estimate, ...]:
        """Share right under noise at each ε."""
        return tuple(share_of(row) for row in self.noise)

    @property
    def first_eps(self) -> np.ndarray:
        """(N,) the smallest tested ε that breaks each text: 0 for clean mistakes, inf for none."""
        return np.array([0.0, *self.eps, np.inf])[self.broken + 1]

    @property
    def median_flip(self) -> float:
        """Median of `first_eps` over the texts read right; inf: most stand everywhere."""
        found = np.sort(self.first_eps[self.right])
        return float(found[(len(found) - 1) // 2]) if len(found) else float("nan")


@dataclass(frozen=True)
class Grid:
    """All rows of one evaluation, with what they were measured on."""

    data: str
    data_hash: str
    ids: tuple[str, ...]
    answers: tuple[str | None, ...]
    majority: float  # share of the most frequent answer: what a constant predictor gets
    seed: int
    rows: tuple[Row, ...]

    def joined(self, other: Grid) -> Grid:
        """This grid with the rows of another on the same texts."""
        assert (self.data_hash, self.seed) == (other.data_hash, other.seed)
        return replace(self, rows=self.rows + other.rows)


@dataclass(frozen=True)
class CarryOver:
    """Models × kinds of attack. `right` (M,K,N): read right under the attack."""

    models: tuple[str, ...]  # M
    hashes: tuple[str, ...]
    kinds: tuple[str, ...]  # K
    settings: tuple[str, ...]  # K, each kind in words
    eps: float  # × mean norm, L2 on a text of median length
    ids: tuple[str, ...]  # N
    right: np.ndarray

    def share(self, m: int, k: int) -> Estimate:
        """Share right of one model under one kind, with its interval."""
        return share_of(self.right[m, k])


@dataclass(frozen=True)
class Transfer:
    """Made on one model, tried on another. `right` (M,M,N): [made on, tried on, text]."""

    kind: Literal["delta", "words"]
    models: tuple[str, ...]
    hashes: tuple[str, ...]
    ids: tuple[str, ...]
    right: np.ndarray
    possible: np.ndarray  # (M,M) bool: δ goes only where words are the same rows of the same width

    def share(self, made: int, tried: int) -> Estimate:
        """Share right of `tried` under what was made on `made`."""
        return share_of(self.right[made, tried])


@dataclass(frozen=True)
class Optima:
    """R ascents from random starts on each of the N texts that are read right."""

    model: str
    model_hash: str
    attack: dict[str, Any]
    ids: tuple[str, ...]  # N
    start: np.ndarray  # (N,R) loss at the start, nats
    loss: np.ndarray  # (N,R) highest loss of each ascent, nats
    flips: np.ndarray  # (N,R) bool
    cosine: np.ndarray  # (N,) mean cosine between the ends of two ascents
    distance: np.ndarray  # (N,) mean L2 distance between them, × ε

    @property
    def spread(self) -> np.ndarray:
        """(N,) highest less lowest end, as a share of the mean climb."""
        climb = (self.loss - self.start).mean(1)
        return np.ptp(self.loss, axis=1) / np.maximum(np.abs(climb), 1e-9)

    @property
    def undecided(self) -> np.ndarray:
        """(N,) bool: some starts flip the text and others do not."""
        return np.asarray(self.flips.any(1) & ~self.flips.all(1))

    def broken_by(self, starts: int) -> float:
        """Share of the texts that at least one of the first `starts` ascents flips."""
        return float(self.flips[:, :starts].any(1).mean())


@dataclass(frozen=True)
class Alarm:
    """A check that failed."""

    name: str
    model: str
    evidence: str
    advice: str


OUTCOMES = (N_("flipped"), N_("robust"), N_("wrong"), N_("no gradient"))


@dataclass(frozen=True)
class Finding:
    """One sentence under one model. Lengths in × mean norm."""

    text: str
    model: str
    outcome: str  # one of OUTCOMES
    clean: str  # what is answered
    attacked: str
    p_clean: float  # of the attacked answer
    p_attacked: float
    flip: float | None  # smallest ε found that flips; None: none up to twice the attack's
    moved: int  # tokens nearest to another one
    exit: float  # largest share of an exit radius
    worst: str  # the token with the longest δ
    longest: float  # its ‖δ‖
    noise: float  # share of the noise draws that flip
    tokens: int
    eps: float  # the attack's
    beside: str = ""  # what was read with the text
    goal: str = ""  # what the attack aimed at beside the loss, as the task names it
    met: bool = False  # whether it got there
