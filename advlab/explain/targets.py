"""What an attribution explains, and from where: a number of the model's output, and a baseline.

What there is to explain the task says; its default is a margin, the score of one answer minus that of
a fixed other one: logits do not saturate as probabilities do, and a margin is what a flip changes. A
baseline stands for "no words":
it replaces every word's vector and keeps special tokens, positions and the attention mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from advlab.errors import SettingError, unknown
from advlab.language import N_, _
from advlab.tasks.base import Explained

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch


@dataclass(frozen=True)
class Target:
    """The explained number as a function of one text's embeddings: (N,T,D) -> (N,)."""

    victim: Victim
    batch: Batch  # of one text
    explained: Explained

    def __call__(self, embeds: Tensor) -> Tensor:
        out = self.victim.output(embeds, self.batch.repeat(embeds.shape[0]))
        return self.explained.value(out)

    def probability(self, embeds: Tensor) -> np.ndarray:
        """(N,T,D) -> (N,) of the explained answer."""
        found = self.victim.read(embeds, self.batch)
        return found.parts.get(self.explained.of, found.score)

    @property
    def words(self) -> str:
        """What is explained, for people."""
        return self.explained.words


def make_target(
    victim: Victim,
    batch: Batch,
    clean: Tensor,
    kind: str = "margin",
    of: int | str | None = None,
    against: int | str | None = None,
) -> Target:
    """A target from names, as the task has them. `clean` (1,…) is the output of the clean text."""
    asked = victim.task.explained(kind, clean, batch, victim.reader, of=of, against=against)
    return Target(victim, batch, asked)


@dataclass(frozen=True)
class Case:
    """One text to be explained: the target, the versions of the text, its words, its baseline."""

    target: Target
    views: Tensor  # (N,T,D) versions of the text: clean, then perturbed
    word_of: tuple[int, ...]  # (T,) the word that each token is part of, −1 for special tokens
    ordinary: Tensor  # (T,) bool: tokens that a baseline replaces
    baseline: str = "pad"

    @property
    def W(self) -> int:  # noqa: N802  an axis
        """Words."""
        return max(self.word_of, default=-1) + 1

    @cached_property
    def start(self) -> Tensor:
        """(1,T,D): the baseline in place of every ordinary token, the rest as it was."""
        row = baseline_row(self.target.victim, self.baseline).to(self.views.dtype)
        return torch.where(self.ordinary[None, :, None], row, self.views[:1])

    def gated(self, view: Tensor, gates: Tensor) -> Tensor:
        """(T,D), (N,W) -> (N,T,D): words whose gate is 1 as they are, 0 as in the baseline."""
        words = torch.tensor(self.word_of, device=view.device)
        held = torch.where(
            (words >= 0) & self.ordinary,
            gates[:, words.clamp_min(0)],
            torch.ones_like(gates[:, :1]),
        )  # (N,T)
        return self.start + held.unsqueeze(-1) * (view - self.start)


def baseline_row(victim: Victim, name: str) -> Tensor:
    """(D,): the vector that stands for no word. SettingError where this model has none."""
    if name not in BASELINES:
        raise SettingError(unknown("baseline", name, BASELINES))
    row = BASELINES[name].row(victim)
    if row is None:
        have = ", ".join(baselines_of(victim))
        raise SettingError(
            _(
                "expected a baseline that this model has, got {name!r}: its tokenizer has "
                "no such token; choose among {have}",
                name=name,
                have=have,
            )
        )
    return row


def baselines_of(victim: Victim) -> list[str]:
    """The names of the baselines that this model has."""
    return [name for name, one in BASELINES.items() if one.row(victim) is not None]


def baseline_words(victim: Victim, name: str) -> str:
    """A baseline for people: ‘[PAD] at every word’."""
    found = BASELINES.get(name)
    return _("{token} at every word", token=found.words(victim) if found else name)


@dataclass(frozen=True)
class Baseline:
    """What stands for no word. `row` is (D,), None where a model has none; `words` are for people."""

    title: str
    row: Callable[[Victim], Tensor | None]
    words: Callable[[Victim], str]


def _token(role: str) -> Baseline:
    """A special token of the tokenizer."""

    def row(victim: Victim) -> Tensor | None:
        found = getattr(victim.tokenizer, f"{role}_token_id")
        # a padding token that was added beside the model may have no row
        return victim.table[found] if found is not None and found < len(victim.table) else None

    return Baseline(role.upper(), row, lambda v: getattr(v.tokenizer, f"{role}_token") or role)


BASELINES = {
    "pad": _token("pad"),
    "mask": _token("mask"),
    "zero": Baseline(
        "zero", lambda v: torch.zeros_like(v.table[0]), lambda v: _("the zero vector")
    ),
    "mean": Baseline(
        N_("mean word"), lambda v: v.table[v.ordinary].mean(0), lambda v: _("the mean word vector")
    ),
}
