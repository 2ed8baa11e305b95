"""Parts of the data that are told apart: by length, negation, rare words, answer, any column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from advlab.language import _
from advlab.records import Example
from advlab.records.script import SIGNS, pieces

NEGATIONS = ("not", "no", "never", "n't", "nothing", "hardly", "neither", "nor", "without")
# words with a sign of negation that deny nothing: but, good, not only, have to, nearly, whatever
NO_NEGATION = re.compile("不过|不错|不但|不仅|不得不|差不多|不管|不论|没准|未来")
RARE = 3  # times in the training texts: a word below it is rare
KINDS = 12  # a column with more values names no parts
FEWEST = 5  # nor does a part of fewer texts
MOST = 100  # parts by answer


def slices_of(
    examples: Sequence[Example], known: Mapping[str, int] | None = None
) -> Mapping[str, np.ndarray]:
    """Name -> (N,) bool: length by thirds, negation, rare words, answer, values of further columns.

    `known`: how often each word stands in the training texts; without it rare words are not told.
    """
    words = [words_of(e.text) for e in examples]
    sizes = np.array([len(w) for w in words])
    low, high = np.quantile(sizes, [1 / 3, 2 / 3]) if len(sizes) else (0, 0)
    negated = np.array([negates(e.text) for e in examples])
    found = {
        _("all"): np.ones(len(examples), dtype=bool),
        _("short (up to {low:.0f} words)", low=low): sizes <= low,
        _("long (over {high:.0f} words)", high=high): sizes > high,
        _("with a negation"): negated,
        _("without a negation"): ~negated,
    }
    if known is not None:
        rare = np.array([any(known.get(w, 0) < RARE for w in row) for row in words])
        found |= {
            _("with a word seen below {rare} times in training", rare=RARE): rare,
            _("without a word seen below {rare} times in training", rare=RARE): ~rare,
        }
    answers = Counter(e.answer or "" for e in examples)
    # where many answers are those of one text alone, only the frequent ones name a part
    shared = 2 * len(answers) <= len(examples)
    asked = {a for a, n in answers.items() if a and (shared or n >= FEWEST)}
    asked = asked if len(asked) <= MOST else set()
    columns = dict.fromkeys(name for e in examples for name, __ in e.more)
    for answer in sorted(asked):
        found[_("answer: {answer}", answer=answer)] = np.array(
            [e.answer == answer for e in examples]
        )
    for column in columns:
        listed = [dict(e.more).get(column, "") for e in examples]
        kinds = sorted(set(listed) - {""})
        if not 2 <= len(kinds) <= KINDS:
            continue
        for kind in kinds:
            mask = np.array([value == kind for value in listed])
            if mask.sum() >= FEWEST:
                found[f"{column}: {kind}"] = mask
    return {
        n: mask for n, mask in found.items() if n == _("all") or (mask.any() and not mask.all())
    }


def words_of(text: str) -> list[str]:
    """Lower-case words without the punctuation around them; n't and Chinese characters stand alone."""
    parts = pieces(text.lower().replace("n't", " n't"))
    return [stripped for part in parts if (stripped := part.strip('.,!?;:"()' + SIGNS))]


def negates(text: str) -> bool:
    """Whether it has a word of negation, in English or Chinese."""
    if any(word in NEGATIONS for word in words_of(text)):
        return True
    return any(sign in NO_NEGATION.sub("", text) for sign in "不没未")


def word_counts(examples: Sequence[Example]) -> dict[str, int]:
    """Word -> how often it stands in the texts."""
    return dict(Counter(word for e in examples for word in words_of(e.text)))
