"""What the Explore page asks for: a sentence, models, one attack, a seed."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.attacks import Attack


@dataclass(frozen=True)
class Request:
    """One sentence to attack. `label` is a class name; None: each model's own prediction."""

    text: str
    label: str | None
    models: tuple[str, ...]  # ids: A, B, C
    attack: Attack
    seed: int
    cut: int = 0  # characters left out at the end
    shield: tuple[tuple[int, int], ...] = ()  # spans of the text that are not attacked
