"""The course: its lessons in their order, in a language, and the facts that their text names."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from advlab.errors import DataError
from advlab.language import _, language
from advlab.lessons.blocks import Block, Check, Do, Lesson, Predict, Reveal, Step
from advlab.lessons.reading import read_lesson

FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Every lesson's name, in the order of the course: 01-reading, …"""
    return tuple(sorted(p.name.removesuffix(".en.md") for p in FOLDER.glob("[0-9][0-9]-*.en.md")))


def course() -> tuple[Lesson, ...]:
    """Every lesson in the reader's language."""
    return tuple(lesson(name) for name in names())


def lesson(name: str) -> Lesson:
    """One lesson in the reader's language; DataError lists the names."""
    if name not in names():
        raise DataError(
            _(
                "expected one of the lessons {names}, but {name} came; open the course",
                names=", ".join(names()),
                name=name[:40],
            )
        )
    return _read(name, language())


@cache
def _read(name: str, spoken: str) -> Lesson:
    return read_lesson(FOLDER / f"{name}.{spoken}.md")


def texts(step: Step) -> Iterator[str]:
    """Everything of a step that is read, as it is written."""
    for part in step.parts:
        yield from [part] if isinstance(part, str) else _texts(part)


def _texts(block: Block) -> Iterator[str]:
    if isinstance(block, Predict | Do | Check):
        yield block.ask
    if isinstance(block, Predict | Check):
        yield from block.options.values()
    if isinstance(block, Check):
        yield block.because
    if isinstance(block, Reveal):
        yield from block.cases.values()


def named(text: str) -> set[str]:
    """The facts that a text names."""
    return {name for _text, name, _spec, _turn in string.Formatter().parse(text) if name}


def shown(step: Step) -> set[str]:
    """The facts that a step shows."""
    found = set().union(*(named(text) for text in texts(step)))
    reveal = step.first(Reveal)
    return found | ({reveal.by} if isinstance(reveal, Reveal) else set())


def filled(text: str, facts: Any, escape: Callable[[str], str] = str) -> str:
    """A text with its facts: numbers as the text asks for, other facts through `escape`."""
    parts = []
    for before, name, spec, _turn in string.Formatter().parse(text):
        parts.append(before)
        if name:
            parts.append(_written(getattr(facts, name), spec or "", escape))
    return "".join(parts)


def _written(value: Any, spec: str, escape: Callable[[str], str]) -> str:
    if isinstance(value, float) or spec:
        return format(value, spec or ".2f").replace("%", " %").replace("-", "−")
    if isinstance(value, tuple | list):
        return escape(" · ".join(map(str, value)))
    return escape(str(value))
