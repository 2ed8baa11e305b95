from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

import pytest

from advlab.data import assistant
from advlab.data.assistant import FAULTS, INVERSE, SLOTS
from advlab.data.assistant_edits import EDITS, contrasts
from advlab.data.corpora import CORPORA
from advlab.records.contrasts import Contrast
from advlab.records.turns import turns_of

CHANGING = ("value", "direction", "fault")


@lru_cache
def made() -> tuple[Contrast, ...]:
    return tuple(contrasts(assistant.build().test[:300]))


def of(edit: str) -> list[Contrast]:
    return [c for c in made() if c.edit == edit]


def solved(text: str, reply: str) -> str | None:
    """The way that the facts of a history tell for the places of a reply."""
    facts = re.findall(r"the (\w+) is (\w+) of the (\w+)\.", text)
    asked = re.fullmatch(r"from (\w+) to (\w+) go (\w+)\.", reply)
    assert asked
    for place, way, mark in facts:
        if (asked[1], asked[2]) == (mark, place):
            return way
        if (asked[1], asked[2]) == (place, mark):
            return INVERSE[way]
    return None


def test_every_edit_is_made_and_changes_the_text() -> None:
    counts = Counter(c.edit for c in made())
    assert set(counts) == set(EDITS)
    assert min(counts.values()) >= 3
    for c in made():
        assert c.after.text != c.before.text
        assert c.changes == (c.edit in CHANGING)
        assert c.before.more == c.after.more


def test_the_words_are_those_of_the_corpus() -> None:
    data = assistant.build()
    known = {w for e in data.train for w in re.findall(r"\w+", f"{e.text} {e.answer}")}
    told = {w for c in made() for w in re.findall(r"\w+", f"{c.after.text} {c.after.answer}")}
    assert told <= known


def test_a_value_is_gone_everywhere_and_the_new_one_stands_in_its_places() -> None:
    for c in of("value"):
        before, after = c.before.text.split(), c.after.text.split()
        pairs = {(a, b) for a, b in zip(before, after, strict=True) if a != b}
        words = {(a.strip(".,"), b.strip(".,")) for a, b in pairs}
        assert len(words) == 1
        old, new = words.pop()
        assert not re.search(rf"\b{old}\b", c.after.text)
        assert not re.search(rf"\b{new}\b", c.before.text)
        assert any(old in s.values and new in s.values for s in SLOTS.values())
        assert c.before.answer is not None
        assert re.sub(rf"\b{old}\b", new, c.before.answer) == c.after.answer


def test_a_direction_is_right_before_and_after_and_in_every_turn_told() -> None:
    assert len(of("direction")) > 20
    for c in of("direction"):
        for side in (c.before, c.after):
            replies = [t.text for t in turns_of(side.text) if t.text.startswith("from ")]
            replies = [t for t in replies if " go " in t]
            for reply in [*replies, side.answer or ""]:
                assert reply.endswith(f"go {solved(side.text, reply)}.")


def test_another_fault_has_another_advice() -> None:
    for c in of("fault"):
        for side in (c.before, c.after):
            reply = side.answer or ""
            device = re.search(r"the (\w+)", reply)
            assert device
            fault = next(f for f in FAULTS if f"my {device[1]} {f}" in side.text)
            first, second = FAULTS[fault]
            then = reply.startswith("then")
            assert (f"please {second} the" if then else f"please {first}.") in reply
            if then:
                assert f"please {first}." in side.text


@pytest.mark.parametrize("edit", ["greeting", "please", "order", "wording"])
def test_what_keeps_the_reply_is_undone_by_doing_it_again(edit: str) -> None:
    from random import Random

    for c in of(edit):
        again = EDITS[edit](c.after, Random(0))
        assert again == (c.before.text, c.before.answer)


def test_edits_come_with_the_corpus_and_are_the_same_each_time() -> None:
    some = assistant.build().test[:40]
    assert CORPORA["assistant"].contrasts is not None
    assert CORPORA["assistant"].contrasts(some) == contrasts(some) == contrasts(some, seed=0)
    assert contrasts(some, seed=1) != contrasts(some)
