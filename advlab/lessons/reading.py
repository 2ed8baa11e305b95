"""A lesson's Markdown, read strictly: what does not fit is named with its file and line."""

from __future__ import annotations

import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from advlab.errors import DataError
from advlab.language import _
from advlab.lessons.blocks import ACTS, BLOCKS, SEEN, Block, Check, Do, Lesson, Predict, See, Step

_HEAD, _NOTES = "lesson", "notes"  # fences besides the blocks
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
# a line's end between two Chinese signs: Markdown would draw a gap there
_WITHIN = re.compile(r"(?<=[\u2e80-\u9fff\uff00-\uffef”’])\n(?=[\u2e80-\u9fff\uff00-\uffef“‘])")
_GIVEN = ("name", "about", "steps", "notes")  # of a lesson, which are not in its head


def read_lesson(path: Path) -> Lesson:
    """A file `NN-name.LANGUAGE.md`; DataError names the line that does not fit."""
    return _Reader(path).lesson()


class _Reader:
    """One pass over the lines, with the number of the one that is looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.head: dict[str, Any] | None = None
        self.about: list[str] = []
        self.notes: list[str] = []
        self.titles: list[str] = []
        self.parts: list[list[str | Block]] = []

    def lesson(self) -> Lesson:
        """Everything in the file."""
        place = 0
        while place < len(self.lines):
            place = self._take(place)
        if self.head is None:
            raise self._wrong(1, _("expected a block `lesson` at the start, but none came"))
        if not self.parts:
            raise self._wrong(1, _("expected a step, `## Title`, but none came"))
        steps = tuple(
            Step(n, title, tuple(_joined(parts)))
            for n, (title, parts) in enumerate(zip(self.titles, self.parts, strict=True), 1)
        )
        about, notes = (_flowing("\n".join(t)).strip() for t in (self.about, self.notes))
        name = self.path.name.split(".")[0]
        return Lesson(name=name, about=about, steps=steps, notes=notes, **self.head)

    def _take(self, place: int) -> int:
        """What stands at a line; the place of what comes after it."""
        line = self.lines[place]
        if line.startswith("## "):
            self.titles.append(line[3:].strip())
            self.parts.append([])
            return place + 1
        if not line.startswith("```"):
            self._text(line)
            return place + 1
        end = next((k for k in range(place + 1, len(self.lines)) if self.lines[k] == "```"), None)
        if end is None:
            raise self._wrong(place + 1, _("expected ``` to end this block, but none came"))
        kind, inside = line[3:].strip(), self.lines[place + 1 : end]
        if kind == _HEAD:
            self.head = self._built(Lesson, inside, place + 1)
        elif kind == _NOTES:
            self.notes += inside
        elif kind in BLOCKS:
            self._block(kind, inside, place + 1)
        else:  # code that is shown
            for part in self.lines[place : end + 1]:
                self._text(part)
        return end + 1

    def _text(self, line: str) -> None:
        if not self.parts:
            self.about.append(line)
            return
        here = self.parts[-1]
        if here and isinstance(here[-1], str):
            here[-1] += "\n" + line
        else:
            here.append(line)

    def _block(self, kind: str, inside: list[str], line: int) -> None:
        if not self.parts:
            raise self._wrong(line, _("expected a step, `## Title`, before this block"))
        made = BLOCKS[kind](**self._built(BLOCKS[kind], inside, line))
        here, acting = self.parts[-1], (Predict, Do, Check)
        twice = any(type(p) is type(made) for p in here)
        if twice or (isinstance(made, acting) and any(isinstance(p, acting) for p in here)):
            raise self._wrong(line, _("expected one thing to do in a step, but a second came"))
        reason = _unfit(made, len(self.parts))
        if reason:
            raise self._wrong(line, reason)
        here.append(made)

    def _built(self, cls: type, inside: list[str], line: int) -> dict[str, Any]:
        """The settings of a block, each of the type that its class says."""
        try:
            given = tomllib.loads("\n".join(inside))
        except tomllib.TOMLDecodeError as error:
            found = _AT.search(str(error))
            within = int(found[1]) if found and found[1] else len(inside)
            raise self._wrong(line + within, _AT.sub("", str(error))) from None
        hints = get_type_hints(cls)
        known: dict[str, Field[Any]] = {
            f.name: f for f in fields(cls) if cls is not Lesson or f.name not in _GIVEN
        }
        for name, value in given.items():
            if name not in known:
                names = ", ".join(known)
                text = _("expected one of {names}, but {name} came", names=names, name=name)
                raise self._wrong(self._line_of(name, inside, line), text)
            wanted = _misfit(hints[name], value)
            if wanted:
                text = _(
                    "expected {name} to be {wanted}, but {came} came",
                    name=name,
                    wanted=wanted,
                    came=repr(value),
                )
                raise self._wrong(self._line_of(name, inside, line), text)
            given[name] = tuple(value) if isinstance(value, list) else value
        for name, one in known.items():
            if one.default is MISSING and one.default_factory is MISSING and name not in given:
                raise self._wrong(
                    line, _("expected {name} in this block, but none came", name=name)
                )
        return given

    def _line_of(self, name: str, inside: list[str], line: int) -> int:
        """The line that sets a name."""
        start = re.compile(rf"\s*\[?{re.escape(name)}\b")
        return next((line + k for k, text in enumerate(inside, 1) if start.match(text)), line)

    def _wrong(self, line: int, text: str) -> DataError:
        return DataError(f"{self.path.name}:{line}: {text}")


def _joined(parts: list[str | Block]) -> list[str | Block]:
    """Without text that is blank."""
    stripped = [_flowing(p).strip("\n") if isinstance(p, str) else p for p in parts]
    return [p for p in stripped if p]


def _flowing(text: str) -> str:
    """Text whose lines are joined where Chinese goes on, which has no gaps between words."""
    return _WITHIN.sub("", text)


def _misfit(hint: Any, value: Any) -> str:
    """What was expected instead of a value, in words; empty where it fits."""
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return "" if value in choices else " | ".join(map(str, choices))
    if get_origin(hint) is tuple:
        fits = isinstance(value, list) and all(isinstance(v, str) for v in value)
        return "" if fits else _("a list of texts")
    if get_origin(hint) in (Mapping, dict) or isinstance(hint, types.GenericAlias):
        fits = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        return "" if fits else _("a table of texts")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return ""
    if type(value) is hint:
        return ""
    return {str: _("text"), int: _("a whole number"), float: _("a number")}.get(
        hint, _("true or false")
    )


def _unfit(block: Block, steps: int) -> str:
    """Why a block's settings do not go together; empty where they do."""
    if isinstance(block, Predict) and (block.kind == "choice") != bool(block.options):
        return _("expected options for a choice, and for nothing else")
    if isinstance(block, Predict) and (block.kind == "curve") != bool(block.at):
        return _("expected `at` for a curve, and for nothing else")
    if isinstance(block, Check) and block.answer not in block.options:
        return _("expected the answer to be one of the options, but {name} came", name=block.answer)
    if isinstance(block, See) and block.page not in SEEN:
        return _("expected one of {names}, but {name} came", names=", ".join(SEEN), name=block.page)
    if isinstance(block, Do) and block.act not in ACTS:
        return _("expected one of {names}, but {name} came", names=", ".join(ACTS), name=block.act)
    if hasattr(block, "of") and not 1 <= block.of < steps:  # type: ignore[union-attr]
        return _("expected an earlier step, but {name} came", name=block.of)  # type: ignore[union-attr]
    return ""
