"""What the views of one example show: curves, neighbours, attributions, surfaces, films."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from advlab.language import N_
from advlab.records.reading import Reading


@dataclass(frozen=True)
class Neighbours:
    """Nearest vocabulary rows of each token's perturbed embedding, under one metric."""

    metric: str  # l2, cosine or dot
    tokens: tuple[tuple[str, ...], ...]  # T × K, nearest first
    ids: np.ndarray  # (T,K)
    scores: np.ndarray  # (T,K) distance (l2, cosine) or product (dot)
    own_rank: np.ndarray  # (T,) 1 when the token's own row is the nearest
    margin: np.ndarray  # (T,) score gap between first and second; positive
    excluded: int  # vocabulary rows left out: specials and unused
    own_score: np.ndarray | None = None  # (T,) the own row's; None: not recorded


@dataclass(frozen=True)
class Attribution:
    """What each token and word of one version of a text adds to a target."""

    tokens: np.ndarray  # (T,)
    words: np.ndarray  # (W,)
    remainder: float = 0.0  # special tokens' share: sum(words) + remainder = sum(tokens)
    value: float | None = None  # F(x), the target itself
    gap: float | None = None  # |Σ − (F(x) − F(b))|, in units of the target; None: no such claim
    completeness: float | None = None  # the gap as a share of |F(x) − F(b)|
    spread: np.ndarray | None = None  # (W,) standard deviation of a single draw


@dataclass(frozen=True)
class Saliency:
    """One attribution method on the clean and on the perturbed embeddings, same target."""

    method: str
    target: str  # what is explained, in words
    clean: Attribution
    perturbed: Attribution
    signed: bool
    baseline: str = ""  # what stands for "no words", in words
    title: str = ""  # the method's name, for people
    value_baseline: float | None = None  # F(b); drawn baselines: its mean
    p_baseline: float | None = None  # probability of the explained class at the baseline
    settings: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""  # what this run calls for: more samples, …
    withheld: str = ""  # why there are no scores (all NaN then)

    @property
    def versions(self) -> tuple[tuple[str, Attribution], ...]:
        """Both, each with its name."""
        return (N_("clean"), self.clean), (N_("perturbed"), self.perturbed)


@dataclass(frozen=True)
class Curve:
    """What the model says against ε, under the attack and under random noise of equal norm."""

    eps: np.ndarray  # (N,) raw units, first 0
    attacked: Reading  # N
    low: np.ndarray  # (N,) the reference's score under noise: the lowest of the draws
    mean: np.ndarray  # (N,)
    high: np.ndarray  # (N,)
    delta_norm: np.ndarray  # (N,T) ‖δ‖ per token
    flip_eps: float | None  # smallest ε found that changes the answer, raw units
    draws: int = 0  # random draws behind the band at each ε; 0: not recorded
    deltas: np.ndarray | None = None  # (N,T,D) the attack's δ at each ε


@dataclass(frozen=True)
class Alignment:
    """Written tokens against source words, twice, with errors where the truth is known."""

    written: tuple[str, ...]  # U tokens, the end among them
    words: tuple[str, ...]  # W of the source
    # (U,W) mean over the heads of the middle layer; what is not on words is left
    attention: np.ndarray
    gradient: np.ndarray  # (U,W) |input × gradient| of log p of the token, each row summing to 1
    attention_error: float | None  # share of tokens whose strongest word is no true one
    gradient_error: float | None


@dataclass(frozen=True)
class Written:
    """What is written to N versions, token by token: the answer of each, told on its own."""

    answers: tuple[str, ...]  # N
    pieces: tuple[tuple[str, ...], ...]  # N × U: as they stand in the answer; the end is ""
    nats: tuple[np.ndarray, ...]  # N × (U,): −log p of each; NaN: left out of it
    clean: tuple[str, ...]  # pieces of the answer to the text as it is


