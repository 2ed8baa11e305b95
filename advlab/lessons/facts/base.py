"""What facts are made from: a task's two models, their runs and texts, and the lesson that asks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from advlab.records import AttackRecord, Event, Example

if TYPE_CHECKING:
    from advlab.attacks import Attack
    from advlab.lessons.blocks import Lesson
    from advlab.model.victim import Victim


@dataclass(frozen=True)
class Models:
    """A plain and an adversarially trained model of one task; `own` is the learner's, if any."""

    plain: Victim
    robust: Victim
    texts: Sequence[Example]  # with known answers, none seen in training
    plain_run: Sequence[Event] = ()  # the diaries of their training
    robust_run: Sequence[Event] = ()
    own: Victim | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of facts: the record, what its `outcome` may be, and how it is measured."""

    record: type[Any]
    observe: Callable[[Models, Lesson], Any]
    outcomes: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """What a lesson may name: fields and properties."""
        made = {n for n in dir(self.record) if isinstance(getattr(self.record, n), property)}
        return frozenset({f.name for f in fields(self.record)} | made)


def look(victim: Victim, lesson: Lesson, **options: Any) -> AttackRecord:
    """The lesson's text under its attack, as the Explore page looks at it: PGD, seed 0."""
    from advlab.attacks import PGD
    from advlab.explain.explore import explore

    return explore(victim, lesson.text, beside=lesson.beside, attack=PGD(lesson.eps), **options)


def flip_of(record: AttackRecord) -> float | None:
    """The smallest ε found that changes the answer, × mean norm; None: none up to twice the ε."""
    flip = record.curve.flip_eps
    return None if flip is None else flip / record.scale.mean_norm


def drawn(examples: Iterable[Example], count: int) -> list[Example]:
    """So many texts with answers, the same ones each time, as the Compare pages draw them."""
    found = [e for e in examples if e.answers]
    random.Random(0).shuffle(found)
    return found[:count]


def right(victim: Victim, texts: Sequence[Example], attack: Attack | None = None) -> float:
    """Share of texts read right, and still so at every iterate of the attack."""
    from advlab.attacks.evaluate import survives

    return sum(survives(victim, texts, attack)) / len(texts)


def written(flip: float | None, eps: float) -> str:
    """A flip ε in words."""
    return f"> {2 * eps:.2f}" if flip is None else f"{flip:.2f}"
