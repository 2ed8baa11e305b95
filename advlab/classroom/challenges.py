"""Challenges with a live board: the class competes in what the server itself has measured.

A student hands in what they did (an attack, a sentence, a run); `advlab.classroom.measure` measures it
again, and only that figure comes onto the board, for each student the best.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from advlab.classroom.room import Classroom
from advlab.errors import ClassError, unknown
from advlab.language import _

SECONDS = 180.0  # of training that a model of the third kind may take
TEXT = 500  # letters of the sentence


@dataclass(frozen=True)
class Kind:
    """What is competed in."""

    title: str
    rule: str  # how it is measured
    figure: str  # what stands on the board
    better: Literal["less", "more"]
    form: str  # of the figure, for `format`


def kinds() -> dict[str, Kind]:
    """All kinds by name, in the language of the moment."""
    return {
        "eps": Kind(
            _("Smallest ε that flips this sentence"),
            _(
                "Attack the sentence in Explore, then hand the attack in. The server attacks again: "
                "the length of δ over the whole sentence counts, if the answer has changed."
            ),
            _("length of δ"),
            "less",
            "{:.4f} × " + _("mean norm"),
        ),
        "words": Kind(
            _("Fewest words changed"),
            _(
                "Change, remove or add as few words as you can, until the model answers otherwise. "
                "Each such word counts 1."
            ),
            _("words changed"),
            "less",
            "{:.0f}",
        ),
        "model": Kind(
            _("Most robust model within 3 minutes of training"),
            _(
                "Train a model in 3 minutes or less, then hand the run in. The server attacks it by "
                "PGD-10 at ε = 0.25 × mean norm, on the same test texts for all."
            ),
            _("right under attack"),
            "more",
            "{:.1%}",
        ),
    }


@dataclass(frozen=True)
class Challenge:
    """One competition."""

    id: int
    kind: str
    text: str  # the sentence; for models the corpus
    model: str  # id of the class's model that is attacked; empty where students bring their own
    state: str  # open, closed

    @property
    def about(self) -> Kind:
        """Its kind, in the language of the moment."""
        return kinds()[self.kind]


@dataclass(frozen=True)
class Entry:
    """What one student has reached. Equal figures share a rank; who came first stands first."""

    rank: int
    student: str  # id
    name: str
    value: float
    detail: str


def start(room: Classroom, kind: str, text: str, model: str = "") -> Challenge:
    """Begin a challenge; the one before it is closed. ClassError where something is missing."""
    if kind not in kinds():
        raise ClassError(unknown("challenge", kind, kinds()))
    text = " ".join(text.split())[:TEXT]
    if not text or (kind != "model" and not model):
        raise ClassError(_("Give the sentence and the model first."))
    with room.ledger.write() as db:
        db.execute("UPDATE challenges SET state = 'closed'")
        made = db.execute(
            "INSERT INTO challenges (kind, text, model, state, made) VALUES (?, ?, ?, 'open', ?)",
            (kind, text, model, time.time()),
        ).lastrowid
        row = db.execute("SELECT * FROM challenges WHERE id = ?", (made,)).fetchone()
    return _challenge(row)


def close(room: Classroom) -> None:
    """End the challenge that is open; its board is kept."""
    with room.ledger.write() as db:
        db.execute("UPDATE challenges SET state = 'closed'")


def open_one(room: Classroom) -> Challenge | None:
    """The challenge that is open."""
    with room.ledger.read() as db:
        row = db.execute(
            "SELECT * FROM challenges WHERE state = 'open' ORDER BY id DESC LIMIT 1"
        ).fetchone()
    return None if row is None else _challenge(row)


def challenges(room: Classroom) -> list[Challenge]:
    """All of them, the newest first."""
    with room.ledger.read() as db:
        return [_challenge(r) for r in db.execute("SELECT * FROM challenges ORDER BY id DESC")]


def enter(
    room: Classroom, challenge: Challenge, student: str, value: float, detail: Mapping[str, Any]
) -> None:
    """Put a measured figure on the board. ClassError where the challenge is over."""
    with room.ledger.write() as db:
        row = db.execute("SELECT state FROM challenges WHERE id = ?", (challenge.id,)).fetchone()
        if row is None or row["state"] != "open":
            raise ClassError(_("This challenge is over."))
        db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
            (
                challenge.id,
                student,
                float(value),
                json.dumps(dict(detail), ensure_ascii=False, default=str),
                time.time(),
            ),
        )


def board(room: Classroom, challenge: Challenge) -> list[Entry]:
    """The best of each student, the best first."""
    with room.ledger.read() as db:
        rows = db.execute(
            "SELECT e.*, s.name FROM entries e JOIN students s ON s.id = e.student"
            " WHERE challenge = ? ORDER BY e.made",
            (challenge.id,),
        ).fetchall()
    sign = 1.0 if challenge.about.better == "less" else -1.0
    best: dict[str, sqlite3.Row] = {}
    for row in rows:
        known = best.get(row["student"])
        if known is None or sign * row["value"] < sign * known["value"]:
            best[row["student"]] = row
    ordered = sorted(best.values(), key=lambda r: (sign * r["value"], r["made"]))
    values = [row["value"] for row in ordered]
    return [
        Entry(1 + values.index(r["value"]), r["student"], r["name"], r["value"], r["detail"])
        for r in ordered
    ]


def _challenge(row: sqlite3.Row) -> Challenge:
    return Challenge(row["id"], row["kind"], row["text"], row["model"], row["state"])