@dataclass(frozen=True)
class LocalPlane:
    """One token's neighbourhood: x along δ (exact), y along the neighbours' main other direction."""

    token: int
    x: np.ndarray  # (J,) coordinates of the nearest vocabulary rows, raw units
    y: np.ndarray  # (J,)
    residual: np.ndarray  # (J,) distance out of the plane
    labels: tuple[str, ...]  # J
    delta: float  # ‖δ‖ of this token: the arrow goes from (0,0) to (delta,0)
    exit_radius: float
    grid_x: np.ndarray  # (G,)
    grid_y: np.ndarray  # (G,)
    cell: np.ndarray  # (G,G) index into `labels`, −1 for the token itself: true nearest row
    magnification: float  # of the lens in which the arrow fills a third of the width


@dataclass(frozen=True)
class Nearest:
    """What a text's vectors are nearest to in one space, before and after the attack."""

    space: str  # which vectors these are, in words
    clean: Mapping[str, Neighbours]  # metric -> neighbours; empty where the model has no such space
    perturbed: Mapping[str, Neighbours]
    shift: np.ndarray  # (T,) how far the attack moved each vector in this space, L2
    note: str = ""  # why there is nothing, or nothing new


@dataclass(frozen=True)
class Exits:
    """How far each token's vector is from being nearest to another token (L2, raw units)."""

    radius: np.ndarray  # (T,) along δ, as in the record; inf: none lies that way
    becomes: tuple[str, ...]  # T, the token met there; empty when none
    factor: np.ndarray  # (T,) radius ÷ ‖δ‖: so many times longer δ must be; inf where ‖δ‖ is 0
    certificate: np.ndarray  # (T,) half distance to the nearest other row
    closest: tuple[str, ...]  # T, that row's token
    closest_factor: np.ndarray  # (T,) certificate ÷ ‖δ‖
    excluded: int = 0  # vocabulary rows that were no candidates


@dataclass(frozen=True)
class Scaled:
    """δ times a growing factor, until words change. R random draws, F factors, every one evaluated."""

    factors: np.ndarray  # (F,) ascending
    exits: np.ndarray  # (T,) factor at which each token is first nearest to another; inf: never
    crossings: tuple[tuple[tuple[float, str], ...], ...]  # T × each change: (factor, new token)
    changed: np.ndarray  # (F,T) bool: nearest to another token than its own
    tokens: tuple[tuple[str, ...], ...]  # F × T nearest tokens
    texts: tuple[str, ...]  # F, the text that these spell
    read: tuple[tuple[str, ...], ...]  # F × its tokens when it is tokenised again
    vectors: Reading  # F, of the scaled vectors
    projected: Reading  # F, of the nearest rows in their place
    reread: Reading  # F, of the text
    noise: Reading  # F·R, of random noise as long as the scaled δ
    noise_changed: np.ndarray  # (F,R) tokens that the noise changes
    reachable: int  # tokens that change at some factor, however large
    limit: float  # no factor beyond this was tried


@dataclass(frozen=True)
class Substitutions:
    """The replacements of one token that the gradient promises most, and what they really do. K."""

    places: np.ndarray  # (K,) which token, in the order of the estimates
    words: tuple[str, ...]  # K, what it is replaced by
    estimates: np.ndarray  # (K,) first-order rise of the reference's loss, nats
    rises: np.ndarray  # (K,) the real one
    reading: Reading  # K
    start: float  # the loss of the clean sentence, nats
    possible: int  # replacements that the estimates rank


