"""Who is in the class, and how they are known again: codes, cookies, spaces, steps that are held.

A code lets students in, a secret link the teacher; both stay for the life of the class's folder, so a
killed server changes nothing. Of a cookie's token only a digest is kept. A student is known by an id
that nobody can guess; the name is text to be shown and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from unicodedata import category, normalize

from advlab.classroom.ledger import Ledger
from advlab.errors import ClassError
from advlab.language import _
from advlab.runs.folder import clean_name
from advlab.runs.spaces import Limits, Space, current

TEACHER = "teacher"
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that is taken for another
CODE = 6  # letters
NAME = 40  # letters of a name
JOINERS = "\u200c\u200d"  # not seen, but part of names in Persian or Hindi
HERE = 30.0  # seconds after a sign of life for which somebody counts as present
TRIES, WINDOW = 40, 60.0  # wrong codes in so many seconds, of all together


@dataclass(frozen=True)
class Student:
    """Somebody who has joined."""

    id: str
    name: str
    joined: float  # seconds since 1970


class Classroom:
    """The class of one folder.

    `limits`: what each student may ask of the server; `address`: where students come in.
    """

    def __init__(
        self, root: Path, *, most: int = 40, limits: Limits | None = None, address: str = ""
    ) -> None:
        self.root = root.resolve()
        self.most = most
        self.address = address
        self.limits = limits or Limits()
        self.ledger = Ledger(self.root)
        self._known: dict[str, str] = {}  # digest of a token -> who
        self._spaces: dict[str, Space] = {}
        self._seen: dict[str, float] = {}
        self._wrong: deque[float] = deque()
        self._lock = threading.Lock()

    # -- codes and cookies ---------------------------------------------------------------------

    @property
    def code(self) -> str:
        """What students type to come in."""
        return self._fact("code", lambda: "".join(secrets.choice(LETTERS) for _i in range(CODE)))

    @property
    def secret(self) -> str:
        """The end of the teacher's link."""
        return self._fact("secret", lambda: secrets.token_urlsafe(24))

    def is_code(self, given: str) -> bool:
        """Whether this is the code, in small letters or with spaces too.

        ClassError after many wrong ones, whoever gave them.
        """
        now = time.monotonic()
        with self._lock:
            while self._wrong and now - self._wrong[0] > WINDOW:
                self._wrong.popleft()
            if len(self._wrong) >= TRIES:
                raise ClassError(_("Too many wrong codes came in. Wait a minute and try again."))
        typed = "".join(given.split()).replace("-", "").upper()
        right = hmac.compare_digest(typed.encode("utf-8", "replace"), self.code.encode())
        if not right:
            with self._lock:
                self._wrong.append(now)
        return right

    def is_secret(self, given: str) -> bool:
        """Whether this is the end of the teacher's link."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.secret.encode())

    def token_for(self, who: str) -> str:
        """A new token by which a cookie names a student, or the teacher."""
        token = secrets.token_urlsafe(32)
        with self.ledger.write() as db:
            db.execute("INSERT INTO tokens VALUES (?, ?)", (_digest(token), who))
        return token

    def who(self, token: str | None) -> str | None:
        """The student's id, or `TEACHER`, to whom a token was given; None for any other text."""
        if not token or len(token) > 200:
            return None
        digest = _digest(token)
        if digest not in self._known:
            with self.ledger.read() as db:
                row = db.execute("SELECT who FROM tokens WHERE digest = ?", (digest,)).fetchone()
            if row is None:
                return None
            self._known[digest] = row["who"]
        return self._known[digest]

    def forget(self, token: str | None) -> None:
        """A token names nobody any more."""
        if token:
            with self.ledger.write() as db:
                db.execute("DELETE FROM tokens WHERE digest = ?", (_digest(token),))
            self._known.pop(_digest(token), None)

    # -- students ------------------------------------------------------------------------------

    def join(self, code: str, name: str) -> tuple[Student, str]:
        """A new student with the token of their cookie. ClassError where the class refuses."""
        if not self.is_code(code):
            raise ClassError(_("This is not the code of the class. Look at it again, and type it."))
        student = self._enter(name, None)
        return student, self.token_for(student.id)

    def logged_in(self, owner: str, name: str) -> Student:
        """The student of a login; entered when new. `owner`: what names the login for good."""
        with self.ledger.read() as db:
            row = db.execute("SELECT * FROM students WHERE owner = ?", (owner,)).fetchone()
        if row is not None:
            return _student(row)
        return self._enter(seen(name) or _("Student"), owner)

    def _enter(self, name: str, owner: str | None) -> Student:
        wanted = seen(name)
        if not wanted:
            raise ClassError(_("Type a name by which the class knows you."))
        with self.ledger.write() as db:
            names = {_alike(row["name"]) for row in db.execute("SELECT name FROM students")}
            if len(names) >= self.most:
                raise ClassError(
                    _(
                        "The class has {most} students, and no more were to come in; "
                        "tell your teacher.",
                        most=self.most,
                    )
                )
            number, own = 1, wanted
            while _alike(own) in names:
                number += 1
                own = f"{wanted} ({number})"
            student = Student(secrets.token_hex(6), own, time.time())
            db.execute(
                "INSERT INTO students VALUES (?, ?, ?, ?)",
                (student.id, student.name, owner, student.joined),
            )
        self.space_of(student.id).write()
        return student

    def students(self) -> list[Student]:
        """All, in the order in which they came."""
        with self.ledger.read() as db:
            return [_student(r) for r in db.execute("SELECT * FROM students ORDER BY joined")]

    def student(self, id_: str) -> Student | None:
        """One by id."""
        with self.ledger.read() as db:
            row = db.execute("SELECT * FROM students WHERE id = ?", (id_,)).fetchone()
        return None if row is None else _student(row)

    def space_of(self, id_: str) -> Space:
        """A student's data folder; its name is the id, which we made."""
        if id_ not in self._spaces:
            if not id_.isalnum():
                raise ClassError(_("There is no student {id!r} in this class.", id=id_[:40]))
            space = Space(self.root / "spaces" / id_, self.root, self.limits)
            if space.root.is_dir():
                space.write()  # the limits of today
            self._spaces[id_] = space
        return self._spaces[id_]

    def spaces(self) -> list[Path]:
        """The data folders of all students."""
        return [self.space_of(student.id).root for student in self.students()]

    def saw(self, id_: str) -> None:
        """A sign of life."""
        self._seen[id_] = time.monotonic()

    def here(self) -> set[str]:
        """Ids of those who showed a sign of life lately."""
        now = time.monotonic()
        return {id_ for id_, seen in list(self._seen.items()) if now - seen < HERE}

    # -- steps ---------------------------------------------------------------------------------

    def hold(self, lesson: str, step: int) -> None:
        """Hold back a step of a lesson, and all that follow it."""
        with self.ledger.write() as db:
            db.execute("DELETE FROM holds WHERE lesson = ?", (lesson,))
            db.execute("INSERT INTO holds VALUES (?, ?)", (lesson, step))

    def open(self, lesson: str) -> None:
        """Let everybody go on in a lesson."""
        with self.ledger.write() as db:
            db.execute("DELETE FROM holds WHERE lesson = ?", (lesson,))

    def holds(self) -> dict[str, int]:
        """Lesson -> the first step that is held back."""
        with self.ledger.read() as db:
            return {row["lesson"]: row["step"] for row in db.execute("SELECT * FROM holds")}

    def _fact(self, name: str, make: Callable[[], str]) -> str:
        with self.ledger.read() as db:
            row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        if row is None:
            with self.ledger.write() as db:
                db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, make()))
                row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row["value"]


def seen(name: str) -> str:
    """A name as it is seen, on one line; "" where nothing of it is.

    Signs that only turn the way of writing are left out: they turn what stands beside a name too.
    """
    kept = "".join(c for c in clean_name(name) if c in JOINERS or category(c) != "Cf")
    words = " ".join(kept.split())[:NAME]
    return words if any(category(c)[0] in "LNPS" for c in words) else ""


def held(lesson: str, step: int) -> bool:
    """Whether the teacher holds this step of a lesson back from the student of the moment.

    Never for a teacher, nor where there is no class.
    """
    space = current()
    if space is None or space.shared is None:
        return False
    first = _room(space.shared).holds().get(lesson)
    return first is not None and step >= first


def may_read_notes() -> bool:
    """Whether who looks may read what is meant for teachers: everybody but a class's students."""
    space = current()
    return space is None or space.shared is None


@lru_cache(maxsize=4)
def _room(root: Path) -> Classroom:
    return Classroom(root)


def _student(row: sqlite3.Row) -> Student:
    return Student(row["id"], row["name"], row["joined"])


def _alike(name: str) -> str:
    """What two names that look the same have in common."""
    return normalize("NFKC", name.translate(dict.fromkeys(map(ord, JOINERS)))).casefold()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
