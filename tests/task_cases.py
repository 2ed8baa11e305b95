"""One tiny random model of each task that writes or points at its answer, with texts for it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from speakers import shared_speaker
from translators import EXAMPLES, shared_translator

from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.tasks.qa import QuestionAnswering

KINDS = ("qa", "translation", "dialogue")
STORIES = tuple(
    Example(str(i), text, (answer,), question)
    for i, (text, question, answer) in enumerate(
        (
            ("Anna is in the old kitchen. Tom is in the hall.", "where is Anna", "the old kitchen"),
            ("The red box holds a key. The blue box is empty.", "what holds the key", "red box"),
            ("Tom went to the garden.", "where is Anna", "(no answer)"),
            ("A dog sees the small cat in the hall.", "what sees the cat", "A dog"),
        )
    )
)
TALKS = tuple(
    Example(str(i), f"User: {said}", (reply,))
    for i, (said, reply) in enumerate(
        (("the film was good", "we saw it"), ("a slow dull movie", "never again"), ("short", "so"))
    )
)
# three of four with the four words at least that BLEU counts runs of
SOURCES = (*EXAMPLES[:3], replace(EXAMPLES[3], answers=("das haus singt in der stadt",)))


@lru_cache
def case(kind: str) -> tuple[Victim, tuple[Example, ...]]:
    """The model, for reading only, and its texts."""
    if kind == "translation":
        return shared_translator("bart"), SOURCES
    if kind == "dialogue":
        return shared_speaker("gpt2"), TALKS
    data = Dataset("d", (), STORIES, STORIES, STORIES)
    task = QuestionAnswering(where="both")
    model, tokenizer = task.scratch("tiny", data, seed=1, max_length=64)
    return Victim(model.double().eval(), tokenizer, task=task, name="qa", max_length=64), STORIES
