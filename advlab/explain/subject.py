"""One text on one model, ready for questions: where every analysis of a sentence starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from advlab.attacks.noise import noise_as_long
from advlab.errors import ModelError, SettingError
from advlab.language import _
from advlab.records import AttackRecord, Example, Reading
from advlab.records.reading import joined
from advlab.tasks.base import Aims
from advlab.tasks.tokens import NOWHERE

if TYPE_CHECKING:
    from advlab.attacks import Attack
    from advlab.model.victim import Victim
    from advlab.tasks import Batch, Objective, Tokens

CHUNK = 128  # rows of one forward pass
LARGE = 3_000_000  # parameters outside the word table, from which a forward pass costs milliseconds


@dataclass(frozen=True)
class Subject:
    """A text's embeddings and the attack aimed at them.

    `batch` holds the one text; its `perturbable` leaves out what is shielded, and its target is the
    reference, whose loss the attack raises. `held` refers to the answer that must stand: the clean one.
    """

    victim: Victim
    example: Example
    tokens: Tokens
    batch: Batch
    held: Batch
    answer: str  # that must stand
    embeds: Tensor  # (1,T,D)
    attack: Attack  # raw ε
    goal: str = ""  # what the attack aims at beside the loss, as the task names it

    @staticmethod
    def set(
        victim: Victim,
        example: Example,
        attack: Attack,
        *,
        shield: Sequence[tuple[int, int]] = (),
        held: str | None = None,
        goal: str = "",
    ) -> Subject:
        """Encode an example; without an answer, or without `held`, the model's own stands in.

        Tokens that overlap a character span of `shield` are not perturbed.
        """
        tokens = victim.reader.tokens(example)
        batch = _encoded(victim, example, tokens)
        if held is None:
            held = victim.answers(victim.embed(batch), batch)[0]
        example = example if example.answers else replace(example, answers=(held,))
        batch = _encoded(victim, example, tokens)
        other = batch
        if held != example.answer:
            other = _encoded(victim, replace(example, answers=(held,), place=None), tokens)
        if shield:
            kept = [
                not any(s < end and e > start for s, e in shield) for start, end in tokens.spans
            ]
            kept += [True] * (batch.perturbable.shape[1] - len(kept))
            allowed = batch.perturbable & torch.tensor([kept], device=batch.perturbable.device)
            if batch.perturbable.any() and not allowed.any():
                raise SettingError(
                    _(
                        "expected at least one word that may be attacked, got all of them "
                        "shielded; free one"
                    )
                )
            batch = replace(batch, perturbable=allowed)
        embeds = victim.embed(batch).detach()
        found = Subject(victim, example, tokens, batch, other, held, embeds, attack, goal)
        found.objective(batch)  # a goal that cannot be is refused here
        return found

    @staticmethod
    def of(victim: Victim, record: AttackRecord) -> Subject:
        """The subject of a record. ModelError unless `victim` is the model that made it."""
        from advlab.attacks import build_attack

        if victim.hash != record.model_hash:
            raise ModelError(
                _(
                    "expected the weights {model_hash} that this record was made with, got "
                    "{hash}; attack the sentence again",
                    model_hash=record.model_hash,
                    hash=victim.hash,
                )
            )
        return Subject.set(
            victim,
            Example("text", record.text, (record.reference,), record.beside),
            build_attack(record.attack).at(victim.scale),
            shield=record.shield,
            held=record.clean.answers[0],
            goal=record.goal,
        )

    def objective(self, batch: Batch) -> Objective:
        """What the attack raises in a batch of this text: the reference's loss, or its way to the goal.

        SettingError where the task has no such goal, or the attack is targeted too.
        """
        victim, task = self.victim, self.victim.task
        if not self.goal:
            return victim.objective(batch)
        if not isinstance(task, Aims):
            raise SettingError(
                _(
                    "expected a task whose answers are written, got {task}, which knows no goals; "
                    "leave the goal out",
                    task=task.title,
                )
            )
        if self.attack.targeted:
            raise SettingError(
                _("expected a goal or a targeted attack, got both; choose one of them")
            )
        return task.aimed(self.goal, victim, batch, victim.reader)

    def _whole(self, values: Sequence[Any], fill: Any) -> list[Any]:
        """T values: those of the text's own tokens, and `fill` for what the task adds after them."""
        return [*values, *[fill] * (self.batch.input_ids.shape[1] - len(values))]

    @property
    def word_of(self) -> list[int]:
        """T: the word that each token is part of, −1 for others."""
        return self._whole(self.tokens.word_of, -1)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """T: where each token stands in the text; (0, 0) for others."""
        return self._whole(self.tokens.spans, NOWHERE)

    @property
    def written(self) -> Tensor:
        """(T,) bool: tokens that stand in the text."""
        return torch.tensor(self._whole(self.tokens.written, False), device=self.embeds.device)

    @property
    def ordinary(self) -> Tensor:
        """(T,) bool: tokens of the text, shielded ones too."""
        return self.batch.segment[0] == 0

    def output(self, deltas: Tensor) -> Tensor:
        """(N,T,D) -> (N,…), what the task reads; no gradient."""
        with torch.no_grad():
            return torch.cat(
                [
                    self.victim.output(self.embeds + part, self.batch.repeat(len(part)))
                    for part in deltas.split(CHUNK)
                ]
            )

    def reading(self, deltas: Tensor, out: Tensor) -> Reading:
        """(N,T,D), with what `output` makes of them -> what the model says to N versions."""
        victim, N = self.victim, len(out)
        batch, held = self.batch.repeat(N), self.held.repeat(N)
        return victim.reading(out, self.embeds + deltas, batch, held)

    def read(self, deltas: Tensor) -> Reading:
        """(N,T,D) -> what the model says to N versions."""
        return joined([self.reading(part, self.output(part)) for part in deltas.split(CHUNK)])

    def noise_as_long(self, deltas: Tensor, draws: int, seed: int) -> Tensor:
        """(F·draws,T,D) random, zero where δ must be, as long as each of the δ (F,T,D)."""
        generator = torch.Generator().manual_seed(seed)
        allowed = self.batch.perturbable
        return noise_as_long(self.embeds, allowed, deltas, self.attack, draws, generator)

    def loss(self, out: Tensor) -> Tensor:
        """(N,…) -> (N,): the loss of the reference."""
        return self.victim.task.loss(out, self.batch.repeat(len(out)))

    def gain(self, out: Tensor) -> Tensor:
        """(N,…) -> (N,): what the attack makes large: the loss, targeted minus it, or a goal's."""
        if self.goal:
            return self.objective(self.batch.repeat(len(out))).loss_of(out)
        loss = self.loss(out)
        return -loss if self.attack.targeted else loss

    def rewritten(self, texts: Sequence[str]) -> Reading:
        """What the model says to other texts in place of this one, asked as this one is."""
        examples = [replace(self.example, text=text, place=None) for text in texts]
        batch = self.victim.encode(examples)
        held = self.victim.encode([replace(e, answers=(self.answer,)) for e in examples])
        return self.victim.read(self.victim.embed(batch), batch, held)


def _encoded(victim: Victim, example: Example, tokens: Tokens) -> Batch:
    return victim.task.encode([tokens], [example], victim.reader).to(victim.device)


def slow(victim: Victim) -> bool:
    """Whether a forward pass takes so long that fewer are made."""
    size = sum(p.numel() for p in victim.model.parameters()) - victim.table.numel()
    return size > LARGE
