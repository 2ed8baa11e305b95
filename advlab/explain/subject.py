"""One text on one model, ready for questions: where every analysis of a sentence starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.attacks.noise import noise_as_long
from advlab.errors import ModelError, SettingError
from advlab.records import AttackRecord, Example

if TYPE_CHECKING:
    from advlab.attacks import Attack
    from advlab.model.victim import Victim
    from advlab.tasks import Batch

CHUNK = 128  # rows of one forward pass
LARGE = 3_000_000  # parameters outside the word table, from which a forward pass costs milliseconds


@dataclass(frozen=True)
class Stage:
    """A text's embeddings and the attack aimed at them.

    `batch` holds the one text; its `perturbable` leaves out what is shielded, and its label is the
    class whose loss the attack raises.
    """

    victim: Victim
    batch: Batch
    embeds: Tensor  # (1,T,D)
    attack: Attack  # raw ε

    @staticmethod
    def set(
        victim: Victim,
        text: str,
        attack: Attack,
        *,
        shield: Sequence[tuple[int, int]] = (),
        label: int | None = None,
    ) -> Stage:
        """Encode a text. Tokens that overlap a character span of `shield` are not perturbed."""
        batch = victim.encode([Example("text", text)])
        if label is not None:
            batch = batch.with_labels(torch.full_like(batch.labels, label))
        if shield:
            spans = token_spans(victim, text)
            kept = [not any(s < end and e > start for s, e in shield) for start, end in spans]
            allowed = batch.perturbable & torch.tensor([kept], device=batch.perturbable.device)
            if batch.perturbable.any() and not allowed.any():
                raise SettingError(
                    "expected at least one word that may be attacked, got all of them shielded; "
                    "free one"
                )
            batch = replace(batch, perturbable=allowed)
        return Stage(victim, batch, victim.embed(batch.input_ids).detach(), attack)

    @staticmethod
    def of(victim: Victim, record: AttackRecord) -> Stage:
        """The stage of a record. ModelError unless `victim` is the model that made it."""
        from advlab.attacks import build_attack

        if victim.hash != record.model_hash:
            raise ModelError(
                f"expected the weights {record.model_hash} that this record was made with, got "
                f"{victim.hash}; attack the sentence again"
            )
        return Stage.set(
            victim,
            record.text,
            build_attack(record.attack).at(victim.scale),
            shield=record.shield,
            label=record.label,
        )

    def logits(self, deltas: Tensor) -> Tensor:
        """(N,T,D) -> (N,C), no gradient."""
        with torch.no_grad():
            return torch.cat(
                [
                    self.victim.logits(self.embeds + part, self.batch.repeat(len(part)))
                    for part in deltas.split(CHUNK)
                ]
            )

    def noise_as_long(self, deltas: Tensor, draws: int, seed: int) -> Tensor:
        """(F·draws,T,D) random, zero where δ must be, as long as each of the δ (F,T,D)."""
        generator = torch.Generator().manual_seed(seed)
        allowed = self.batch.perturbable
        return noise_as_long(self.embeds, allowed, deltas, self.attack, draws, generator)

    def loss(self, logits: Tensor) -> Tensor:
        """(N,C) -> (N,): cross-entropy of the attacked class."""
        return -logits.log_softmax(-1)[:, int(self.batch.labels[0])]

    def gain(self, logits: Tensor) -> Tensor:
        """(N,C) -> (N,): what the attack makes large: the loss, or, targeted, minus the loss."""
        loss = self.loss(logits)
        return -loss if self.attack.targeted else loss


def slow(victim: Victim) -> bool:
    """Whether a forward pass takes so long that fewer are made."""
    size = sum(p.numel() for p in victim.model.parameters()) - victim.table.numel()
    return size > LARGE


def token_spans(victim: Victim, text: str) -> list[tuple[int, int]]:
    """Where each token stands in the text, in characters; (0, 0) for special tokens."""
    found = victim.tokenizer(
        text, truncation=True, max_length=victim.max_length, return_offsets_mapping=True
    )
    return [(int(start), int(end)) for start, end in found["offset_mapping"]]


def written(victim: Victim, text: str) -> Tensor:
    """(T,) bool: the tokens that stand in the text, not those that the tokenizer puts around it."""
    found = victim.tokenizer(
        text, truncation=True, max_length=victim.max_length, return_special_tokens_mask=True
    )
    return ~torch.tensor(found["special_tokens_mask"], dtype=torch.bool, device=victim.device)


def spelled(victim: Victim, ids: Tensor) -> str:
    """Tokens (T,) as the text that they spell."""
    return victim.tokenizer.decode(ids.tolist(), clean_up_tokenization_spaces=True)
