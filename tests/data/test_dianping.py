"""The built-in Chinese reviews: words, both classes in every turn of phrase, what counting reaches."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pytest
from places import ROOT

from advlab.data.corpora import CORPORA
from advlab.data.dianping import AMBIGUOUS, DOMAINS
from advlab.data.dianping.words import FACTS, GROUPS, ITEMS, VERDICTS, WHOLE
from advlab.records.script import has_han, pieces, spoken

NOUNS = [*ITEMS, *(aspect for domain in DOMAINS for aspect in domain.aspects)]
TYPED = ROOT / "tests" / "data" / "typed_dianping.tsv"


def every():
    data = CORPORA["dianping"].build()
    return [*data.train, *data.validation, *data.test]


def test_there_are_enough_texts_of_everyday_characters():
    texts = [e.text for e in every()]
    assert len(texts) >= 3000
    counts = Counter(sign for text in texts for sign in spoken(text))
    assert len(counts) >= 1000
    assert all(has_han(sign) for sign in counts if sign not in ("一", "G"))


def test_texts_are_pointed_as_chinese_is_with_no_blank_in_them():
    for example in every():
        text = example.text
        assert not re.search(
            r"[{}_=@|,.;:!?\s]|[，。？！]{2}|的的|了了|很很|很有点|不不|很太", text
        ), text
        assert text[0] not in "，。！？", text
        assert 3 <= len(pieces(text)) <= 64, text


def test_a_noun_that_is_praised_by_a_word_is_not_blamed_by_it():
    for noun in NOUNS:
        assert noun.words[0], noun.noun
        assert noun.words[1], noun.noun
        assert not set(noun.words[0]) & set(noun.words[1]), noun.noun
        for side in noun.words:  # 不 can stand before one of each side
            assert [w for w in side if not w.startswith(("不", "有")) and w != "一般"], noun.noun


def test_many_words_praise_one_noun_and_blame_another():
    assert {"大", "小", "多", "少", "高", "长", "短", "快", "薄"} <= AMBIGUOUS


def test_every_entry_of_the_word_lists_is_whole():
    kinds = {kind for kind, _ in VERDICTS}
    for domain in DOMAINS:
        assert domain.kind in kinds, domain.name
        assert len(domain.aspects) >= 6
        assert len(domain.scenes) >= 4
        assert all(
            thing[0] in "部本场家份杯个箱座副台件条双张把门趟款辆" for thing in domain.things
        )
    assert {kind for kind, _ in FACTS} <= kinds
    words = [w for noun in NOUNS for side in (*noun.words, *noun.whole) for w in side]
    words += [part for _, pair in (*VERDICTS, *FACTS) for part in pair]
    words += [part for pair in WHOLE for part in pair]
    words += [w for group in GROUPS.values() for w in group]
    for word in words:
        assert re.fullmatch(r"=?[\w，{}]+", word), word


@pytest.mark.parametrize(
    "phrase",
    [
        *(
            "不",
            "并不",
            "没有",
            "谈不上",
            "算不上",
            "一点也不",
            "但",
            "不过",
            "可是",
            "虽然",
            "尽管",
        ),
        *(
            "可惜",
            "好在",
            "除了",
            "没想到",
            "其实",
            "果然",
            "吗？",
            "难道",
            "谁说",
            "哪里",
            "不能说",
        ),
        *(
            "不是不|不是说|不是没有",
            "没有人",
            "不得不",
            "比",
            "不如",
            "越来越",
            "后悔",
            "失望",
            "推荐",
        ),
        *("大", "小", "多", "少", "高", "快", "！"),
    ],
)
def test_each_turn_of_phrase_stands_in_both_classes(phrase):
    data = CORPORA["dianping"].build()
    found = Counter(e.answer for e in data.train if re.search(phrase, e.text))
    first, second = (found[name] for name in data.head)
    assert min(first, second) >= 10
    assert 0.2 <= second / (first + second) <= 0.8


def test_counting_characters_does_not_solve_them_nor_does_counting_pairs():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    data = CORPORA["dianping"].build()
    for longest, low, high in ((1, 0.5, 0.65), (2, 0.6, 0.75)):
        counter = CountVectorizer(analyzer="char", ngram_range=(1, longest))
        model = LogisticRegression(max_iter=200, C=0.3).fit(
            counter.fit_transform([e.text for e in data.train]), [e.answer for e in data.train]
        )
        score = model.score(
            counter.transform([e.text for e in data.test]), [e.answer for e in data.test]
        )
        assert low < score <= high, (longest, score)


def test_the_typed_sentences_are_no_training_texts_and_of_both_classes():
    with TYPED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert Counter(row["label"] for row in rows) == {"好评": 80, "差评": 80}
    trained = {"".join(spoken(e.text)) for e in every()}
    new = [row for row in rows if "".join(spoken(row["text"])) not in trained]
    assert len(new) >= 0.9 * len(rows)
