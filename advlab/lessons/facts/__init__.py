"""What lessons measure: facts of a fixed text, of many, of a training, of a defence."""

from __future__ import annotations

from advlab.lessons.facts import (
    answers,
    carry,
    cost,
    lies,
    looking,
    noise,
    own,
    place,
    players,
    reading,
    steps,
    word,
)
from advlab.lessons.facts.base import Kind, Models

_MODULES = {
    "reading": (reading, reading.ReadingFacts),
    "noise": (noise, noise.NoiseFacts),
    "word": (word, word.WordFacts),
    "place": (place, place.PlaceFacts),
    "looking": (looking, looking.LookingFacts),
    "steps": (steps, steps.StepsFacts),
    "players": (players, players.PlayersFacts),
    "cost": (cost, cost.CostFacts),
    "carry": (carry, carry.CarryFacts),
    "lies": (lies, lies.LiesFacts),
    "own": (own, own.OwnFacts),
    "answers": (answers, answers.AnswersFacts),
}
# a lesson's `facts` -> what is measured, and what may come of it
FACTS: dict[str, Kind] = {
    name: Kind(record, module.observe, module.OUTCOMES)
    for name, (module, record) in _MODULES.items()
}

__all__ = ["FACTS", "Kind", "Models"]
