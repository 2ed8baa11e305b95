"""What a lesson tells the pages that it draws: which models it is about, and what it waits for.

A page drawn in a lesson is the page itself. Where it would choose models or point at what to look at
next, it asks here first; outside of lessons there is no guide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from advlab.pictures.reel import Reel


@dataclass(frozen=True)
class Guide:
    """A step of a lesson, as far as the page beside it must know."""

    models: tuple[str, ...]  # ids, the first choice of a measurement
    texts: int  # of a measurement
    eps: float = 0.25  # of the lesson's attack, × mean norm; a measurement holds it
    player: str = ""  # key of the player that is waited for
    reached: Callable[[], None] = lambda: None  # called when it shows what is waited for


_GUIDE: ContextVar[Guide | None] = ContextVar("guide", default=None)


def guide() -> Guide | None:
    """The lesson that draws this page; None outside of lessons."""
    return _GUIDE.get()


def prefix(page: str) -> str:
    """What the keys of a page's controls begin with: a lesson's choices are not the page's own."""
    return page if guide() is None else f"{page}.lesson"


@contextmanager
def guided(by: Guide) -> Iterator[None]:
    """What is drawn within the block is drawn in a lesson."""
    before = _GUIDE.set(by)
    try:
        yield
    finally:
        _GUIDE.reset(before)


def awaited(reel: Reel) -> list[int]:
    """The frames of a reel that a lesson waits for: where the first model's answer has changed.

    Where it never does, the last.
    """
    flipped = reel.panels[0].flipped or []
    return [k for k, changed in enumerate(flipped) if changed] or [len(reel.x) - 1]
