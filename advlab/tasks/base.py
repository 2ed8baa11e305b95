"""What every task shares: the batch, its loss as a function of embeddings, and what a task must say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from advlab.records import Dataset, Example
from advlab.records.reading import Reading
from advlab.tasks.tokens import Reader, Tokens

TENSORS = ("input_ids", "attention_mask", "perturbable", "segment")


@dataclass(frozen=True)
class Batch:
    """Texts as padded ids, with what the task wants of them."""

    input_ids: Tensor  # (B,T) long
    attention_mask: Tensor  # (B,T) long
    perturbable: Tensor  # (B,T) bool: where δ may be other than 0
    segment: Tensor  # (B,T) long: 0 the text, 1 beside it, 2 the answer's own tokens, −1 special
    target: Mapping[str, Tensor] = field(default_factory=dict)  # the task's own, (B,…)
    tokens: tuple[Tokens, ...] = ()  # B, what the rows were made of

    def __len__(self) -> int:
        return self.input_ids.shape[0]

    def _each(self, change: Callable[[Tensor], Tensor], tokens: Sequence[Tokens]) -> Batch:
        own = {name: change(getattr(self, name)) for name in TENSORS}
        target = {name: change(t) for name, t in self.target.items()}
        return Batch(**own, target=target, tokens=tuple(tokens))

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return self._each(lambda t: t.to(device), self.tokens)

    def repeat(self, times: int) -> Batch:
        """Each row `times` times in succession: (B,…) -> (B·times,…)."""
        tokens = [t for t in self.tokens for _ in range(times)]
        return self._each(lambda t: t.repeat_interleave(times, 0), tokens)

    def take(self, rows: Tensor) -> Batch:
        """Some of the texts, by their places (n,)."""
        tokens = [self.tokens[i] for i in rows.tolist()] if self.tokens else ()
        return self._each(lambda t: t[rows], tokens)

    def with_target(self, **target: Tensor) -> Batch:
        """The same texts with other targets, of the shapes that they have now."""
        for name, values in target.items():
            have = self.target[name].shape if name in self.target else None
            if values.shape != have:
                raise ValueError(
                    f"expected {name} of shape {have and tuple(have)}, got {tuple(values.shape)}; "
                    "give one for each text"
                )
        return replace(self, target={**self.target, **target})


class Model(Protocol):
    """What an objective needs of a victim."""

    task: Task

    def output(self, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,T,D) -> (B,…), what the task reads."""
        ...


@dataclass(frozen=True)
class Judged:
    """What one forward pass says of each example: its loss, its scores, whether it is broken."""

    objective: Objective
    out: Tensor  # (B,…), what the task reads

    @property
    def loss(self) -> Tensor:
        """(B,) nats."""
        return self.objective.loss_of(self.out)

    @property
    def scores(self) -> Tensor:
        """(B,K): the reference's score, then each rival's in a column of its own."""
        return self.objective.victim.task.scores(self.out, self.objective.batch)

    @property
    def flipped(self) -> Tensor:
        """(B,) bool: the reference is broken (targeted: it is met)."""
        broken = broken_in(replace(self, out=self.out.detach()).scores)
        return ~broken if self.objective.targeted else broken


class Objective:
    """The loss of each example as a function of embeddings, with what an attack may ask about it.

    Calling it gives (B,T,D) -> (B,). `judge` answers all questions from one forward pass, so an attack
    that keeps its first success pays nothing for it; `scores` and `flips` answer one, from a pass each.
    """

    def __init__(
        self, victim: Model, batch: Batch, *, targeted: bool = False, training: bool = False
    ) -> None:
        self.victim, self.batch = victim, batch
        self.targeted, self.training = targeted, training

    def output(self, embeds: Tensor) -> Tensor:
        """(B,T,D) -> (B,…), what the task reads."""
        return self.victim.output(embeds, self.batch)

    def loss_of(self, out: Tensor) -> Tensor:
        """(B,…) -> (B,)."""
        return self.victim.task.loss(out, self.batch, training=self.training)

    def judge(self, embeds: Tensor) -> Judged:
        """(B,T,D) -> all that may be asked of it."""
        return Judged(self, self.output(embeds))

    def __call__(self, embeds: Tensor) -> Tensor:
        return self.judge(embeds).loss

    def take(self, rows: Tensor) -> Objective:
        """The same for some of the texts, by their places (n,)."""
        return Objective(
            self.victim, self.batch.take(rows), targeted=self.targeted, training=self.training
        )

    def scores(self, embeds: Tensor) -> Tensor:
        """(B,T,D) -> (B,K): the reference's score, then each rival's in a column of its own."""
        return self.judge(embeds).scores

    def flips(self, embeds: Tensor) -> Tensor:
        """(B,) bool: the reference is broken (targeted: it is met)."""
        with torch.no_grad():
            return self.judge(embeds).flipped


