"""A tiny model trained from scratch, with a tokenizer learnt from its own training texts.

What it looks like is its task's to say. Everything that opens a Hugging Face folder opens it.
"""

from __future__ import annotations

from advlab.model.unseen import words_of
from advlab.model.victim import Victim
from advlab.records import Dataset
from advlab.tasks import Task, build_task


def tiny_victim(
    size: str, data: Dataset, *, seed: int = 0, max_length: int = 128, task: Task | None = None
) -> Victim:
    """A new model of `size` ("tiny" or "small") for this data, weights drawn from `seed`."""
    task = task or build_task("classification")
    model, tokenizer = task.scratch(size, data, seed=seed, max_length=max_length)
    return Victim(
        model,
        tokenizer,
        head=task.head(data),
        name=f"{size} ({data.name})",
        max_length=max_length,
        task=task,
        known=words_of(tokenizer, [t for e in data.train for t in (e.text, e.beside) if t]),
    )
