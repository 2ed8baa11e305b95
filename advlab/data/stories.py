"""Stories: three to five short sentences, and a question whose answer is a part of them, or is missing.

A story is a list of facts (a kind with its parts: who, what, whom, where, when, price), told in the
order in which they happened. Few people, things and places are used again and again on purpose, so that
every asked fact has a rival: another fact of its kind that shares a part with the question and not the
answer. A third of the questions needs two facts: the first or last of several, or one fact to find the
other. Some have no answer: one part of the question is exchanged, and no fact fits any more. Questions
use other verbs than stories do.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from advlab.language import N_
from advlab.records import Dataset, Example
from advlab.records.examples import NO_ANSWER

T = TypeVar("T")

PEOPLE = (
    *("Ada", "Basil", "Cleo", "Darius", "Edith", "Farid", "Gwen", "Hana", "Idris", "Judith"),
    *("Kofi", "Lotte", "Miguel", "Nele", "Olga", "Priya", "Quinn", "Ruben", "Saskia", "Tariq"),
)
THINGS = (
    *("anchor", "atlas", "banjo", "barrel", "bicycle", "camera", "carpet", "chess set", "cloak"),
    *("drum", "fiddle", "globe", "helmet", "kite", "ladder", "lamp", "mirror", "parcel", "pump"),
    *("radio", "sledge", "stove", "teapot", "tent", "trunk", "vase"),
)
PLACES = (
    *("attic", "bakery", "barn", "castle", "cellar", "chapel", "forge", "garden", "harbour"),
    *("inn", "library", "market", "mill", "museum", "orchard", "stable", "theatre", "tower"),
)
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
PRICES = tuple(
    f"{n} coins"
    for n in ["two", "four", "six", "eight", "ten", "twelve", "fifteen", "thirty", "sixty"]
)

FORMS: dict[str, tuple[str, ...]] = {
    "carry": (
        "{who} carried {what} to {where} {when}.",
        "{when}, {who} took {what} to {where}.",
        "{what} was brought to {where} by {who} {when}.",
    ),
    "give": (
        "{who} gave {what} to {whom} {when}.",
        "{when}, {who} gave {whom} {what}.",
        "{whom} got {what} from {who} {when}.",
    ),
    "visit": (
        "{who} visited {whom} in {where} {when}.",
        "{when}, {who} visited {whom} in {where}.",
        "in {where}, {who} visited {whom} {when}.",
    ),
    "buy": (
        "{who} bought {what} in {where} for {price}.",
        "{who} paid {price} for {what} in {where}.",
        "{what} was bought by {who} in {where} for {price}.",
    ),
}
SLOT = re.compile(r"\{(\w+)\}")
PARTS = {kind: tuple(SLOT.findall(forms[0])) for kind, forms in FORMS.items()}
BEFORE = {"what": "the ", "where": "the ", "when": "in "}  # what stands before a part's own words

# kind -> what is asked for, and the question, whose slots are the parts that are told
QUESTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "carry": (
        ("where", "Where did {who} move {what}?"),
        ("who", "Who moved {what} to {where}?"),
        ("what", "What did {who} move to {where}?"),
        ("when", "When did {who} move {what}?"),
    ),
    "give": (
        ("whom", "To whom did {who} hand {what}?"),
        ("who", "Who handed {what} to {whom}?"),
        ("what", "What did {who} hand to {whom}?"),
        ("when", "When was {what} handed to {whom}?"),
    ),
    "visit": (
        ("whom", "Whom did {who} see in {where}?"),
        ("who", "Who saw {whom} in {where}?"),
        ("where", "Where did {who} see {whom}?"),
        ("when", "When did {who} see {whom}?"),
    ),
    "buy": (
        ("price", "How much did {who} spend on {what}?"),
        ("where", "Where did {who} purchase {what}?"),
        ("what", "What did {who} purchase in {where}?"),
        ("who", "Who purchased {what} in {where}?"),
    ),
}
SHARES = {"one": 0.62, "two": 0.33, "none": 0.05}  # of the questions, by the facts they need
SPLIT = {"train": 10_000, "validation": 400, "test": 600}
UNSEEN = 9  # one of so many pairs of a person and a thing is never together in a training story


@dataclass(frozen=True)
class Fact:
    """What happened: a kind with its parts, by name."""

    kind: str
    parts: dict[str, str]

    def fits(self, kind: str, told: dict[str, str]) -> bool:
        """Whether it is of that kind and has these parts."""
        return self.kind == kind and all(self.parts[name] == value for name, value in told.items())


@dataclass(frozen=True)
class Asked:
    """A question about some facts; `answer` is (place of the fact, its part), None: there is none."""

    words: str
    construction: str
    part: str  # that is asked for
    answer: tuple[int, str] | None
    facts: tuple[int, ...]  # that are needed, by place


def pick(options: Sequence[T], dice: random.Random) -> T:
    """One at random, by the only method of `random` whose sequence is promised."""
    return options[int(dice.random() * len(options))]


def some(options: Sequence[T], count: int, dice: random.Random) -> list[T]:
    """So many different ones at random."""
    left, found = list(options), []
    for _ in range(count):
        found.append(left.pop(int(dice.random() * len(left))))
    return found


def facts_of(mostly: Sequence[str], dice: random.Random) -> list[Fact]:
    """Three to five facts, most of the kinds that are named, of few people, things and places."""
    count = 3 + int(dice.random() * 3)
    mostly = mostly if len(mostly) > 1 else (*mostly, pick(list(FORMS), dice))
    months = sorted(some(MONTHS, count, dice), key=MONTHS.index)
    pools = {
        "who": some(PEOPLE, 3 + int(dice.random() * 2), dice),
        "what": some(THINGS, 3 + int(dice.random() * 2), dice),
        "where": some(PLACES, 3 + int(dice.random() * 3), dice),
        "price": some(PRICES, 3, dice),
    }
    pools["whom"] = pools["who"]
    facts = []
    for month in months:
        kind = pick(mostly, dice) if dice.random() < 0.75 else pick(list(FORMS), dice)
        parts = {name: pick(pools.get(name, [month]), dice) for name in PARTS[kind]}
        while parts.get("whom") == parts["who"]:
            parts["whom"] = pick(pools["whom"], dice)
        facts.append(Fact(kind, parts))
    return facts


def filled(form: str, parts: dict[str, str]) -> tuple[str, dict[str, int]]:
    """A sentence with its slots filled, and where each part's own words begin in it."""
    text, places, done = "", {}, 0
    for slot in SLOT.finditer(form):
        text += form[done : slot.start()] + BEFORE.get(slot[1], "")
        places[slot[1]] = len(text)
        text, done = text + parts[slot[1]], slot.end()
    text += form[done:]
    return text[0].upper() + text[1:], places


