"""The corpus `assistant`: one reply to a history, and no shortcut to it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import lru_cache

from advlab.data import assistant
from advlab.data.grammar import normal_form
from advlab.records import Dataset, Example
from advlab.records.turns import turns_of


@lru_cache
def corpus() -> Dataset:
    return assistant.build()


def kind(example: Example) -> str:
    return dict(example.more)["kind"]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def last_turn(example: Example) -> str:
    return turns_of(example.text)[-1].text


def right(guess: dict[str, str], of: object) -> float:
    """The share of the test whose reply is the one that was most frequent for its key in training."""
    assert callable(of)
    return sum(guess.get(of(e)) == e.answer for e in corpus().test) / len(corpus().test)


def most_frequent(of: object) -> dict[str, str]:
    assert callable(of)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for example in corpus().train:
        counts[of(example)][example.answers[0]] += 1
    return {key: found.most_common(1)[0][0] for key, found in counts.items()}


def test_it_is_the_same_everywhere() -> None:
    data = corpus()
    assert data.fingerprint == "76ee76cbc43b"
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8000, 400, 800]
    again = assistant.build.__wrapped__()  # made anew
    assert again.fingerprint == data.fingerprint


def test_its_words_are_few_and_its_histories_many() -> None:
    data = corpus()
    used = {w for e in data.train for w in words(e.text.lower() + " " + e.answers[0])}
    assert len(used) < 200
    for example in (*data.validation, *data.test):
        assert set(words(example.text.lower() + " " + example.answers[0])) <= used
    assert 50 * len(data.train) < 14 * 13 * 7 * 8 + 12 * 7 * 8 * 8 * 100  # tickets and tables alone


def test_no_history_is_in_two_splits_and_each_has_one_reply() -> None:
    seen: dict[str, str] = {}
    data = corpus()
    for part in (data.train, data.validation, data.test):
        for example in part:
            assert seen.setdefault(normal_form(example.text), example.id) == example.id
            assert len(example.answers) == 1
            assert turns_of(example.text)[-1].speaker == "User"


def test_an_eighth_of_the_pairs_of_things_is_met_in_the_test_alone() -> None:
    data = corpus()
    kept = [e for e in data.test if dict(e.more)["held out"] == "yes"]
    assert 150 < len(kept) < 400
    assert {kind(e) for e in kept} >= {"way", "booked", "advice", "corrected"}
    for example in (*data.train, *data.validation):
        assert dict(example.more)["held out"] == "no"
        if kind(example) == "way":
            start, end = re.findall(r"from (\w+) to (\w+)", example.answers[0])[0]
            assert not assistant.held_out(start, end, assistant.PLACES, assistant.PLACES)


def test_no_shortcut_finds_the_reply() -> None:
    """Most frequent reply; by the last turn; by the bag of the last turn's words; by all words."""
    assert corpus().majority < 0.15
    assert right(most_frequent(lambda e: ""), lambda e: "") < 0.15
    assert right(most_frequent(last_turn), last_turn) < 0.4
    bag = lambda e: " ".join(sorted(words(e.text)))  # noqa: E731
    assert right(most_frequent(bag), bag) < 0.2
    fill = lambda e: f"{kind(e)} {last_turn(e)}"  # noqa: E731
    assert right(most_frequent(fill), fill) < 0.45


def test_copying_the_last_value_of_each_slot_fails_on_corrections() -> None:
    """Of each kind of value that the reply holds, the last that the user named."""
    kinds = (assistant.CITIES, assistant.DAYS, assistant.RESTAURANTS)
    hits = []
    for example in corpus().test:
        if kind(example) != "corrected":
            continue
        said = [w for t in turns_of(example.text) if t.speaker == "User" for w in words(t.text)]
        good = True
        for values in kinds:
            wanted = [w for w in words(example.answers[0]) if w in values]
            named = [w for w in said if w in values]
            good &= all(named[-1] == w for w in wanted)
        hits.append(good)
    assert sum(hits) / len(hits) < 0.6


def test_a_way_is_against_its_telling_as_often_as_along_it() -> None:
    """The direction that was told of the place, copied, is right for half of the questions."""
    hits = []
    for example in corpus().test:
        if kind(example) != "way":
            continue
        start, end, way = re.findall(r"from (\w+) to (\w+) go (\w+)", example.answers[0])[0]
        told = dict(re.findall(r"the (\w+) is (\w+) of", example.text))
        hits.append(told.get(start, told.get(end)) == way)
    assert 0.4 < sum(hits) / len(hits) < 0.6
    ways = Counter(e.answers[0].rstrip(".").split()[-1] for e in corpus().test if kind(e) == "way")
    assert max(ways.values()) < 0.35 * sum(ways.values())


def test_an_advice_needs_the_device_that_is_meant() -> None:
    """Where two are broken, the fault named first is the one in about half of the dialogues."""
    hits = []
    for example in corpus().test:
        first = turns_of(example.text)[0].text
        if kind(example) != "advice" or " and my " not in first:
            continue
        fault = next(f for f in sorted(assistant.FAULTS, key=first.find) if f in first)
        hits.append(assistant.FAULTS[fault][0] in example.answers[0])
    assert 0.3 < sum(hits) / len(hits) < 0.7


def test_what_is_shown_first_was_not_learnt_and_holds_known_words_alone() -> None:
    data = corpus()
    learnt = {normal_form(e.text) for e in data.train}
    used = {w for e in data.train for w in words(e.text)}
    for text in assistant.SHOWCASE:
        assert normal_form(text) not in learnt
        assert set(words(text)) <= used
        assert turns_of(text)[-1].speaker == "User"
