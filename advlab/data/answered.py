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
            f"expected at least {MIN_EXAMPLES} different texts in {name}, got {len(groups)}; give more"
        )
    order = list(groups)
    random.Random(f"split {config.seed}").shuffle(order)
    parts: dict[str, list[Example]] = {"test": [], "validation": [], "train": []}
    for part, share in (("test", TEST_SHARE), ("validation", VALIDATION_SHARE)):
        while order and (len(parts[part]) < share * len(kept) or not parts[part]):
            parts[part] += groups[order.pop()]
    parts["train"] = [e for text in reversed(order) for e in groups[text]]
    if not parts["train"]:
        raise DataError(f"expected several texts of like size in {name}, got few large ones")
    tested = f"the held-out {len(parts['test']):,} of {len(kept):,} examples of {name}"
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
        raise DataError(f"expected examples to test on in {name}, got none; give another file")
    known = {_key(e) for e in examples}
    notes, kept = list(data.notes), {}
    for part, own in (("training", data.train), ("validation", data.validation)):
        kept[part] = tuple(e for e in own if _key(e) not in known)
        if gone := len(own) - len(kept[part]):
            notes.append(f"{gone:,} {part} examples also stand in {name} and were left out.")
        if not kept[part]:
            raise DataError(f"every {part} example stands in {name} too; test on other texts")
    return dataclasses.replace(
        data,
        train=kept["training"],
        validation=kept["validation"],
        test=tuple(examples),
        notes=tuple(notes),
        tested=f"all {len(examples):,} examples of {name}",
    )


def only(examples: Sequence[Example], name: str) -> Dataset:
    """Examples used whole as the test split, with nothing to train on."""
    if not examples:
        raise DataError(f"expected examples to test on in {name}, got none; give another file")
    tested = f"all {len(examples):,} examples of {name}"
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
        notes.append(f"{repeated:,} examples of {name} repeat others and were left out.")
    unlike = Counter(_key(e) for e in examples if e.answers != first[_key(e)].answers)
    if unlike:
        notes.append(f"{len(unlike):,} inputs of {name} have several answers; the first is kept.")
    return list(first.values()), notes
