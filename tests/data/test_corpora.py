"""The built-in corpora: sizes, splits, wording, and that `reviews` needs more than counting words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from advlab.data import grammar, headlines, messages, reviews
from advlab.data.corpora import CORPORA
from advlab.records import Dataset

SIZES = {"reviews": 4080, "messages": 2400, "headlines": 2500}
FINGERPRINTS = {"reviews": "7d3fd26c62e1", "messages": "cf2ecc4c8882", "headlines": "6fdefab756e7"}
NAMES = tuple(SIZES)


def splits(data: Dataset):
    return {"train": data.train, "validation": data.validation, "test": data.test}


def every(data: Dataset):
    return [*data.train, *data.validation, *data.test]


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_distinct_within_and_across_splits_even_without_case_and_punctuation(name):
    data = CORPORA[name].build()
    keys = Counter(grammar.normal_form(e.text) for e in every(data))
    assert len(keys) == SIZES[name]
    assert max(keys.values()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_split_holds_its_share_and_the_same_number_of_each_class(name):
    data = CORPORA[name].build()
    for part, share in {"train": 0.7, "validation": 0.12, "test": 0.18}.items():
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
        "print(*(c.build().fingerprint for c in CORPORA.values()))"
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


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_well_formed(name):
    for example in every(CORPORA[name].build()):
        text = example.text
        assert text == " ".join(text.split())
        assert not re.search(r"[{}_]| [,.;:!?]|[.,;:!?]{2}|\bthe the\b", text), text
        assert text[0].isupper(), text
        assert (text[-1] in ".!?") == (name != "headlines"), text
        for mark, follower in re.findall(r"([.!?]) (\w)", text):
            assert not follower.islower(), (mark, text)
        words = re.findall(r"[\w']+", text.lower())
        assert 3 <= len(text.split()) <= 34, text
        for article, word in pairwise(words):
            if article in ("a", "an"):
                assert article == ("an" if word[0] in "aeiou" else "a"), text


def test_articles_follow_sound_not_spelling():
    assert grammar.polish("a honest man, an useful book, A awful one") == (
        "An honest man, a useful book, An awful one"
    )


def test_verbs_agree_with_their_nouns_in_reviews():
    plural = {a.noun: a.plural for d in reviews.DOMAINS for a in d.aspects}
    pattern = re.compile(rf"\bthe ({'|'.join(plural)}) (was|were|is|are)\b", re.IGNORECASE)
    found = [m for e in every(CORPORA["reviews"].build()) for m in pattern.findall(e.text)]
    assert len(found) > 3000
    for noun, verb in found:
        assert plural[noun.lower()] == (verb in ("were", "are")), (noun, verb)


def test_no_adjective_both_praises_and_blames_one_noun():
    for domain in reviews.DOMAINS:
        for aspect in domain.aspects:
            assert not set(aspect.words[0]) & set(aspect.words[1]), aspect.noun


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bnot\b",
        r"\bnever\b",
        r"\bhardly\b",
        r"\bfar from\b",
        r", but\b",
        r"\balthough\b",
        r"\bdespite\b",
        r"\beven though\b",
        r"\bI expected\b",
        r"\binstead\b",
        r"\bI was told\b",
        r"\bremarkably\b",
        r"\bunlike\b",
        r"\bused to be\b",
        r"\bas \w+ as\b",
        r"\bunpredictable\b",
        r"\bcold\b",
        r"\bthin\b",
        r"\bcheap\b",
        r"\bI (could not|cannot) (wait|stop)\b",
    ],
)
def test_reviews_show_each_turn_of_phrase_in_both_classes(pattern):
    data = CORPORA["reviews"].build()
    found = Counter(e.answer for e in data.train if re.search(pattern, e.text, re.I))
    first, second = (found[name] for name in data.head)
    assert min(first, second) >= 3
    assert 0.15 <= second / (first + second) <= 0.85


def test_contrast_comes_in_both_orders():
    data = CORPORA["reviews"].build()
    texts = [e for e in data.train if ", although" in e.text]
    fronted = [e for e in data.train if e.text.startswith("Although")]
    for group in (texts, fronted):
        assert min(Counter(e.answer for e in group)[name] for name in data.head) >= 20


def test_counting_words_does_not_solve_reviews():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    data = CORPORA["reviews"].build()
    counter = CountVectorizer(token_pattern=r"\w+")
    model = LogisticRegression(max_iter=2000).fit(
        counter.fit_transform([e.text for e in data.train]), [e.answer for e in data.train]
    )
    score = model.score(
        counter.transform([e.text for e in data.test]), [e.answer for e in data.test]
    )
    assert 0.65 < score < 0.86


@pytest.mark.parametrize("name", NAMES)
def test_showcase_is_held_out_but_made_of_known_words(name):
    corpus = CORPORA[name]
    data = corpus.build()
    known = {w for e in data.train for w in grammar.normal_form(e.text).split()}
    trained = {grammar.normal_form(e.text) for e in data.train}
    assert 3 <= len(corpus.showcase) <= 5
    for text in corpus.showcase:
        key = grammar.normal_form(text)
        assert key not in trained
        assert [w for w in key.split() if w not in known and not w.isdigit()] == []


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
    makers = {"reviews": reviews, "messages": messages, "headlines": headlines}
    for name, corpus in CORPORA.items():
        data = corpus.build()
        assert data is corpus.build()
        assert (data.name, data.head, data.about) == (name, corpus.label_names, corpus.about)
        made = {s.text: (data.head[s.label],) for s in makers[name].sentences()}
        assert made == {e.text: e.answers for e in every(data)}
