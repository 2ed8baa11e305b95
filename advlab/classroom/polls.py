"""Questions to the room: asked by the teacher, answered once by each, shown beside the measurement."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from advlab.classroom.room import Classroom
from advlab.errors import ClassError
from advlab.language import _

QUESTION, CHOICE = 300, 120  # letters
MOST_CHOICES = 8
BARS = 12  # of the histogram of numbers


@dataclass(frozen=True)
class Poll:
    """A question. Without choices it asks for a number."""

    id: int
    question: str
    choices: tuple[str, ...]
    state: str  # open, closed, revealed
    measured: str | None  # what came out, as the teacher gave it


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram of answers."""

    label: str
    n: int  # students
    true: bool  # whether the measured value stands here


def ask(room: Classroom, question: str, choices: Sequence[str] = ()) -> Poll:
    """Put a question to the room; the one before it is closed. ClassError where it is not one."""
    question = " ".join(question.split())[:QUESTION]
    options = tuple(dict.fromkeys(" ".join(c.split())[:CHOICE] for c in choices if c.strip()))
    if not question:
        raise ClassError(_("Write the question first."))
    if len(options) == 1 or len(options) > MOST_CHOICES:
        raise ClassError(
            _(
                "Expected 2 to {most} choices, or none to ask for a number, but {n} came.",
                most=MOST_CHOICES,
                n=len(options),
            )
        )
    with room.ledger.write() as db:
        db.execute("UPDATE polls SET state = 'closed' WHERE state = 'open'")
        made = db.execute(
            "INSERT INTO polls (question, choices, state, made) VALUES (?, ?, 'open', ?)",
            (question, json.dumps(options, ensure_ascii=False), time.time()),
        ).lastrowid
    assert made is not None
    return poll(room, made)


def poll(room: Classroom, id_: int) -> Poll:
    """One question; ClassError where there is none of that number."""
    with room.ledger.read() as db:
        row = db.execute("SELECT * FROM polls WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise ClassError(_("There is no such question."))
    return _poll(row)


def polls(room: Classroom) -> list[Poll]:
    """All questions, the newest first."""
    with room.ledger.read() as db:
        return [_poll(row) for row in db.execute("SELECT * FROM polls ORDER BY id DESC")]


def shown(room: Classroom) -> Poll | None:
    """The question that stands on everybody's page: the newest, unless it was put away."""
    with room.ledger.read() as db:
        row = db.execute("SELECT * FROM polls ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None or row["state"] == "closed" else _poll(row)


def close(room: Classroom, id_: int) -> None:
    """Take a question off the pages; its answers are kept."""
    with room.ledger.write() as db:
        db.execute("UPDATE polls SET state = 'closed' WHERE id = ?", (id_,))


def reveal(room: Classroom, id_: int, measured: str) -> None:
    """Show the answers to everybody beside what was measured; nobody answers any more."""
    found, measured = poll(room, id_), measured.strip()[:CHOICE]
    if not found.choices:
        _number(measured)
    elif measured and measured not in found.choices:
        raise ClassError(_("Expected one of the choices as the measured value."))
    with room.ledger.write() as db:
        db.execute(
            "UPDATE polls SET state = 'revealed', measured = ? WHERE id = ?",
            (measured or None, id_),
        )


def answer(room: Classroom, id_: int, student: str, value: str) -> None:
    """Keep a student's answer, which cannot be changed. ClassError where none is taken."""
    found = poll(room, id_)
    if found.choices and value not in found.choices:
        raise ClassError(_("Expected one of the choices."))
    if not found.choices:
        value = f"{_number(value):g}"
    with room.ledger.write() as db:
        row = db.execute("SELECT state FROM polls WHERE id = ?", (id_,)).fetchone()
        if row["state"] != "open":
            raise ClassError(_("This question takes no more answers."))
        try:
            db.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?)", (id_, student, value, time.time())
            )
        except sqlite3.IntegrityError:
            raise ClassError(_("Your answer is kept already; it cannot be changed.")) from None


def answers(room: Classroom, id_: int) -> dict[str, str]:
    """Student -> answer."""
    with room.ledger.read() as db:
        rows = db.execute("SELECT * FROM answers WHERE poll = ? ORDER BY made", (id_,)).fetchall()
    return {row["student"]: row["value"] for row in rows}


def histogram(found: Poll, values: Sequence[str]) -> list[Bar]:
    """How many gave each answer; numbers in bars of equal width, the measured one inside a bar."""
    if found.choices:
        counts = Counter(values)
        return [Bar(c, counts[c], c == found.measured) for c in found.choices]
    numbers = sorted(float(v) for v in values)
    if not numbers:
        return []
    true = None if found.measured is None else float(found.measured)
    all_ = [*numbers, *([] if true is None else [true])]
    low, high = min(all_), max(all_)
    bars = min(BARS, max(1, len(set(numbers)))) if high > low else 1
    width = (high - low) / bars or 1.0

    def place(value: float) -> int:
        return min(int((value - low) / width), bars - 1)

    counts = Counter(map(place, numbers))
    return [
        Bar(
            f"{low:g}" if high == low else f"{low + i * width:.3g}–{low + (i + 1) * width:.3g}",
            counts[i],
            true is not None and place(true) == i,
        )
        for i in range(bars)
    ]


def _number(text: str) -> float:
    try:
        value = float(text.strip().replace(",", ".").removesuffix("%"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ClassError(_("Expected a number such as 42 or 0.3."))
    return value


def _poll(row: sqlite3.Row) -> Poll:
    choices = tuple(json.loads(row["choices"]))
    return Poll(row["id"], row["question"], choices, row["state"], row["measured"])
