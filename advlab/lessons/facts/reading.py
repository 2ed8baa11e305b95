"""What a model reads: ids, vectors, and what torch says to a gradient with respect to ids."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.lessons.beginner import refused
from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models


@dataclass(frozen=True)
class ReadingFacts:
    """Of the lesson's text under the plain model."""

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    next_ids: tuple[str, ...]  # the tokens whose ids are one higher
    width: int  # numbers in a word's vector
    vocabulary: int
    error: str  # torch's answer to `ids.requires_grad_()`; empty: it agreed
    cast_error: str  # the model's answer to ids made floats; empty: it agreed

    @property
    def outcome(self) -> str:
        """refused or allowed."""
        return "refused" if self.error and self.cast_error else "allowed"


OUTCOMES = ("refused", "allowed")


def observe(models: Models, lesson: Lesson) -> ReadingFacts:
    """Look the text up, and run the beginner's code."""
    victim = models.plain
    batch = victim.encode([lesson.text])
    ids = batch.input_ids[0][batch.perturbable[0]].tolist()
    width, V = int(victim.table.shape[1]), int(victim.table.shape[0])
    return ReadingFacts(
        tokens=tuple(victim.vocabulary.texts(ids)),
        ids=tuple(ids),
        next_ids=tuple(victim.vocabulary.texts([min(i + 1, V - 1) for i in ids])),
        width=width,
        vocabulary=V,
        error=refused(victim, lesson.text),
        cast_error=refused(victim, lesson.text, cast=True),
    )
