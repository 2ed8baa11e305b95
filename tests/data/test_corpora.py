"""The built-in corpora: sizes, splits, wording."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from advlab.data import dianping, grammar, headlines, messages, reviews
from advlab.data.corpora import CORPORA
from advlab.records import Dataset
from advlab.records.script import spoken

SIZES = {"reviews": 17520, "dianping": 17440, "messages": 2400, "headlines": 2500}
FINGERPRINTS = {
    "reviews": "8872765a3217",
    "dianping": "967626a6d6b3",
    "messages": "cf2ecc4c8882",
    "headlines": "6fdefab756e7",
}
NAMES = tuple(SIZES)
TYPED = {kind.name for kind in reviews.typed.KINDS}  # as people type: no capital, no full stop


def splits(data: Dataset):
    return {"train": data.train, "validation": data.validation, "test": data.test}


def every(data: Dataset):
    return [*data.train, *data.validation, *data.test]


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_is_made_once(name):
    assert CORPORA[name].build() is CORPORA[name].build()


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_distinct_within_and_across_splits_even_without_case_and_punctuation(name):
    data = CORPORA[name].build()
    keys = Counter(grammar.normal_form(e.text) for e in every(data))
    assert len(keys) == SIZES[name]
    assert max(keys.values()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_split_holds_its_share_and_the_same_number_of_each_class(name):
    data = CORPORA[name].build()
    own = {"reviews": (0.925, 0.03, 0.045), "dianping": (0.925, 0.03, 0.045)}
    shares = own.get(name, (0.7, 0.12, 0.18))
    for part, share in zip(("train", "validation", "test"), shares, strict=True):
        found = splits(data)[part]
        assert len(found) == pytest.approx(share * SIZES[name], abs=3)
        counts = Counter(e.answer for e in found)
        assert set(counts) == set(data.head)
        assert len(set(counts.values())) == 1
    assert data.majority == 1 / len(data.head)


@pytest.mark.parametrize("name", NAMES)
def test_ids_name_corpus_split_and_position(name):
    for part, found in splits(CORPORA[name].build()).items():
        assert [e.id for e in found] == [f"{name}-{part}-{i + 1}" for i in range(len(found))]


@pytest.mark.parametrize("name", NAMES)
def test_fingerprint_is_pinned(name):
    assert CORPORA[name].build().fingerprint == FINGERPRINTS[name]


def test_texts_do_not_depend_on_the_hash_seed():
    code = (
        "from advlab.data.corpora import CORPORA; import sys\n"
        "assert 'torch' not in sys.modules\n"
        f"print(*(CORPORA[name].build().fingerprint for name in {NAMES}))"
    )
    for seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == list(FINGERPRINTS.values())


def test_another_seed_gives_other_texts():
    a, b = ({s.text for s in messages.sentences(seed)} for seed in (3, 5))
    assert len(a & b) < 0.5 * len(a)


@pytest.mark.parametrize("name", [n for n in NAMES if CORPORA[n].language == "en"])
def test_texts_are_well_formed(name):
    for example in every(CORPORA[name].build()):
        text = example.text
        assert text == " ".join(text.split())
        assert not re.search(r"[{}_]| [,.;:!?]|[.,;:?]{2}|!!!|\bthe the\b", text), text
        if dict(example.more)["construction"] not in TYPED:
            assert text[0].isupper(), text
            assert (text[-1] in ".!?") == (name != "headlines"), text
            for mark, follower in re.findall(r"([.!?]) (\w)", text):
                assert not follower.islower(), (mark, text)
        words = re.findall(r"[\w']+", text.lower())
        assert (1 if name == "reviews" else 3) <= len(text.split()) <= 34, text
        for article, word in pairwise(words):
            if article in ("a", "an"):
                an = word[0] in "aeiou" or word in ("hour", "honest")
                an &= not re.match("unif|uniq|unit|univ|use|one|euro", word)
                assert article == ("an" if an else "a"), text


def test_articles_follow_sound_not_spelling():
    assert grammar.polish("a honest man, an useful book, A awful one") == (
        "An honest man, a useful book, An awful one"
    )


@pytest.mark.parametrize("name", NAMES)
def test_showcase_is_held_out_but_made_of_known_words(name):
    corpus = CORPORA[name]
    data = corpus.build()
    known = {w for e in data.train for w in spoken(grammar.normal_form(e.text))}
    trained = {grammar.normal_form(e.text) for e in data.train}
    assert 3 <= len(corpus.showcase) <= 5
    for text in corpus.showcase:
        key = grammar.normal_form(text)
        assert key not in trained
        assert [w for w in spoken(key) if w not in known and not w.isdigit()] == []


def test_spam_uses_reserved_numbers_and_addresses_only():
    texts = " ".join(e.text for e in every(CORPORA["messages"].build()))
    assert all(re.fullmatch(r"555-01\d\d", n) for n in re.findall(r"\d{3}-\d{4}", texts))
    hosts = re.findall(r"[\w.]+\.(?:com|net|org)\b", texts)
    assert hosts
    assert all(re.search(r"\bexample\.(com|net|org)$", host) for host in hosts)


def test_a_corpus_that_cannot_fill_its_count_says_so():
    kind = grammar.Kind("narrow", 3, ("one {word}.",))
    with pytest.raises(RuntimeError, match="narrow"):
        grammar.write({"word": ("a", "b")}, [kind], 1, seed=0)


def test_builders_agree_with_their_registry():
    makers = {
        "reviews": reviews,
        "dianping": dianping,
        "messages": messages,
        "headlines": headlines,
    }
    for name in NAMES:
        corpus = CORPORA[name]
        data = corpus.build()
        assert data is corpus.build()
        assert (data.name, data.head, data.about) == (name, corpus.label_names, corpus.about)
        made = {s.text: (data.head[s.label],) for s in makers[name].sentences()}
        assert made == {e.text: e.answers for e in every(data)}
