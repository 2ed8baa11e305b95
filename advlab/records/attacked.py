"""One attacked example: everything the Explore page draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from advlab.records.reading import Reading
from advlab.records.views import Curve, Neighbours, Written


@dataclass(frozen=True)
class Scale:
    """Lengths that give ε a meaning: L2, raw embedding units, over ordinary vocabulary rows."""

    mean_norm: float  # mean length of a word vector
    half_nn: float  # median half distance from a word vector to its nearest other

    def raw(self, eps: float, unit: str) -> float:
        """ε in raw embedding units. `unit`: raw, norm (× mean norm) or half-nn."""
        return eps * {"raw": 1.0, "norm": self.mean_norm, "half-nn": self.half_nn}[unit]

    def units(self, raw: float) -> dict[str, float]:
        """A raw length in all three units."""
        # rows that are equal have no distance: then every other length is beyond measure in it
        near = raw / self.half_nn if self.half_nn else raw and float("inf")
        return {"raw": raw, "norm": raw / self.mean_norm, "half-nn": near}


@dataclass(frozen=True)
class AttackRecord:
    """One sentence, one model, one attack: everything the Explore page draws."""

    text: str
    reference: str  # the answer whose loss the attack raises
    given: bool  # False: no answer was given, and the model's own clean one stands in
    task: Mapping[str, Any]  # settings, with "name"
    model: str
    model_hash: str
    attack: Mapping[str, Any]  # settings as given, with "name"
    seed: int
    eps: float  # raw units
    scale: Scale
    tokens: tuple[str, ...]  # T
    word_of: np.ndarray  # (T,) index into `words`, −1 for special tokens
    words: tuple[str, ...]  # W
    spans: np.ndarray  # (T,2) where each token stands in `text`, in characters; 0, 0 for specials
    perturbable: np.ndarray  # (T,) bool: ordinary and not shielded
    shield: tuple[tuple[int, int], ...]  # spans of `text`, in characters, that were not attacked
    readings: Mapping[str, Reading]  # clean, attacked, noise, nearest tokens, as text again, steps
    round_trip_text: str
    round_trip_tokens: tuple[str, ...]
    losses: np.ndarray  # (S+1,) of the kept restart, step 0 is the start
    step_norms: np.ndarray  # (S+1,T)
    path_steps: np.ndarray  # (F,) the steps that `path` holds: the first, best, flip and last too
    path: np.ndarray  # (F,T,D) δ at these steps
    best_step: int
    flip_step: int | None
    delta: np.ndarray  # (T,D)
    delta_norm: np.ndarray  # (T,)
    embed_norm: np.ndarray  # (T,)
    exit_radius: np.ndarray  # (T,) distance to the next token's cell along δ; inf: none that way
    certificate: np.ndarray  # (T,) half distance to the nearest other row: no direction exits below
    neighbours: Neighbours  # of the perturbed vectors, by L2
    curve: Curve
    seconds: float
    notes: tuple[str, ...] = ()
    beside: str = ""  # what was read with the text
    # (T,) 0 the text, 1 beside it, 2 the answer's own tokens, −1 special; None: nobody kept it
    segment: np.ndarray | None = None
    goal: str = ""  # what the attack aimed at beside the loss, as the task names it: keyword:WORD
    met: bool = False  # whether δ meets the goal, read behind the words of the reference

    @property
    def moved(self) -> np.ndarray:
        """(T,) bool: tokens whose nearest vocabulary row (L2) is no longer their own."""
        return (self.neighbours.own_rank > 1) & self.perturbable

    @property
    def clean(self) -> Reading:
        """Of the sentence as it is."""
        return self.readings["clean"]

    @property
    def attacked(self) -> Reading:
        """At the δ that is kept."""
        return self.readings["attacked"]

    @property
    def noise(self) -> Reading:
        """R draws of random noise as long as δ."""
        return self.readings["noise"]

    @property
    def projected(self) -> Reading:
        """Every token replaced by its nearest vocabulary row."""
        return self.readings["nearest tokens"]

    @property
    def round_trip(self) -> Reading:
        """Those tokens written as text and tokenised again."""
        return self.readings["as text again"]

    @property
    def steps(self) -> Reading:
        """S+1, along the attack's path."""
        return self.readings["steps"]

    @property
    def flipped(self) -> bool:
        """Whether the attack changed the answer."""
        return bool(self.attacked.broken[0])

    @property
    def stuck(self) -> bool:
        """Whether no step moved δ although it had room: no gradient came, the loss is flat here.

        A goal that is met leaves nothing to climb.
        """
        return bool(
            self.eps > 0
            and not self.met
            and len(self.path) > 1
            and self.perturbable.any()
            and (self.path == self.path[0]).all()
        )

    @property
    def met_clean(self) -> bool:
        """Whether the text meets the goal as it stands, without δ."""
        return self.met and not self.delta.any()

    @property
    def right(self) -> bool:
        """Whether the clean answer is the reference, or says the same in the eyes of its task."""
        return self.clean.answers[0] == self.reference or bool(self.clean.margin[0] > 0)


@dataclass(frozen=True)
class Moment:
    """A sentence after one epoch of training. `record` belongs to the weights of that epoch."""

    epoch: int  # 0 is before training
    record: AttackRecord
    words: np.ndarray  # (W,) integrated gradients of the margin on the clean sentence
    chosen: bool = False  # whether the run keeps the weights of this epoch as its model
    written: Written | None = None  # what is written under attack, where answers are written
