"""BLEU and chrF by sacrebleu (Post 2018, 1804.08771), with signature and intervals.

A corpus figure is a function of counts that add up over sentences, so a bootstrap resamples the counts
and never the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from advlab.errors import DataError, SettingError
from advlab.language import _
from advlab.records import Estimate
from advlab.tasks import quoted

TOKENIZERS = ("13a", "zh", "none", "char", "intl")
ORDER = 4  # BLEU counts runs of so many tokens: a shorter answer has none
RESAMPLES = 1000


@dataclass(frozen=True)
class Figure:
    """A corpus figure, 0 to 100, with its 95 % interval and how it was counted."""

    name: str
    estimate: Estimate
    signature: str


def exact(answer: str, reference: str) -> bool:
    """Whether they are the same letter by letter, but for blanks and case."""
    return " ".join(answer.split()).casefold() == " ".join(reference.split()).casefold()


def chrf_of(answer: str, references: Sequence[str]) -> float:
    """chrF of one sentence, 0 to 100; 0 where no reference is known."""
    if not references:
        return 0.0
    return float(_chrf(False).sentence_score(answer, list(references)).score)


def bleu(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    tokenize: str = "13a",
    lower: bool = False,
    seed: int = 12345,
) -> Figure:
    """Corpus BLEU of N answers, each with its references, which are never altered.

    `tokenize`: 13a for most languages, zh for Chinese, none where tokens stand apart already.
    """
    if tokenize not in TOKENIZERS:
        raise SettingError(
            _(
                "expected one of {tokenizers}, got {tokenize!r}; choose one",
                tokenizers=", ".join(TOKENIZERS),
                tokenize=tokenize,
            )
        )
    return _figure("BLEU", _bleu(tokenize, lower), answers, references, seed)


def chrf(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    lower: bool = False,
    seed: int = 12345,
) -> Figure:
    """Corpus chrF of N answers, each with its references."""
    return _figure("chrF", _chrf(lower), answers, references, seed)


def corpus_figures(
    answers: Sequence[str], references: Sequence[Sequence[str]]
) -> list[quoted.Figure]:
    """BLEU and chrF of N answers as figures of any of them, each with sacrebleu's signature.

    Without BLEU where most references are shorter than the runs that it counts: a perfect answer would
    have 0.
    """
    tokenize = tokenizer_for(references)
    metrics = {"chrF": _chrf(False)}
    cut = _bleu(tokenize, False).tokenizer
    long = [len(cut(known[0]).split()) >= ORDER for known in references]
    if sum(long) > len(long) / 2:
        metrics = {"BLEU": _bleu(tokenize, False)} | metrics
    found = []
    for name, metric in metrics.items():
        counts = counts_of(metric, answers, references)  # sets what the signature tells

        def of(places: np.ndarray, metric: Any = metric, counts: Any = counts) -> float:
            return float(metric._compute_score_from_stats(counts[places].sum(0).tolist()).score)

        found.append(quoted.Figure(name, of, name, str(metric.get_signature())))
    return found


def tokenizer_for(references: Sequence[Sequence[str]]) -> str:
    """How BLEU should cut these references: zh where they are Chinese, none where signs stand apart."""
    texts = [text for known in references for text in known[:1]]
    letters = [c for text in texts for c in text if not c.isspace()]
    if sum("\u3400" <= c <= "\u9fff" for c in letters) > len(letters) / 2:
        return "zh"
    words = [word for text in texts for word in text.split()]
    return "none" if sum(len(w) == 1 for w in words) > len(words) / 2 else "13a"


@cache
def _bleu(tokenize: str, lower: bool) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenize, lowercase=lower, force=True)


@cache
def _chrf(lower: bool) -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(lowercase=lower)


def _figure(
    name: str, metric: Any, answers: Sequence[str], references: Sequence[Sequence[str]], seed: int
) -> Figure:
    if not answers or len(answers) != len(references) or not all(references):
        raise DataError(
            _(
                "expected a reference for each of {n_answers} answers, got {bool}; give "
                "texts with their translations",
                n_answers=len(answers),
                bool=sum(bool(r) for r in references),
            )
        )
    most = max(map(len, references))
    streams = [[r[i] if i < len(r) else None for r in references] for i in range(most)]
    score = metric.corpus_score(list(answers), streams).score  # sets what the signature tells
    counts = counts_of(metric, answers, references)
    drawn = resampled(metric, counts, seed)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Figure(
        name,
        Estimate(float(score), float(low), float(high), len(answers), name),
        str(metric.get_signature()),
    )


def counts_of(metric: Any, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Any:
    """(N,K) sufficient statistics of each answer; their sum gives the corpus figure."""
    most = max(map(len, references))
    streams = [[r[i] if i < len(r) else None for r in references] for i in range(most)]
    return np.array(metric._extract_corpus_statistics(list(answers), streams))


def resampled(metric: Any, counts: Any, seed: int) -> Any:
    """(RESAMPLES,) figures of corpora drawn with replacement, by sacrebleu's own generator."""
    dice = np.random.default_rng(seed)
    places = dice.choice(len(counts), size=(RESAMPLES, len(counts)), replace=True)
    return np.array(
        [metric._compute_score_from_stats(counts[p].sum(0).tolist()).score for p in places]
    )
