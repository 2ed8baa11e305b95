"""Short talks with an assistant who books, shows the way and mends: a built-in corpus for dialogue.

A history ends with the user's turn, and one reply is right. It can be told neither from the last turn
alone nor from which words occur: a correction may name the new value before or after the old one, two
slots take the same words (“for four people”, “at four”), a way may be asked against the direction in
which it was told, and two devices may be broken of which one is meant. Written for advlab.

Pairs of things (a restaurant and a day, two cities, two places of a map, a device and its fault) are
held out: an eighth of them occurs in the test split alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from advlab.data.grammar import normal_form, shuffled
from advlab.language import N_
from advlab.records import Dataset, Example
from advlab.records.turns import written

T = TypeVar("T")
SIZES = {"train": 8000, "validation": 400, "test": 800}
ABOUT = N_(
    "9,200 invented talks with an assistant who books tables, tickets and rooms, shows the way and "
    "mends devices, in some 200 words. Users correct themselves, ask for the way back, and have two "
    "things broken at once: neither the last value nor the last turn tells the reply."
)

RESTAURANTS = (
    *("rosa", "milano", "lotus", "pepper", "olive", "saffron"),
    *("bamboo", "anchor", "cedar", "basil", "coral", "amber"),
)
CITIES = (
    *("bern", "oslo", "lyon", "graz", "turin", "ghent", "cork"),
    *("bath", "porto", "split", "basel", "leeds", "york", "bonn"),
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine")
PLACES = (
    *("station", "museum", "park", "bakery", "library", "school"),
    *("market", "church", "bridge", "theatre", "harbour", "pool"),
)
INVERSE = {"north": "south", "south": "north", "east": "west", "west": "east"}
DEVICES = ("phone", "laptop", "printer", "router", "camera", "tablet", "screen", "speaker")
FAULTS = {  # what is wrong: what to try first, what to try then
    "does not start": ("hold the power button", "charge"),
    "is very slow": ("close all programs", "restart"),
    "makes a noise": ("clean the fan", "turn down"),
    "has no network": ("check the cable", "restart"),
    "shows no picture": ("install the update", "reset"),
    "is too hot": ("open a window", "turn off"),
    "lost my files": ("look in the bin", "restore"),
    "is too loud": ("lower the volume", "reset"),
}


@dataclass(frozen=True)
class Slot:
    """What a booking must know: how it is asked for, how it is told, and its values."""

    question: str
    told: str
    values: Sequence[str]


@dataclass(frozen=True)
class Booking:
    """Something that can be booked: how it is asked for, its slots in the order they are asked."""

    wish: str
    slots: tuple[str, ...]
    done: str
    pair: tuple[str, str]  # slots whose values may be a held-out pair


SLOTS = {
    "restaurant": Slot("at which restaurant?", "at the {}", RESTAURANTS),
    "people": Slot("for how many people?", "for {} people", NUMBERS),
    "nights": Slot("for how many nights?", "for {} nights", NUMBERS),
    "day": Slot("on which day?", "on {}", DAYS),
    "hour": Slot("at what time?", "at {}", NUMBERS),
    "from": Slot("from which city?", "from {}", CITIES),
    "to": Slot("to which city?", "to {}", CITIES),
    "city": Slot("in which city?", "in {}", CITIES),
}
BOOKINGS = (
    Booking(
        "i would like a table",
        ("restaurant", "people", "day", "hour"),
        "your table {} is booked.",
        ("restaurant", "day"),
    ),
    Booking(
        "i need a ticket",
        ("from", "to", "day", "hour"),
        "your ticket {} is booked.",
        ("from", "to"),
    ),
    Booking(
        "i am looking for a room",
        ("city", "people", "nights", "day"),
        "your room {} is booked.",
        ("city", "day"),
    ),
)


@dataclass
class Talk:
    """A dialogue in the making: turns by user and assistant in alternation, the user's first."""

    rng: random.Random
    turns: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)  # of each reply
    rare: list[bool] = field(
        default_factory=list
    )  # of each reply: a held-out pair was said by then

    def pick(self, options: Sequence[str]) -> str:
        """One of them."""
        return options[int(self.rng.random() * len(options))]

    def some(self, options: Sequence[T], n: int) -> list[T]:
        """`n` different ones, in a random order."""
        return shuffled(options, self.rng)[:n]

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return self.rng.random() < p

    def say(self, user: str, reply: str, kind: str, rare: bool = False) -> None:
        """A turn of the user and the reply to it."""
        self.turns += [user, reply]
        self.kinds.append(kind)
        self.rare.append(rare or any(self.rare))


