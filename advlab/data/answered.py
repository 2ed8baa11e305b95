"""From examples with answers of their own to a data set: questions, translations, dialogues.

Examples of one text, or of one dialogue, stay together, so that no split holds a text of another: a
context with all its questions. Nothing is left out untold.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Sequence

from advlab.data.cleaning import folded
from advlab.data.splits import TEST_SHARE, VALIDATION_SHARE
from advlab.errors import DataError
from advlab.language import _
from advlab.records import Dataset, Example
from advlab.runs.config import DataConfig

MIN_EXAMPLES = 10


def divided(examples: Sequence[Example], config: DataConfig, name: str) -> Dataset:
    """70 % to train on, 12 % to validate, 18 % to test; DataError where there are too few."""
    kept, notes = _once(examples, name)
    groups: dict[str, list[Example]] = {}
    for example in kept:
        # what was said later in a dialogue holds what was said before
        whole = dict(example.more).get("dialogue") or folded(example.text)
        groups.setdefault(whole, []).append(example)
    if len(groups) < MIN_EXAMPLES:
        raise DataError(
            _(
                "expected at least {min_examples} different texts in {name}, got "
                "{n_groups}; give more",
                min_examples=MIN_EXAMPLES,
                name=name,
                n_groups=len(groups),
            )
        )
    order = list(groups)
    random.Random(f"split {config.seed}").shuffle(order)
    parts: dict[str, list[Example]] = {"test": [], "validation": [], "train": []}
    for part, share in (("test", TEST_SHARE), ("validation", VALIDATION_SHARE)):
        while order and (len(parts[part]) < share * len(kept) or not parts[part]):
            parts[part] += groups[order.pop()]
    parts["train"] = [e for text in reversed(order) for e in groups[text]]
    if not parts["train"]:
        raise DataError(
            _("expected several texts of like size in {name}, got few large ones", name=name)
        )
    tested = _(
        "the held-out {n_parts:,} of {n_kept:,} examples of {name}",
        n_parts=len(parts["test"]),
        n_kept=len(kept),
        name=name,
    )
    return Dataset(
        name.split(".")[0] or name,
        (),
        tuple(parts["train"]),
        tuple(parts["validation"]),
        tuple(parts["test"]),
        notes=tuple(notes),
        tested=tested,
    )


def tested_on(data: Dataset, examples: Sequence[Example], name: str) -> Dataset:
    """`data` with these examples as its test split, used whole; what they repeat is not trained on."""
    if not examples:
        raise DataError(
            _("expected examples to test on in {name}, got none; give another file", name=name)
        )
    known = {_key(e) for e in examples}
    notes, kept = list(data.notes), {}
    for part, own in (("training", data.train), ("validation", data.validation)):
        kept[part] = tuple(e for e in own if _key(e) not in known)
        if gone := len(own) - len(kept[part]):
            notes.append(
                _(
                    "{gone:,} {part} examples also stand in {name} and were left out.",
                    gone=gone,
                    part=part,
                    name=name,
                )
            )
        if not kept[part]:
            raise DataError(
                _(
                    "every {part} example stands in {name} too; test on other texts",
                    part=part,
                    name=name,
                )
            )
    return dataclasses.replace(
        data,
        train=kept["training"],
        validation=kept["validation"],
        test=tuple(examples),
        notes=tuple(notes),
        tested=_("all {n_examples:,} examples of {name}", n_examples=len(examples), name=name),
    )


def only(examples: Sequence[Example], name: str) -> Dataset:
    """Examples used whole as the test split, with nothing to train on."""
    if not examples:
        raise DataError(
            _("expected examples to test on in {name}, got none; give another file", name=name)
        )
    tested = _("all {n_examples:,} examples of {name}", n_examples=len(examples), name=name)
    return Dataset(name.split(".")[0] or name, (), (), (), tuple(examples), tested=tested)


def limited(data: Dataset, limit: int | None, seed: int) -> Dataset:
    """At most `limit` training examples, drawn at random, in their order."""
    if limit is None or limit >= len(data.train):
        return data
    places = random.Random(f"limit {seed}").sample(range(len(data.train)), limit)
    return dataclasses.replace(data, train=tuple(data.train[i] for i in sorted(places)))


def _key(example: Example) -> tuple[str, str]:
    return folded(example.text), folded(example.beside)


def _once(examples: Sequence[Example], name: str) -> tuple[list[Example], list[str]]:
    """Each input once; one that has different answers is kept with its first, and told."""
    first: dict[tuple[str, str], Example] = {}
    for example in examples:
        first.setdefault(_key(example), example)
    notes = []
    if repeated := len(examples) - len(first):
        notes.append(
            _(
                "{repeated:,} examples of {name} repeat others and were left out.",
                repeated=repeated,
                name=name,
            )
        )
    unlike = Counter(_key(e) for e in examples if e.answers != first[_key(e)].answers)
    if unlike:
        notes.append(
            _(
                "{n_unlike:,} inputs of {name} have several answers; the first is kept.",
                n_unlike=len(unlike),
                name=name,
            )
        )
    return list(first.values()), notes
