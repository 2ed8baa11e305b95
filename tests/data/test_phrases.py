"""English, German and Chinese: every article, ending and measure word agrees."""

from __future__ import annotations

from collections import Counter

import pytest

from advlab.data import phrases
from advlab.data.phrases import BEINGS, THINGS, Phrase, ending

DATA = phrases.build()


def noun(english: str):
    return next(n for n in (*BEINGS, *THINGS, *phrases.PLACES) if n.english == english)


@pytest.mark.parametrize(
    ("article", "adjective", "word", "case", "german"),
    [
        ("the", "old", "man", "nom", "der alte Mann"),
        ("the", "old", "man", "acc", "den alten Mann"),
        ("a", "old", "man", "nom", "ein alter Mann"),
        ("a", "small", "child", "acc", "ein kleines Kind"),
        ("my", "red", "lamp", "acc", "meine rote Lampe"),
        ("my", None, "boy", "acc", "meinen Jungen"),
        ("the", None, "boy", "nom", "der Junge"),
        ("the", "new", "school", "dat", "der neuen Schule"),
        ("my", "big", "house", "dat", "meinem großen Haus"),
    ],
)
def test_german_agrees(
    article: str, adjective: str | None, word: str, case: str, german: str
) -> None:
    known = next((a for a in phrases.ADJECTIVES if a[0] == adjective), None)
    assert Phrase(article, known, noun(word)).german(case) == german


@pytest.mark.parametrize(
    ("article", "word", "chinese"),
    [
        ("a", "dog", "一只狗"),
        ("the", "book", "那本书"),
        ("my", "lamp", "我的灯"),
        ("a", "key", "一把钥匙"),
    ],
)
def test_chinese_takes_its_measure_word(article: str, word: str, chinese: str) -> None:
    assert Phrase(article, None, noun(word)).chinese == chinese


def test_endings_are_weak_after_der_and_mixed_after_ein() -> None:
    found = [ending("a", "nom", g) for g in "mfn"], [ending("the", "nom", g) for g in "mfn"]
    assert found == (["er", "e", "es"], ["e", "e", "e"])
    assert {ending(a, "dat", g) for a in ("the", "a", "my") for g in "mfn"} == {"en"}


def test_both_languages_and_all_patterns_have_their_share() -> None:
    for split in (DATA.train, DATA.validation, DATA.test):
        languages = Counter(dict(e.more)["language"] for e in split)
        patterns = Counter(dict(e.more)["pattern"] for e in split)
        assert min(languages.values()) > 0.4 * len(split)
        assert len(patterns) == 5
        assert min(patterns.values()) > 0.13 * len(split)
        for e in split:
            assert e.text.startswith(f"to {dict(e.more)['language']} : ")


def test_no_english_sentence_stands_in_two_splits_even_in_another_language() -> None:
    bare = [
        e.text.split(" : ")[1] for split in (DATA.train, DATA.validation, DATA.test) for e in split
    ]
    assert len(set(bare)) == len(bare)
    assert DATA.majority < 0.01


def test_an_article_is_an_before_a_vowel() -> None:
    texts = " ".join(e.text for e in DATA.train)
    assert " an old " in texts
    assert " a old " not in texts
    assert " a apple" not in texts