def held_out(one: str, other: str, among: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a pair occurs in the test split alone: an eighth of all pairs, in every row."""
    return (3 * list(among).index(one) + 5 * list(others).index(other)) % 8 == 0


# ---- booking ------------------------------------------------------------------------------------


def booking(talk: Talk) -> None:
    """A table, a ticket or a room: what is missing is asked for, and what is wrong corrected."""
    made = BOOKINGS[int(talk.rng.random() * len(BOOKINGS))]
    values = {}
    for name in made.slots:  # no city twice
        values[name] = talk.pick([v for v in SLOTS[name].values if v not in values.values()])

    def told(names: Sequence[str]) -> str:
        return " ".join(SLOTS[name].told.format(values[name]) for name in names)

    def rare() -> bool:
        one, other = made.pair
        return held_out(values[one], values[other], SLOTS[one].values, SLOTS[other].values)

    known = set(talk.some(made.slots, int(talk.rng.random() * 4)))
    opening = " ".join([made.wish, told(shuffled(sorted(known), talk.rng))]).strip() + "."
    user = talk.pick(("", "hello, ")) + opening
    while len(known) < len(made.slots):
        name = next(n for n in made.slots if n not in known)
        talk.say(user, SLOTS[name].question, "question")
        known.add(name)
        user = talk.pick((told([name]) + ".", f"{values[name]}, please."))
        rest = [n for n in made.slots if n not in known]
        if rest and talk.chance(0.3):
            also = talk.pick(rest)
            known.add(also)
            user = f"{told([name])} and {told([also])}."
    talk.say(user, made.done.format(told(made.slots)), "booked", rare())
    for _ in range(int(talk.rng.random() * 3)):
        name = talk.pick(made.slots)
        old = values[name]
        values[name] = talk.pick([v for v in SLOTS[name].values if v not in values.values()])
        new, was = told([name]), SLOTS[name].told.format(old)
        user = talk.pick((f"sorry, {new}.", f"not {was} but {new}.", f"{new}, not {was}."))
        talk.say(user, made.done.format(told(made.slots)), "corrected", rare())
    if talk.chance(0.3):
        seen = "day" if "day" in values else "hour"
        talk.say("thank you.", f"you are welcome, see you {told([seen])}.", "thanks")


# ---- directions ---------------------------------------------------------------------------------


def directions(talk: Talk) -> None:
    """Three places around a landmark; the way is asked as it was told, or against it."""
    mark, *places = talk.some(PLACES, 4)
    facts = [(place, talk.pick(sorted(INVERSE))) for place in places]
    told = " ".join(f"the {place} is {way} of the {mark}." for place, way in facts)
    talk.say(told, "thank you, where do you want to go?", "map")
    for place, way in talk.some(facts, 1 + int(talk.rng.random() * 3)):
        start, end = mark, place
        if talk.chance(0.5):
            start, end, way = place, mark, INVERSE[way]
        ask = talk.pick((f"from the {start} to the {end}.", f"to the {end} from the {start}."))
        rare = held_out(start, end, PLACES, PLACES)
        talk.say(ask, f"from {start} to {end} go {way}.", "way", rare)
        if talk.chance(0.2):
            reply = f"from {end} to {start} go {INVERSE[way]}."
            talk.say("and back?", reply, "way back", held_out(end, start, PLACES, PLACES))


# ---- support ------------------------------------------------------------------------------------


def support(talk: Talk) -> None:
    """One or two broken devices, of which the user chooses one; a second advice if the first fails."""
    devices, faults = talk.some(DEVICES, 2), talk.some(sorted(FAULTS), 2)
    first, second = devices
    at = 0
    if talk.chance(0.6):
        at = int(talk.rng.random() * 2)
        user = f"my {first} {faults[0]} and my {second} {faults[1]}."
        talk.say(user, f"which one first, the {first} or the {second}?", "which")
        user = talk.pick((f"the {devices[at]}.", f"the {devices[at]}, please."))
    else:
        user = talk.pick(("", "hello, ")) + f"my {first} {faults[0]}."
    device, fault = devices[at], faults[at]
    rare = held_out(device, fault, DEVICES, sorted(FAULTS))
    talk.say(user, f"for the {device} please {FAULTS[fault][0]}.", "advice", rare)
    if talk.chance(0.5):
        reply = f"then please {FAULTS[fault][1]} the {device}."
        talk.say(talk.pick(("that did not help.", "it still does that.")), reply, "second advice")
    talk.say("it works now.", f"i am glad that the {device} works.", "glad")


# worth exploring first: histories that are in no split
SHOWCASE = tuple(
    written(turns)
    for turns in (
        (
            "i need a ticket to cork at four.",
            "from which city?",
            "from bern and on monday.",
            "your ticket from bern to cork on monday at four is booked.",
            "to lyon, not to cork.",
        ),
        (
            "the museum is north of the station. the park is west of the station. "
            "the pool is north of the station.",
            "thank you, where do you want to go?",
            "from the park to the station.",
        ),
        (
            "my printer makes a noise and my camera is too hot.",
            "which one first, the printer or the camera?",
            "the camera, please.",
        ),
        ("hello, i would like a table at the lotus for four people.",),
    )
)

# ---- the corpus ---------------------------------------------------------------------------------

TALKS: tuple[Callable[[Talk], None], ...] = (booking, directions, support, booking, directions)


def examples(seed: int) -> dict[str, list[Example]]:
    """Each split's examples; no history is in two of them, and no held-out pair outside the test."""
    rng = random.Random(seed)
    made: dict[str, list[Example]] = {part: [] for part in SIZES}
    seen: set[str] = set()
    while any(len(made[part]) < size for part, size in SIZES.items()):
        talk = Talk(rng)
        TALKS[int(rng.random() * len(TALKS))](talk)
        at = int(rng.random() * len(talk.kinds))
        text, place = written(talk.turns[: 2 * at + 1]), rng.random()
        if (key := normal_form(text)) in seen:
            continue
        seen.add(key)
        part = "train" if place < 0.87 else "validation" if place < 0.91 else "test"
        if any(talk.rare):
            part = "test"
        if len(made[part]) < SIZES[part]:
            more = (("kind", talk.kinds[at]), ("held out", "yes" if talk.rare[at] else "no"))
            name = f"assistant-{part}-{len(made[part]) + 1}"
            made[part].append(Example(name, text, (talk.turns[2 * at + 1],), more=more))
    return made


@cache
def build(seed: int = 5) -> Dataset:
    """The corpus."""
    made = examples(seed)
    return Dataset(
        "assistant",
        (),
        tuple(made["train"]),
        tuple(made["validation"]),
        tuple(made["test"]),
        about=ABOUT,
    )
