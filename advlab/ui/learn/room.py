"""What a class decides about lessons: steps that the teacher holds, notes that are the teacher's."""

from __future__ import annotations

from typing import Any

from advlab import classroom


def held(lesson: str, step: int) -> bool:
    """Whether the teacher holds a step back."""
    return bool(_asked("held", lesson, step, otherwise=False))


def may_read_notes() -> bool:
    """Whether who looks may read the notes for teachers: not a student of a class."""
    return bool(_asked("may_read_notes", otherwise=True))


def _asked(name: str, *args: Any, otherwise: bool) -> Any:
    ask = getattr(classroom, name, None)  # outside of a class nobody decides
    return ask(*args) if callable(ask) else otherwise