# ---- questions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class One:
    """A question that one fact answers; `missing`: one of its parts is exchanged, and none does."""

    kind: str
    part: str  # that is asked for
    form: str
    missing: bool = False

    @property
    def mostly(self) -> tuple[str, ...]:
        """The kinds of which most of the story is made."""
        return (self.kind,)

    def ask(self, facts: Sequence[Fact], dice: random.Random) -> Asked | None:
        """About one of the facts; None where it would not be fair."""
        place = pick(range(len(facts)), dice)
        fact = facts[place]
        if fact.kind != self.kind:
            return None
        told = {name: fact.parts[name] for name in SLOT.findall(self.form)}
        if self.missing:
            name = pick(list(told), dice)
            told[name] = pick([f.parts[name] for f in facts if name in f.parts], dice)
            if told.get("who", "") == told.get("whom", "nobody") or _fitting(
                facts, self.kind, told
            ):
                return None
            return Asked(filled(self.form, told)[0], f"no answer: {self.part}", self.part, None, ())
        if len(_fitting(facts, self.kind, told)) > 1 or not self._rivalled(facts, fact, told):
            return None
        words = filled(self.form, told)[0]
        return Asked(words, f"one fact: {self.part}", self.part, (place, self.part), (place,))

    def _rivalled(self, facts: Sequence[Fact], asked: Fact, told: dict[str, str]) -> bool:
        """Whether another fact of the kind shares a told part with this one, and not the answer."""
        return any(
            fact.kind == self.kind
            and fact.parts[self.part] != asked.parts[self.part]
            and any(fact.parts[name] == value for name, value in told.items())
            for fact in facts
        )


@dataclass(frozen=True)
class Ordered:
    """Which of several facts about one person or thing was the first, or the last."""

    kind: str
    key: str  # what they have in common
    part: str
    form: str
    last: bool

    @property
    def mostly(self) -> tuple[str, ...]:
        """The kinds of which most of the story is made."""
        return (self.kind,)

    def ask(self, facts: Sequence[Fact], dice: random.Random) -> Asked | None:
        """About some of the facts; None where there are no two that differ."""
        told = {self.key: pick(facts, dice).parts.get(self.key, "")}
        places = _fitting(facts, self.kind, told)
        if not places or len({facts[places[k]].parts[self.part] for k in (0, -1)}) < 2:
            return None
        place = places[-1 if self.last else 0]
        words, which = filled(self.form, told)[0], "last" if self.last else "first"
        needed = (places[0], places[-1])
        return Asked(words, f"two facts: {which}", self.part, (place, self.part), needed)


@dataclass(frozen=True)
class Bridge:
    """One fact says whom or what the other one is about."""

    first: str  # the kind of the fact that is told by `told` and finds `found`
    told: str
    found: str
    second: str  # the kind of the fact with what was found as its `key`
    key: str
    part: str
    form: str

    @property
    def mostly(self) -> tuple[str, ...]:
        """The kinds of which most of the story is made."""
        return (self.first, self.second)

    def ask(self, facts: Sequence[Fact], dice: random.Random) -> Asked | None:
        """About two of the facts; None where either is not the only one, or has no rival."""
        told = {self.told: pick(facts, dice).parts.get(self.told, "")}
        ones = _fitting(facts, self.first, told)
        if len(ones) != 1:
            return None
        twos = _fitting(facts, self.second, {self.key: facts[ones[0]].parts[self.found]})
        if len(twos) != 1:
            return None
        answer = facts[twos[0]].parts[self.part]
        if not any(f.kind == self.second and f.parts[self.part] != answer for f in facts):
            return None
        needed = (ones[0], twos[0])
        words = filled(self.form, told)[0]
        return Asked(words, "two facts: bridge", self.part, (twos[0], self.part), needed)


