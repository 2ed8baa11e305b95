"""BLEU and chrF are sacrebleu's, their intervals too."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from advlab.errors import DataError, SettingError
from advlab.tasks.bleu import bleu, chrf, chrf_of, exact, tokenizer_for

WORDS = [
    "der",
    "alte",
    "Mann",
    "sieht",
    "einen",
    "kleinen",
    "Hund",
    "im",
    "roten",
    "Haus",
    ",",
    "und",
    "er",
    "singt",
    "laut",
    ".",
]


def corpus(n: int = 60) -> tuple[list[str], list[tuple[str, ...]]]:
    """Answers that resemble their references, more or less."""
    dice = np.random.default_rng(0)
    references = [
        tuple(" ".join(dice.choice(WORDS, size=dice.integers(4, 14))) for _ in range(2))
        for _ in range(n)
    ]
    answers = []
    for known in references:
        words = known[0].split()
        words[int(dice.integers(len(words)))] = str(dice.choice(WORDS))
        answers.append(" ".join(words[: int(dice.integers(4, 15))]))
    return answers, references


@pytest.mark.parametrize("name", ["bleu", "chrf"])
@pytest.mark.parametrize("lower", [False, True])
def test_figures_and_intervals_are_those_of_sacrebleu(name: str, lower: bool) -> None:
    answers, references = corpus()
    metric = BLEU(lowercase=lower) if name == "bleu" else CHRF(lowercase=lower)
    streams = list(map(list, zip(*references, strict=True)))
    theirs = metric.corpus_score(answers, streams, n_bootstrap=1000)
    mine = (bleu if name == "bleu" else chrf)(answers, references, lower=lower)
    assert mine.estimate.value == pytest.approx(theirs.score)
    half = (mine.estimate.high - mine.estimate.low) / 2
    assert half == pytest.approx(theirs._ci, abs=0.1)
    assert mine.estimate.low < theirs._mean < mine.estimate.high
    assert mine.estimate.n == 60
    assert "version:" in mine.signature
    assert ("case:lc" in mine.signature) == lower


def test_texts_with_few_references_stand_beside_those_with_more() -> None:
    answers, references = corpus(6)
    fewer = [r if i % 2 else r[:1] for i, r in enumerate(references)]
    assert 0 < bleu(answers, fewer).estimate.value <= 100
    assert "nrefs:var" in bleu(answers, fewer).signature


def test_short_perfect_outputs_have_no_bleu_and_an_exact_match() -> None:
    assert bleu(["1 2"], [("1 2",)], tokenize="none").estimate.value == 0
    assert bleu(["1 2 : 5 0"], [("1 2 : 5 0",)], tokenize="none").estimate.value == pytest.approx(
        100
    )
    assert exact("1 2", "1  2")
    assert not exact("1 2", "12")
    assert chrf_of("ein Hund", ["ein Hund"]) == pytest.approx(100)
    assert chrf_of("ein Hund", []) == 0


def test_how_words_are_cut_is_chosen_by_the_references() -> None:
    assert tokenizer_for([("1 9 8 4 - 0 3",)]) == "none"
    assert tokenizer_for([("那只小狗看见一个老人。",)]) == "zh"
    assert tokenizer_for([("der alte Mann",)]) == "13a"
    with pytest.raises(SettingError, match="13a"):
        bleu(["a"], [("a",)], tokenize="nonsense")


@pytest.mark.parametrize(
    ("answers", "references"), [([], []), (["a"], []), (["a", "b"], [("a",), ()])]
)
def test_answers_without_references_have_no_figure(answers, references) -> None:
    with pytest.raises(DataError, match="expected a reference for each"):
        bleu(answers, references)
