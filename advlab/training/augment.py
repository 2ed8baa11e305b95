"""Changed texts for training: words dropped, swapped, replaced by others of like meaning, typos.

Each text is changed anew in each epoch, by dice that depend on seed, epoch and place alone, so that a
resumed run meets the same texts. Labels stay; what changes meaning too often is for the user to judge.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from advlab.attacks.text.edits import synonym, typo
from advlab.records import Example
from advlab.runs.config import Augmentation

_WORD = re.compile(r"\w[\w'’-]*|[^\w\s]+|\s+")


def augmented(
    settings: Augmentation,
    example: Example,
    dice: random.Random,
    neighbours: Mapping[str, Sequence[str]] | None = None,
) -> Example:
    """The example with its text changed, or as it is. `neighbours`: own-embedding synonyms."""
    if dice.random() >= settings.augmented:
        return example
    pieces = _WORD.findall(example.text)
    places = [i for i, piece in enumerate(pieces) if piece[0].isalnum()]
    for place in places:
        if dice.random() < settings.synonyms:
            pieces[place] = synonym(pieces[place], dice, neighbours or {})
        if dice.random() < settings.typos:
            pieces[place] = typo(pieces[place], dice)
    for here, there in itertools.pairwise(places):
        if dice.random() < settings.word_swap:
            pieces[here], pieces[there] = pieces[there], pieces[here]
    kept = [i for i in places if dice.random() >= settings.word_dropout] or places[:1]
    gone = set(places) - set(kept)
    text = "".join(piece for i, piece in enumerate(pieces) if i not in gone)
    text = re.sub(r" {2,}", " ", text).strip()
    return replace(example, text=text) if text else example


def dice_for(seed: int, epoch: int, place: int) -> random.Random:
    """The dice of one text in one epoch."""
    return random.Random(f"augment/{seed}/{epoch}/{place}")