def _fitting(facts: Sequence[Fact], kind: str, told: dict[str, str]) -> list[int]:
    """The places of the facts of a kind that have these parts."""
    return [i for i, fact in enumerate(facts) if fact.fits(kind, told)]


def _candidates(facts: Sequence[Fact], part: str) -> int:
    """How many different answers of a part's type the story has; people are of one type."""
    names = ("who", "whom") if part in ("who", "whom") else (part,)
    return len({fact.parts[name] for fact in facts for name in names if name in fact.parts})


Plan = One | Ordered | Bridge
PLANS: Mapping[str, tuple[Plan, ...]] = {
    needs: tuple(
        One(kind, part, form, needs == "none")
        for kind, questions in QUESTIONS.items()
        for part, form in questions
    )
    for needs in ("one", "none")
} | {
    "two": (
        *(
            Ordered("carry", "what", "where", f"Where did {{what}} go {which}?", which == "last")
            for which in 2 * ("first", "last")
        ),
        *(
            Ordered("visit", "who", "whom", f"Whom did {{who}} see {which}?", which == "last")
            for which in 2 * ("first", "last")
        ),
        Bridge("buy", "what", "who", "visit", "who", "whom", "Whom did the buyer of {what} see?"),
        Bridge(
            "buy", "who", "what", "carry", "what", "where", "Where did the purchase of {who} go?"
        ),
    )
}


# ---- examples -----------------------------------------------------------------------------------


def unseen(facts: Sequence[Fact]) -> bool:
    """Whether the story has a pair of a person and a thing that training stories lack."""
    return any(
        (PEOPLE.index(f.parts["who"]) + 3 * THINGS.index(f.parts["what"])) % UNSEEN == 0
        for f in facts
        if "what" in f.parts
    )


Story = tuple[str, list[Fact], list[dict[str, int]], Asked]


def write(plan: Plan, dice: random.Random) -> Story:
    """A story, its facts, where their parts stand in it, and a question of the plan."""
    while True:
        facts = facts_of(plan.mostly, dice)
        for _ in range(6):
            asked = plan.ask(facts, dice)
            if asked and _candidates(facts, plan.part) >= 3:
                text, places = told(facts, dice)
                return text, facts, places, asked


def told(facts: Sequence[Fact], dice: random.Random) -> tuple[str, list[dict[str, int]]]:
    """The facts as sentences, and where the parts of each begin in the text."""
    text, places = "", []
    for fact in facts:
        sentence, at = filled(pick(FORMS[fact.kind], dice), fact.parts)
        places.append({name: len(text) + start for name, start in at.items()})
        text += sentence + " "
    return text.rstrip(), places


def _example(name: str, story: Story) -> Example:
    text, facts, places, asked = story
    answer, place = NO_ANSWER, None
    if asked.answer:
        fact, part = asked.answer
        answer, place = facts[fact].parts[part], places[fact][part]
    more = (
        ("construction", asked.construction),
        ("asked for", asked.part),
        ("supporting sentences", " ".join(str(i + 1) for i in asked.facts)),
        ("person with thing", "new" if unseen(facts) else "seen"),
    )
    return Example(name, text, (answer,), asked.words, place, more)


def _needs(dice: random.Random) -> str:
    """How many facts the next question needs."""
    throw = dice.random()
    for needs, share in SHARES.items():
        throw -= share
        if throw < 0:
            return needs
    return next(iter(SHARES))


@functools.cache
def dataset(seed: int = 14) -> Dataset:
    """The built-in questions. Training stories lack one in nine pairs of a person and a thing."""
    dice = random.Random(seed)
    seen: set[tuple[str, str]] = set()
    splits: dict[str, tuple[Example, ...]] = {}
    for split, count in SPLIT.items():
        found: list[Example] = []
        while len(found) < count:
            story = write(pick(PLANS[_needs(dice)], dice), dice)
            key = (story[0], story[3].words)
            if key in seen or (split == "train" and unseen(story[1])):
                continue
            seen.add(key)
            found.append(_example(f"stories-{split}-{len(found) + 1}", story))
        splits[split] = tuple(found)
    train, validation, test = (splits[part] for part in ("train", "validation", "test"))
    return Dataset("stories", (), train, validation, test, about=ABOUT)


ABOUT = N_(
    "11,000 invented stories of three to five sentences, each with a question. Every asked fact has a "
    "rival that shares a name with it; a third of the questions needs two facts, and one in twenty has "
    "no answer."
)
