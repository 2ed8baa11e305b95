"""The words of `dianping`, read from the text files beside this module.

    words/domains/*.txt   each a kind of things: names, parts, and what praises or blames these
    words/items.txt       things by themselves, for short plain sentences
    words/verdicts.txt    what people say of a whole thing; words/whole.txt: the same after its name
    words/facts.txt       small events; words/groups.txt: adjectives that nouns share

One entry a line, `|` between cells, commas between words. A thing begins with its measure word; `=`
stands before a predicate that is whole: it takes no 很 and no 不. `@service` stands for a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from advlab.data.wordlists import lines, listed


@dataclass(frozen=True)
class Aspect:
    """What can be praised or blamed. `words[0]` blames it, `words[1]` praises it."""

    noun: str
    words: tuple[tuple[str, ...], tuple[str, ...]]  # adjectives
    whole: tuple[tuple[str, ...], tuple[str, ...]]  # predicates that take no adverb


@dataclass(frozen=True)
class Domain:
    """One kind of thing: its names, how one uses it, and its parts."""

    name: str
    kind: str  # whose verdicts suit it: "show", "food", "place", "goods" or "service"
    things: tuple[str, ...]  # each with its measure word before it: 部电影
    use: str  # a verb: 看
    again: str  # 再看一遍
    scenes: tuple[str, ...]  # clauses without an opinion
    aspects: tuple[Aspect, ...]


WORDS = files("advlab.data.dianping") / "words"
GROUPS = {name: listed(words) for name, words in lines(WORDS / "groups.txt")}
LISTS = {name: listed(words) for name, words in lines(WORDS / "lists.txt")}


def _aspect(noun: str, praise: str, blame: str) -> Aspect:
    sides = [
        [w for word in listed(cell) for w in GROUPS.get(word, (word,))] for cell in (blame, praise)
    ]
    blames, praises = ([w for w in side if w[0] != "="] for side in sides)
    bad, good = ([w[1:] for w in side if w[0] == "="] for side in sides)
    return Aspect(noun, (tuple(blames), tuple(praises)), (tuple(bad), tuple(good)))


def _domain(place: Any) -> Domain:
    aspects, told = [], {}
    for cells in lines(place):
        if len(cells) == 3:
            aspects.append(_aspect(*cells))
        else:
            name, _, value = cells[0].partition(": ")
            told[name] = value
    return Domain(
        place.name.removesuffix(".txt"),
        told["kind"],
        listed(told["things"]),
        told["use"],
        told["again"],
        listed(told["scenes"], ";"),
        tuple(aspects),
    )


def _items() -> Iterator[Aspect]:
    for measure, nouns, praise, blame in lines(WORDS / "items.txt"):
        for noun in listed(nouns):
            yield _aspect(measure + noun, praise, blame)


# by name: a folder may be listed in any order
DOMAINS = tuple(
    _domain(place) for place in sorted((WORDS / "domains").iterdir(), key=lambda p: p.name)
)
ITEMS = tuple(_items())
FACTS = tuple((kind, (blame, praise)) for kind, praise, blame in lines(WORDS / "facts.txt"))
VERDICTS = tuple((kind, (blame, praise)) for kind, praise, blame in lines(WORDS / "verdicts.txt"))
WHOLE = tuple((blame, praise) for praise, blame in lines(WORDS / "whole.txt"))
