"""Examples typed one a line: a text, and behind a tab what stands beside it where the task has that."""

from __future__ import annotations

from advlab.language import _
from advlab.records import Example
from advlab.tasks import Task

TAB, BAR = "\t", "|"  # what stands between the two; a bar, where a browser takes the tab key


def form_of_a_line(task: Task) -> str:
    """How a line is written, in a word or two."""
    if task.beside is None:
        return _("One sentence a line")
    return _(
        "One a line: {text} ⇥ {beside}",
        text=task.text.title.lower(),
        beside=task.beside.title.lower(),
    )


def help_of_a_line(task: Task) -> str | None:
    """More of the same, for the form's help; None where nothing needs to be said."""
    if task.beside is None:
        return None
    return _(
        "Between them stands a tab, as in cells copied from a spreadsheet, or a bar: {text} | {beside}",
        text=task.text.title.lower(),
        beside=task.beside.title.lower(),
    )


def examples_of(typed: str, task: Task) -> tuple[list[Example], list[str]]:
    """The examples of the lines that are not empty, and in words what is wrong with the others."""
    found, wrong = [], []
    for number, line in enumerate(typed.splitlines(), 1):
        if not line.strip():
            continue
        name = str(len(found))
        if task.beside is None:
            found.append(Example(name, line))
            continue
        text, *rest = (part.strip() for part in line.split(TAB if TAB in line else BAR))
        if text and len(rest) == 1 and rest[0]:
            found.append(Example(name, text, beside=rest[0]))
        else:
            wrong.append(
                _(
                    "Line {number}: expected {text}, a tab (or |) and {beside}, got {parts} parts; it"
                    " is left out.",
                    number=number,
                    text=task.text.title.lower(),
                    beside=task.beside.title.lower(),
                    parts=sum(bool(part) for part in (text, *rest)),
                )
            )
    return found, wrong