@dataclass(frozen=True)
class Frames:
    """A series of δ, token by token: the attack's kept steps, or its δ at each ε. F frames."""

    at: np.ndarray  # (F,) step, or ε in raw units
    delta_norm: np.ndarray  # (F,T)
    exit_radius: np.ndarray  # (F,T) distance to the next token's cell along that δ; inf: none
    own_rank: np.ndarray  # (F,T) 1 when no other row is nearer than the token's own (L2)
    nearest: np.ndarray  # (F,T) the nearest row
    tokens: tuple[tuple[str, ...], ...]  # F × T, its text
    random: Reading | None = None  # F·R, under noise as long as each frame's δ
    draws: int = 0  # R

    @property
    def exit_share(self) -> np.ndarray:
        """(F,T) ‖δ‖ as a share of the exit radius; above 1 the token has moved, 0: no way out."""
        ratio = self.delta_norm / np.where(self.exit_radius > 0, self.exit_radius, np.inf)
        return np.where(np.isfinite(self.exit_radius), ratio, 0.0)


@dataclass(frozen=True)
class Noise:
    """Random noise exactly as long as an attack's δ, token by token. R draws."""

    delta_norm: np.ndarray  # (R,T)
    exit_radius: np.ndarray  # (R,T) along each draw; inf: none
    first: np.ndarray  # (T,D) the first draw


@dataclass(frozen=True)
class SaliencyChoices:
    """What can be asked of a model: its baselines, name -> in words, and methods that do not fit."""

    baselines: Mapping[str, str]
    unfit: Mapping[str, str]  # method -> why
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Layers:
    """Gradient norms and attention rollout through L layers. The last column is special tokens."""

    target: str  # what is explained, in words
    gradients_clean: np.ndarray  # (L+1,W+1) ‖∂target/∂h‖ of each word, from the embeddings on
    gradients_adversarial: np.ndarray
    rollout_clean: np.ndarray | None  # (L,W+1) shares that sum to 1
    rollout_adversarial: np.ndarray | None
    reads: tuple[int, ...]  # tokens whose last vector the classifier reads
    note: str = ""


@dataclass(frozen=True)
class Surface:
    """The model over a·δ + b·η, η random, across δ and as long. G grid values, some rows b of them."""

    seed: int  # of η
    axis: np.ndarray  # (G,) values of a and of b, in lengths of δ
    rows: np.ndarray  # (R,) indices into `axis`: the b of each row
    loss: np.ndarray  # (R,G) of the attacked class
    margin: (
        np.ndarray
    )  # (R,G) logit of the clean prediction minus the best other: 0 is the boundary
    share: np.ndarray  # (R,G) length in the attack's norm ÷ ε: 1 is the edge of the ball


@dataclass(frozen=True)
class Line:
    """Loss on the straight way to δ and beyond, and along the attack's own path. F kept steps."""

    t: np.ndarray  # (N,) in lengths of δ: 1 is δ
    loss: np.ndarray  # (N,)
    margin: np.ndarray  # (N,)
    path_length: np.ndarray  # (F,) ‖δ_s‖ ÷ ‖δ‖
    path_along: np.ndarray  # (F,) how far along δ, in lengths of δ
    path_loss: np.ndarray  # (F,)
    path_margin: np.ndarray  # (F,)
    noise_t: np.ndarray | None = None  # (M,) lengths at which noise was drawn, in lengths of δ
    noise: np.ndarray | None = None  # (R,M) loss under random noise so long


@dataclass(frozen=True)
class Distances:
    """How far a token's vector is from its own row and from others while its δ grows. K rivals."""

    token: int
    t: np.ndarray  # (N,) factor on δ
    own: np.ndarray  # (N,) raw units
    rivals: tuple[str, ...]  # K
    far: np.ndarray  # (K,N) raw units
    exit: float  # factor at which a rival is as near as the own row; inf: never
    becomes: str  # that rival


@dataclass(frozen=True)
class Map:
    """The vocabulary's two main axes: context only, since δ hardly shows in them."""

    words: np.ndarray  # (N,2) a sample of the vocabulary
    tokens: np.ndarray  # (T,2)
    moved: np.ndarray  # (T,2) with δ
    energy: float  # share of ‖δ‖² in these axes
    variance: float  # share of the vocabulary's variance in them