def in_training(batch: Batch) -> Batch:
    """The batch as a training method is given it: δ may stand where the task's target `training` says.

    A decoder's input may be perturbed only there, since nobody has it when the model is used.
    """
    allowed = batch.target.get("training")
    return batch if allowed is None else replace(batch, perturbable=allowed)


def alike(batch: Batch, held: Batch) -> bool:
    """Whether two batches are of the same tokens and differ in their targets alone."""
    return torch.equal(batch.input_ids, held.input_ids)


def carried(embeds: Tensor, batch: Batch, own: Tensor, held: Batch) -> Tensor:
    """(B,T',D) of `held`, the batch's texts with another answer: what was done to the one to the other.

    `embeds` (B,T,D) are of the batch, perturbed; `own` (B,T',D) are held's, unperturbed. The texts, and
    what stands beside them, are at the same places in both; the tokens of the answer keep their own.
    """
    T = min(embeds.shape[1], own.shape[1])
    text = (batch.segment[:, :T] != 2) & (held.segment[:, :T] != 2)
    same = text & (batch.input_ids[:, :T] == held.input_ids[:, :T])
    here = torch.where(same.unsqueeze(-1), embeds[:, :T], own[:, :T])
    return torch.cat([here, own[:, T:]], 1)


def broken_in(scores: Tensor) -> Tensor:
    """(B,K) -> (B,) bool: a rival scores higher than the reference."""
    return margin_in(scores) < 0


def margin_in(scores: Tensor) -> Tensor:
    """(B,K) -> (B,): the reference's score over its best rival's; ∞ where it has none."""
    if scores.shape[1] < 2:
        return torch.full_like(scores[:, 0], torch.inf)
    return scores[:, 0] - scores[:, 1:].amax(1)


@dataclass(frozen=True)
class Column:
    """What a field of an example is called for people, and by which column names files have it."""

    title: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Explained:
    """A number of the output that an attribution may explain."""

    words: str  # for people: ‘logit of positive − logit of negative’
    value: Callable[[Tensor], Tensor]  # output (N,…) -> (N,)
    of: str  # the answer that it is about


