"""Tasks by name: what a model is asked. Each is a file, and a line in `TASKS`."""

from __future__ import annotations

from typing import Any

from advlab.errors import SettingError, unknown
from advlab.tasks.base import Batch, Objective, Task
from advlab.tasks.classification import Classification
from advlab.tasks.qa import QuestionAnswering
from advlab.tasks.tokens import Reader, Tokens
from advlab.tasks.translation import Translation

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    "qa": QuestionAnswering,
    "translation": Translation,
}


def build_task(name: str, **settings: Any) -> Task:
    """The task of that name; SettingError lists the choices."""
    if name not in TASKS:
        raise SettingError(unknown("task", name, TASKS))
    return TASKS[name](**settings)


__all__ = [
    "TASKS",
    "Batch",
    "Classification",
    "Objective",
    "QuestionAnswering",
    "Reader",
    "Task",
    "Tokens",
    "Translation",
    "build_task",
]
