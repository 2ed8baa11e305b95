"""Random noise as long as a δ: what every picture of an attack is compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.base import Attack
from advlab.attacks.norms import norm, random_in_ball


def noise_of_length(
    embeds: Tensor,
    perturbable: Tensor,
    lengths: Tensor,
    attack: Attack,
    draws: int,
    generator: torch.Generator,
) -> Tensor:
    """(F·draws,T,D) random, in the attack's norm and ball exactly of the lengths (F,), raw units.

    `embeds` (1,T,D) and `perturbable` (1,T) are of one text. The draws of a length follow each other.
    """
    many = lengths.repeat_interleave(draws)
    return random_in_ball(
        embeds.expand(len(many), -1, -1),
        perturbable.expand(len(many), -1),
        many,
        attack.p,
        attack.ball,
        generator,
        surface=True,
    )


def noise_as_long(
    embeds: Tensor,
    perturbable: Tensor,
    deltas: Tensor,
    attack: Attack,
    draws: int,
    generator: torch.Generator,
) -> Tensor:
    """(F·draws,T,D) noise as long as each of the δ (F,T,D): of a ball a token, as the longest token."""
    lengths = norm(deltas, attack.p, attack.ball).flatten(1).amax(1)
    return noise_of_length(embeds, perturbable, lengths, attack, draws, generator)
