"""How far a learner is: predictions, acts and answers in the order in which they happened.

One JSON object a line in `progress.jsonl` of the data folder, only ever added to, so that nothing that
was said can be changed:

    {"when": "2026-01-31T09:30:00+00:00", "lesson": "02-noise", "step": 3, "kind": "predict",
     "said": "never", "measured": null}

`kind`: predict (said), done (a step's act happened; of a prediction, when it was revealed: what was
said beside what was measured) or check (what was answered beside the right answer).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from advlab.runs.config import home

FILE = "progress.jsonl"
KINDS = ("predict", "done", "check")


@dataclass(frozen=True)
class Line:
    """One thing that happened."""

    when: str  # ISO, UTC
    lesson: str
    step: int
    kind: str
    said: Any = None
    measured: Any = None


def note(lesson: str, step: int, kind: str, said: Any = None, measured: Any = None) -> None:
    """Add a line. A second prediction of a step is not taken, and what is done is noted once."""
    known = [m for m in lines() if (m.lesson, m.step, m.kind) == (lesson, step, kind)]
    if known and (kind == "predict" or (kind == "done" and known[-1].measured == measured)):
        return
    when = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps(asdict(Line(when, lesson, step, kind, said, measured)), ensure_ascii=False)
    path = home() / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as stream:
        # what a crash cut off stays a line of its own, and spoils no other
        if stream.tell() and not _ends_a_line(path):
            text = f"\n{text}"
        stream.write(f"{text}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())


def lines() -> tuple[Line, ...]:
    """Everything so far; what a crash cut off, or is no line, is left out."""
    try:
        content = (home() / FILE).read_bytes()
    except FileNotFoundError:
        return ()
    read = (_line(part) for part in content.splitlines())
    return tuple(one for one in read if one is not None)


def predicted(lesson: str, step: int) -> Any | None:
    """What was said at a step, the first time; None where nothing was."""
    said = (m.said for m in lines() if (m.lesson, m.step, m.kind) == (lesson, step, "predict"))
    return next(said, None)


def finished(lesson: str) -> frozenset[int]:
    """The steps of a lesson at which what is asked was done: said, acted, answered rightly."""
    return frozenset(
        m.step
        for m in lines()
        if m.lesson == lesson and (m.kind != "check" or m.said == m.measured)
    )


def _line(part: bytes) -> Line | None:
    try:
        values: Mapping[str, Any] = json.loads(part)
        one = Line(**values)
    except (ValueError, TypeError):
        return None
    return one if one.kind in KINDS and isinstance(one.step, int) else None


def _ends_a_line(path: Any) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
