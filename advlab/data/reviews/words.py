"""The words of `reviews`, read from the text files beside this module.

    words/domains/*.txt   each a kind of things: names, parts, and what praises or blames these
    words/items.txt       things by themselves, for short plain sentences
    words/verdicts.txt    what people say of a whole thing; words/facts.txt: small events
    words/scenes.txt      sentences without an opinion, made of words/lists.txt
    words/groups.txt      adjectives that nouns share

One entry a line, `|` between cells, commas between words. A noun ends with `*` where it is plural,
with `~` where it takes no "a", with `^` where it is a person; `@taste` stands for a group's adjectives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from advlab.data.wordlists import lines, listed


@dataclass(frozen=True)
class Aspect:
    """A noun that can be praised or blamed. `words[0]` blames it, `words[1]` praises it."""

    noun: str
    plural: bool
    mass: bool  # takes no "a"
    words: tuple[tuple[str, ...], tuple[str, ...]]
    person: bool = False
    before: tuple[str, ...] = ("the",)  # "the", "my", …; "" for a noun that stands alone


@dataclass(frozen=True)
class Domain:
    """One kind of thing: its names, how one uses it, and its parts."""

    name: str
    kind: str  # whose verdicts suit it: "event", "goods", "place" or "food"
    things: tuple[str, ...]
    again: str  # "I would ..."
    used: str  # "the last one we ..."
    scenes: tuple[str, ...]  # sentences without an opinion
    aspects: tuple[Aspect, ...]


WORDS = files("advlab.data.reviews") / "words"
GROUPS = {name: listed(words) for name, words in lines(WORDS / "groups.txt")}
LISTS = {name: listed(words) for name, words in lines(WORDS / "lists.txt")}


def _adjectives(cell: str) -> tuple[str, ...]:
    found = [w for word in listed(cell) for w in GROUPS.get(word, (word,))]
    return tuple(dict.fromkeys(found))


def _aspect(noun: str, praise: str, blame: str, before: tuple[str, ...] = ("the",)) -> Aspect:
    plural, mass = noun.endswith("*"), noun.endswith(("*", "~"))
    words = (_adjectives(blame), _adjectives(praise))
    return Aspect(noun.rstrip("*~^"), plural, mass, words, noun.endswith("^"), before)


def _domain(place: Any) -> Domain:
    aspects, facts = [], {}
    for cells in lines(place):
        if len(cells) == 3:
            noun, praise, blame = cells
            aspects.append(_aspect(noun, praise, blame))
        else:
            name, _, value = cells[0].partition(": ")
            facts[name] = value
    return Domain(
        place.name.removesuffix(".txt"),
        facts["kind"],
        listed(facts["things"]),
        facts["again"],
        facts["used"],
        listed(facts["scenes"], ";"),
        tuple(aspects),
    )


def _items() -> Iterator[Aspect]:
    for before, nouns, praise, blame in lines(WORDS / "items.txt"):
        places = ("",) if before == "-" else listed(before)
        for noun in listed(nouns):
            yield _aspect(noun, praise, blame, places)


# by name: a folder may be listed in any order
DOMAINS = tuple(
    _domain(place) for place in sorted((WORDS / "domains").iterdir(), key=lambda p: p.name)
)
ITEMS = tuple(_items())
FACTS = tuple((blame, praise) for praise, blame in lines(WORDS / "facts.txt"))
SCENES = tuple(cells[0] for cells in lines(WORDS / "scenes.txt"))
VERDICTS = tuple((kind, (blame, praise)) for kind, praise, blame in lines(WORDS / "verdicts.txt"))
