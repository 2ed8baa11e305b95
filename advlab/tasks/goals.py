"""What an attack on written answers may aim at, beside the loss: Seq2Sick's goals (1803.01128).

    NoWordStays       no token of the clean output is the first choice at its place
    KeywordsAppear    each of some words is the first choice at a place of its own

Each is an objective that any attack takes. Its scores are one pair (B,2), what holds the goal back
against 0, so that margins, flips and minimal attacks mean the goal; its loss (B,) rises towards it.
Logits are read under teacher forcing, behind the words of the clean output: what greedy decoding
then writes is to be looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.errors import SettingError
from advlab.language import N_, _
from advlab.tasks import sequences
from advlab.tasks.base import Batch, Judged, Model, Objective
from advlab.tasks.sequences import NONE
from advlab.tasks.tokens import Reader

KAPPA = 0.0  # how far beyond its goal a token is pushed, in logits


def held_back(out: Tensor, labels: Tensor, end: int) -> Tensor:
    """(B,U,V) -> (B,U) how far each clean token leads its best rival; the end's does not count.

    Cheng et al. 2020 (1803.01128), eq. 5: the hinge max(−κ, z[sₜ] − max z[v≠sₜ]).
    """
    own, rival = sequences.duels(out, labels)
    there = (labels != NONE) & (labels != end)
    return (own - rival).clamp_min(-KAPPA).masked_fill(~there, -KAPPA)


def far_from(out: Tensor, words: Sequence[int], allowed: Tensor) -> Tensor:
    """(B,U,V) -> (B,K) how far each of K tokens is from being the first choice at its best place.

    Cheng et al. 2020, eq. 7: minₜ max(−κ, max z[v≠k] − z[k]); each place serves one keyword, the
    nearest first, as their mask does. `allowed` (B,U) are the places of the output.
    """
    gaps = []
    for word in words:
        rest = out.index_fill(2, torch.tensor(word, device=out.device), -torch.inf).amax(-1)
        gaps.append((rest - out[..., word]).clamp_min(-KAPPA))
    gap = torch.stack(gaps, 1).masked_fill(~allowed.unsqueeze(1), torch.inf)  # (B,K,U)
    found = torch.zeros_like(gap[..., 0])
    free = gap.detach().clone()
    rows = torch.arange(len(gap), device=out.device)
    for _word in words:  # the nearest pair of a keyword and a place that are both free
        k, t = free.flatten(1).argmin(1) // free.shape[2], free.flatten(1).argmin(1) % free.shape[2]
        found = found.index_put((rows, k), gap[rows, k, t])
        free[rows, k] = torch.inf
        free[rows, :, t] = torch.inf
    return found


@dataclass(frozen=True)
class Reached(Judged):
    """One pass judged by a goal: `loss` rises towards it, `scores` fall below 0 where it is met."""

    goal: Goal

    @property
    def loss(self) -> Tensor:
        """(B,)."""
        return -self.goal.distances(self.out).sum(1)

    @property
    def scores(self) -> Tensor:
        """(B,2)."""
        left = self.goal.distances(self.out).amax(1)
        # met at 0 too: greedy decoding takes a token that leads by a bit
        return torch.stack([left - 1e-6, torch.zeros_like(left)], 1)


class Goal(Objective):
    """An objective whose example is broken once its goal is met; `distances` says how far it is."""

    def distances(self, out: Tensor) -> Tensor:
        """(B,U,V) -> (B,K), each 0 (or −κ) where its part of the goal is met."""
        raise NotImplementedError

    def loss_of(self, out: Tensor) -> Tensor:
        """(B,U,V) -> (B,)."""
        return -self.distances(out).sum(1)

    def judge(self, embeds: Tensor) -> Judged:
        """(B,T,D) -> all that may be asked of it."""
        return Reached(self, self.output(embeds), self)


class NoWordStays(Goal):
    """Another output throughout: at no place is the clean token the first choice."""

    def __init__(self, victim: Model, batch: Batch, reader: Reader) -> None:
        super().__init__(victim, batch)
        self.reader = reader

    def distances(self, out: Tensor) -> Tensor:
        """(B,U)."""
        return held_back(out, self.batch.target["labels"], self.reader.ending)

    def take(self, rows: Tensor) -> NoWordStays:
        """The same for some of the texts."""
        return NoWordStays(self.victim, self.batch.take(rows), self.reader)


class KeywordsAppear(Goal):
    """Some words appear in the output, each at a place of its own. SettingError where one is none."""

    def __init__(
        self, victim: Model, batch: Batch, reader: Reader, keywords: Sequence[str]
    ) -> None:
        super().__init__(victim, batch)
        self.reader, self.keywords = reader, tuple(keywords)
        self.ids = [i for word in self.keywords for i in _ids(word, reader)]
        places = int((batch.target["labels"] != NONE).sum(1).min())
        if not 0 < len(self.ids) <= places:
            raise SettingError(
                _(
                    "expected 1 to {places} tokens of keywords, as many as the shortest output "
                    "has, got {n_ids}; give other keywords",
                    places=places,
                    n_ids=len(self.ids),
                )
            )

    def distances(self, out: Tensor) -> Tensor:
        """(B,K)."""
        return far_from(out, self.ids, self.batch.target["labels"] != NONE)

    def take(self, rows: Tensor) -> KeywordsAppear:
        """The same for some of the texts."""
        return KeywordsAppear(self.victim, self.batch.take(rows), self.reader, self.keywords)


# name: what it means, and whether words are given with it
GOALS: Mapping[str, tuple[str, bool]] = {
    "other": (N_("no word of the answer stays in its place"), False),
    "keyword": (N_("words of your own appear in the answer"), True),
}


def aimed(goal: str, victim: Model, batch: Batch, reader: Reader) -> Goal:
    """The goal "other", or "keyword:" with words between blanks; SettingError for anything else."""
    name, _colon, words = goal.partition(":")
    if name == "other" and not words:
        return NoWordStays(victim, batch, reader)
    if name == "keyword":
        return KeywordsAppear(victim, batch, reader, words.split())
    raise SettingError(
        _(
            "expected the goal other, or keyword: with the words that are to appear (keyword:WORD), "
            "got {goal}; change it",
            goal=repr(goal),
        )
    )


def _ids(word: str, reader: Reader) -> list[int]:
    # where a blank is part of the word behind it, a word within an answer begins with one
    text = f" {word}" if reader.mark == "Ġ" else word
    ids = reader.tokenizer(text_target=text, add_special_tokens=False)["input_ids"]
    if not ids or set(ids) & set(reader.tokenizer.all_special_ids):
        raise SettingError(
            _(
                "expected a keyword that the model can write, got {word!r}; choose another",
                word=word,
            )
        )
    return ids
