"""What a lesson is made of: steps, each of text and of blocks that ask, show or measure something.

A lesson is written in Markdown. `## Title` begins a step; a fence whose first word names a block holds
that block's settings as TOML. Text and settings may name facts, `{flip_eps}`, that are measured when
they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Predict:
    """What the learner says before anything is shown; kept as it was said.

    `fact` is what it is compared with. A choice's options are names and what they say, and the fact is
    one of the names; of a curve the fact is a list, one value for each of `at`.
    """

    kind: Literal["choice", "number", "word", "curve"]
    ask: str
    fact: str
    options: Mapping[str, str] = field(default_factory=dict)  # of a choice
    low: float = 0.0  # of a number or a curve
    high: float = 1.0
    unit: str = ""
    within: float = 0.0  # a number so near counts as right
    at: tuple[str, ...] = ()  # of a curve: where its points stand


@dataclass(frozen=True)
class See:
    """A page, or one view of it, drawn by its own code beside the step and those after it."""

    page: str  # one of `SEEN`
    view: str = ""  # of Explore
    models: Literal["plain", "robust", "both"] = "both"
    point: str = ""  # key of the part that is meant
    texts: int = 50  # of a measurement


@dataclass(frozen=True)
class Do:
    """An act in the view; the step is done when it really happened."""

    act: str  # one of `ACTS`
    ask: str
    point: str = ""  # key of the part to act on
    words: tuple[str, ...] = ()  # to be shielded
    key: str = ""  # of a control or of a player
    value: str = ""  # that the control must have
    only: bool = False  # nothing but `words` is attacked


@dataclass(frozen=True)
class Reveal:
    """A prediction beside what is measured now, and what that means: one of `cases`.

    `of` is the step of the prediction; `by` the fact that says which case it is.
    """

    of: int
    cases: Mapping[str, str]
    by: str = "outcome"


@dataclass(frozen=True)
class Check:
    """A question with an answer that is explained; it may be answered again until it is right."""

    ask: str
    options: Mapping[str, str]
    answer: str  # the name of the right option
    because: str


Block = Predict | See | Do | Reveal | Check
BLOCKS: dict[str, type[Block]] = {
    "predict": Predict,
    "see": See,
    "do": Do,
    "reveal": Reveal,
    "check": Check,
}
# what a view may be; `advlab.ui.learn.looks` draws each
SEEN = ("code", "explore", "run", "train", "microscope", "cost", "carry", "robustness", "planted")
# what may be done; `advlab.ui.learn.acts` tells of each whether it happened
ACTS = ("run", "drag", "shield", "scale", "choose", "measure", "train", "alarm")


@dataclass(frozen=True)
class Step:
    """One thing at a time: text and blocks in the order in which they are read."""

    number: int  # from 1
    title: str
    parts: tuple[str | Block, ...]

    def first(self, kind: type[Block]) -> Block | None:
        """The step's block of a kind; it has at most one."""
        return next((p for p in self.parts if isinstance(p, kind)), None)

    @property
    def asks(self) -> Predict | Do | Check | None:
        """What the learner must do here; None where reading is all."""
        return next((p for p in self.parts if isinstance(p, Predict | Do | Check)), None)


@dataclass(frozen=True)
class Lesson:
    """A lesson in one language. `facts` names what is measured on `text`, by models of `task`."""

    name: str  # 02-noise
    title: str
    minutes: int
    shows: str  # what one will see, in a sentence
    facts: str
    about: str  # before the first step
    steps: tuple[Step, ...]
    notes: str  # for the teacher
    task: str = "classification"
    text: str = ""
    beside: str = ""
    eps: float = 0.25  # × mean norm
    texts: int = 30  # of facts that are counted over many

    @property
    def number(self) -> int:
        """Its place in the course."""
        return int(self.name.partition("-")[0])

    def see_at(self, number: int) -> See | None:
        """The view that stands beside a step: the last one named up to it."""
        seen = [p for s in self.steps[:number] for p in s.parts if isinstance(p, See)]
        return seen[-1] if seen else None
