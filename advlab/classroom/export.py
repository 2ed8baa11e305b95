"""What a class did, as a ZIP: tables for any spreadsheet, and the capsules that students kept.

No cell can become a formula there: one that begins as a formula does is led by an apostrophe.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from advlab.classroom import challenges, polls, progress
from advlab.classroom.room import Classroom
from advlab.errors import AdvlabError
from advlab.runs.queue import Store

CAPSULES = "capsules"  # folder of a space
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")


def zipped(room: Classroom) -> bytes:
    """Everything of the class."""
    target = io.BytesIO()
    names = {student.id: student.name for student in room.students()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (header, rows) in _tables(room, names).items():
            archive.writestr(f"{name}.csv", table(header, rows))
        for id_, name in names.items():
            folder = room.space_of(id_).root / CAPSULES
            for file in sorted(folder.glob("*.json")):
                archive.writestr(f"{CAPSULES}/{_slug(name)}-{id_}/{file.name}", file.read_bytes())
    return target.getvalue()


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV with a byte-order mark, so that spreadsheets read it as UTF-8."""
    text = io.StringIO()
    text.write("\ufeff")
    out = csv.writer(text)
    out.writerow(header)
    out.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def cell(value: Any) -> str:
    """A value as text that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    safe = not text.lstrip().startswith(FORMULA) or _NUMBER.fullmatch(text)
    return text if safe and not text.startswith(FORMULA[4:]) else f"'{text}"


Rows = tuple[list[str], list[Sequence[Any]]]


def _tables(room: Classroom, names: dict[str, str]) -> dict[str, Rows]:
    return {
        "students": (
            ["student", "id", "joined"],
            [(s.name, s.id, _time(s.joined)) for s in room.students()],
        ),
        "progress": (
            ["student", "when", "lesson", "step", "kind", "said", "measured"],
            [
                (name, m.when, m.lesson, m.step, m.kind, _plain(m.said), _plain(m.measured))
                for id_, name in names.items()
                for m in progress.read(room.space_of(id_).root)
            ],
        ),
        "answers": (
            ["question", "student", "answer", "measured"],
            [
                (p.question, names.get(id_, id_), value, p.measured)
                for p in reversed(polls.polls(room))
                for id_, value in polls.answers(room, p.id).items()
            ],
        ),
        "challenges": (
            ["challenge", "text", "rank", "student", "value", "detail"],
            [
                (c.kind, c.text, e.rank, e.name, e.value, e.detail)
                for c in reversed(challenges.challenges(room))
                for e in challenges.board(room, c)
            ],
        ),
        "runs": (
            ["student", "run", "name", "status", "method", "data", "clean", "robust", "seconds"],
            [row for id_, name in names.items() for row in _runs(room, id_, name)],
        ),
    }


def _runs(room: Classroom, id_: str, name: str) -> list[Sequence[Any]]:
    root = room.space_of(id_).root
    if not (root / "runs.db").exists():
        return []
    rows: list[Sequence[Any]] = []
    for run in reversed(Store(root).listing()):
        try:
            method, data = run.config.method.get("name"), run.config.data.source
        except AdvlabError:
            method = data = ""
        told = run.metrics
        figures = (told.get(k) for k in ("test_accuracy", "test_robust_accuracy", "seconds"))
        rows.append((name, run.id, run.name, run.status, method, data.split("/")[-1], *figures))
    return rows


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name).strip("-")[:40] or "student"
