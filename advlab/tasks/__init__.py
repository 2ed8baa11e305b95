"""Tasks by name. A task turns examples into a batch, and logits into losses, flips and metrics."""

from __future__ import annotations

from advlab.errors import SettingError, unknown
from advlab.tasks.base import Batch, Objective
from advlab.tasks.classification import Classification

TASKS: dict[str, type[Classification]] = {"classification": Classification}


def build_task(name: str, **settings: float) -> Classification:
    """The task of that name; SettingError lists the choices."""
    if name not in TASKS:
        raise SettingError(unknown("task", name, TASKS))
    return TASKS[name](**settings)


__all__ = ["TASKS", "Batch", "Classification", "Objective", "build_task"]