class Task(Protocol):
    """What a model is asked. A frozen dataclass of settings, and one line in `TASKS`.

    `out` is one tensor whose first axis is the batch: (B,C) classes, (B,T,2) starts and ends, (B,U,V)
    tokens. A task knows neither the victim nor a transformers class: the victim calls its task.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    auto: ClassVar[str]  # the transformers class that opens a checkpoint
    named: ClassVar[bool]  # an answer is one of the names that the head of a model knows
    text: ClassVar[Column]
    beside: ClassVar[Column | None]
    reference: ClassVar[Column]
    explains: ClassVar[Mapping[str, tuple[str, str]]]  # kinds of `explained`, "margin" among them

    # data
    def head(self, data: Dataset) -> tuple[str, ...]:
        """The answers that a new model's head must know, in order; empty where it needs none."""
        ...

    def chance(self, data: Dataset) -> float:
        """The loss of guessing, nats."""
        ...

    def scratch(self, size: str, data: Dataset, *, seed: int, max_length: int) -> tuple[Any, Any]:
        """A new model of `size` for this data, weights drawn from `seed`, and its tokenizer.

        In evaluation mode, its word vectors of length 1. SettingError for a size that is none.
        """
        ...

    # tensors
    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        """Examples as a padded batch, as short as its longest text allows; `tokens` are theirs."""
        ...

    def embed(self, model: Any, input_ids: Tensor, batch: Batch | None = None) -> Tensor:
        """(B,T) -> (B,T,D) what the embedding layer gives; without a batch, for tokens of the text."""
        ...

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,T,D) -> out (B,…)."""
        ...

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        """What the model itself makes of the ids of one unpadded text: out (1,…)."""
        ...

    def probes(self, reader: Reader) -> Sequence[Example]:
        """Texts of different length on which a new victim is checked."""
        ...

    def loss(self, out: Tensor, batch: Batch, training: bool = False) -> Tensor:
        """(B,…) -> (B,) nats."""
        ...

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,…) -> (B,K): the reference's score, then each rival's in a column of its own."""
        ...

    def divergence(self, p: Tensor, q: Tensor, batch: Batch) -> Tensor:
        """KL(p‖q) of each example's two outputs: (B,)."""
        ...

    def settle(self, read: Iterable[tuple[Tensor, Batch]]) -> Task:
        """The task with what it chooses by the outputs of validation texts; most choose nothing."""
        ...

    # people
    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        """(B,T,D) -> what the model answers to each of B texts, as people read it."""
        ...

    def read(
        self, out: Tensor, batch: Batch, held_out: Tensor, held: Batch, reader: Reader
    ) -> Reading:
        """A reading of N versions: `batch` refers to the attacked answer, `held` to what must stand.

        Each has its own output, since a model may read the answer too: `held_out` is that of `carried`
        embeddings, and is `out` where both batches are of the same tokens.
        """
        ...

    def explained(
        self, kind: str, out: Tensor, batch: Batch, reader: Reader, **of: str | int | None
    ) -> Explained:
        """The number of `kind` for one example; `out` (1,…) of its clean text."""
        ...

    def quality(self, answer: str, example: Example) -> dict[str, float]:
        """What people quote of an answer beside its bit, headline first: exact, f1, chrf, …"""
        ...


@runtime_checkable
class Writes(Protocol):
    """A task whose answer is written token by token, so that one output may tell a part of it only."""

    def astray(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,…) -> (B,) bool: the model answers otherwise than the batch's reference; ask `answers`."""
        ...


@runtime_checkable
class Shortens(Protocol):
    """A task that may know an example's answer only in part."""

    def shortened(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> str:
        """A sentence on how many known answers are not taken as they are, and why; "" for none."""
        ...


@runtime_checkable
class PadsAnswers(Protocol):
    """A task whose rows are two blocks, texts and answers, each padded for itself."""

    def answer_lengths(self, examples: Sequence[Example], reader: Reader) -> list[int]:
        """The tokens of each reference, its end among them; 0 where none is known."""
        ...


@runtime_checkable
class LaysOut(Protocol):
    """A task that lays out a text for the model with more around it than the tokenizer adds."""

    def reader(self, tokenizer: Any, max_length: int, most: int | None, **known: Any) -> Reader:
        """The reader of its texts; `most` tokens can be read in all (None: any number)."""
        ...


@runtime_checkable
class Aims(Protocol):
    """A task of whose answers an attack may want more than that the reference is lost."""

    goals: ClassVar[Mapping[str, tuple[str, bool]]]  # name: its meaning, and whether it takes words

    def aimed(self, goal: str, victim: Model, batch: Batch, reader: Reader) -> Objective:
        """What an attack raises that aims at a goal: "name" or "name:words"; else SettingError."""
        ...


@runtime_checkable
class Errs(Protocol):
    """A task that can name a wrong answer to each text of a batch."""

    def mistaken(
        self, batch: Batch, reader: Reader, generator: torch.Generator | None = None
    ) -> Batch:
        """The same texts with a wrong answer each, wanted only where it differs from the right one.

        δ may stand on the text alone, whose tokens are at the same places as in `batch`.
        """
        ...
