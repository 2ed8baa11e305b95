"""What models answer, clean and under attack, over whole data sets: what F1, BLEU or perplexity count.

Whether an example is broken asks for one δ that breaks it, and stops there. What is quoted of answers
asks how bad they become, so here every example is attacked at every ε, those that are wrong already
too, and answered under the δ of highest loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from advlab.attacks.base import Attack
from advlab.attacks.batches import by_length
from advlab.attacks.gradient import RandomNoise
from advlab.errors import DataError
from advlab.language import _
from advlab.records import Example
from advlab.records.measured import Quoted
from advlab.tasks.quoted import Quotes, Said, quote

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch

# over(settings, make): one result a text, made by make(texts, seed) at once or piece by piece
Over = Callable[[dict[str, Any], Callable[[Sequence[Example], int], list[Any]]], list[Any]]


def answers(
    victim: Victim,
    examples: Sequence[Example],
    attack: Attack | None = None,
    *,
    seed: int = 0,
    batch_size: int = 128,
) -> list[Said]:
    """What the model answers to each example under its strongest δ; without an attack, clean.

    `attack` may be in any unit. DataError for a model of whose answers nothing more is quoted.
    """
    task = victim.task
    if not isinstance(task, Quotes):
        raise DataError(
            _(
                "expected a task whose answers are quoted, got {title}; its accuracy tells all",
                title=task.title,
            )
        )
    found: dict[int, Said] = {}
    generator = torch.Generator().manual_seed(seed)
    raw = attack.at(victim.scale) if attack is not None and attack.eps else None
    with victim.analysing():
        for places, batch in by_length(victim, examples, batch_size):
            embeds = victim.embed(batch).detach()
            if raw is not None:
                embeds = embeds + strongest(victim, raw, embeds, batch, generator)
            reading = victim.read(embeds, batch)
            losses, lengths = reading.loss.tolist(), task.lengths(batch).tolist()
            for place, answer, nats, tokens in zip(
                places, reading.answers, losses, lengths, strict=True
            ):
                found[place] = Said(answer, nats, tokens)
    return [found[i] for i in range(len(examples))]


def strongest(
    victim: Victim, raw: Attack, embeds: Tensor, batch: Batch, generator: torch.Generator
) -> Tensor:
    """(B,T,D) the δ of highest loss; where that breaks nothing, the first that breaks something."""
    objective = victim.objective(batch)
    found = raw(objective, embeds, batch.perturbable, generator, flips=objective.flips)
    best = objective.flips(embeds + found.delta) | (found.first_flip < 0)
    return torch.where(best.reshape(-1, 1, 1), found.delta, found.flip_delta)


def quoted(
    victim: Victim,
    examples: Sequence[Example],
    attack: Attack,
    radii: Sequence[float],
    noise: RandomNoise,
    over: Over,
) -> tuple[tuple[str, ...], tuple[Quoted, ...]]:
    """The clean answers, and what people quote of answers: clean, at each ε and under noise.

    Nothing where the task's accuracy tells all. `over` as of `evaluate.measured`.
    """
    task = victim.task
    if not isinstance(task, Quotes):
        return (), ()

    def under(one: Attack | None) -> list[Said]:
        from advlab.attacks import attack_settings

        settings = None if one is None or not one.eps else attack_settings(one)
        rows = over({"said": settings}, lambda part, seed: answers(victim, part, one, seed=seed))
        return [Said(*row) for row in rows]

    clean = under(None)
    robust = [under(replace(attack, eps=float(eps))) for eps in radii]
    noisy = [under(replace(noise, eps=float(eps))) for eps in radii]
    return tuple(s.answer for s in clean), quote(task, clean, robust, noisy, examples)
