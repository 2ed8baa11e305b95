"""How far each student is in the lessons: the last lines of the `progress.jsonl` of a space.

The lessons append a line for each step: {"when", "lesson", "step", "kind": predict, done or check,
"said", "measured"}. A torn last line, as of a killed server, is left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "progress.jsonl"
MOST = 4 << 20  # bytes that are read of a file, from its end


@dataclass(frozen=True)
class Mark:
    """One line of a student's progress."""

    when: str  # ISO time
    lesson: str
    step: int
    kind: str  # predict, done, check
    said: Any = None
    measured: Any = None


def read(home: Path) -> list[Mark]:
    """All marks of a space, the oldest first."""
    try:
        with (home / FILE).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MOST))
            lines = file.read().split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            told = json.loads(line)
            found.append(
                Mark(
                    str(told["when"]),
                    str(told["lesson"]),
                    int(told["step"]),
                    str(told["kind"]),
                    told.get("said"),
                    told.get("measured"),
                )
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def last(home: Path) -> Mark | None:
    """Where somebody is."""
    marks = read(home)
    return marks[-1] if marks else None
