"""Edits of the built-in talks whose right replies are known: some change the reply, others do not.

    changing   the value of a slot, everywhere it is said; the direction of the place that is asked for;
               the fault of the device that is advised on
    keeping    a greeting or a “please” more or less, the way asked in the other order, another wording
               of “that did not help”

Every edited history is one that the grammar could have told.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from advlab.data.assistant import BOOKINGS, DEVICES, FAULTS, INVERSE, SLOTS
from advlab.records import Example
from advlab.records.contrasts import Contrast

WAY = re.compile(r"from (\w+) to (\w+) go (\w+)\.")  # a reply
FACT = re.compile(r"the (\w+) is (north|south|east|west) of the (\w+)\.")
OPENINGS = (*(b.wish for b in BOOKINGS), "my ")
Edit = Callable[[Example, random.Random], tuple[str, str] | None]  # the new text and reply


def contrasts(examples: Sequence[Example], seed: int = 0) -> list[Contrast]:
    """Every edit of every example that it fits, in the order of the examples."""
    dice = random.Random(seed)
    return [contrast for example in examples for contrast in _of(example, dice)]


def _of(example: Example, dice: random.Random) -> Iterator[Contrast]:
    for name, edit in EDITS.items():
        found = edit(example, dice)
        if found is not None and found[0] != example.text:
            text, reply = found
            after = replace(example, id=f"{example.id}: {name}", text=text, answers=(reply,))
            yield Contrast(example, after, name)


# ---- edits that change the reply -----------------------------------------------------------------


def value(example: Example, dice: random.Random) -> tuple[str, str] | None:
    """Another value of a slot that the reply tells, wherever it stands."""
    reply = example.answer or ""
    told = [
        (slot, v)
        for slot in SLOTS.values()
        for v in slot.values
        if f"{slot.told.format(v)} " in f"{reply[:-1]} " and _says(example.text, v)
    ]
    if not reply.startswith(("your ", "you are welcome")) or not told:
        return None
    slot, old = dice.choice(told)
    free = [v for v in slot.values if not _says(f"{example.text} {reply}", v)]
    if not free:
        return None
    new = dice.choice(free)
    return _swapped(example.text, old, new), _swapped(reply, old, new)


def direction(example: Example, dice: random.Random) -> tuple[str, str] | None:
    """The asked place lies elsewhere; ways between it and the landmark told before change along."""
    asked = WAY.fullmatch(example.answer or "")
    if not asked:
        return None
    pair = {asked[1], asked[2]}
    fact = next((f for f in FACT.finditer(example.text) if {f[1], f[3]} == pair), None)
    if fact is None:
        return None
    place, landmark = fact[1], fact[3]
    way = dice.choice([w for w in sorted(INVERSE) if w != fact[2]])

    def again(told: re.Match[str]) -> str:
        if {told[1], told[2]} != pair:
            return told[0]
        return f"from {told[1]} to {told[2]} go {way if told[2] == place else INVERSE[way]}."

    moved = f"the {place} is {way} of the {landmark}."
    text = example.text.replace(fact[0], moved, 1)
    return WAY.sub(again, text), WAY.sub(again, asked[0])


def fault(example: Example, dice: random.Random) -> tuple[str, str] | None:
    """Something else is wrong with the device that is advised on."""
    reply = example.answer or ""
    device = next((d for d in DEVICES if f"the {d} please " in reply or f" the {d}." in reply), "")
    old = next((f for f in FAULTS if device and f"my {device} {f}" in example.text), None)
    advised = "please" in reply
    if old is None or not advised:
        return None
    step = 1 if reply.startswith("then ") else 0
    others = [f for f in FAULTS if f not in example.text and FAULTS[f][step] != FAULTS[old][step]]
    new = dice.choice(others)
    text = example.text.replace(f"my {device} {old}", f"my {device} {new}")
    text = text.replace(
        f"for the {device} please {FAULTS[old][0]}.", f"for the {device} please {FAULTS[new][0]}."
    )
    return text, reply.replace(FAULTS[old][step], FAULTS[new][step])


# ---- edits that change nothing ------------------------------------------------------------------


def greeting(example: Example, dice: random.Random) -> tuple[str, str] | None:
    """The opening with “hello,” or without."""
    start, text, reply = "User: ", example.text, example.answer or ""
    opening = text.removeprefix(start)
    if "\n" in opening and "which one first" in opening.split("\n")[1]:
        return None  # two devices are told without a greeting
    if opening.startswith("hello, "):
        return start + opening.removeprefix("hello, "), reply
    if opening.startswith(OPENINGS) and " and my " not in opening.split("\n")[0]:
        return f"{start}hello, {opening}", reply
    return None


def please(example: Example, dice: random.Random) -> tuple[str, str] | None:
    """The device that is chosen, with “please” or without."""
    found = re.search(rf"User: the ({'|'.join(DEVICES)})(, please)?\.$", example.text)
    if found is None:
        return None
    last = f"User: the {found[1]}{'' if found[2] else ', please'}."
    return example.text[: found.start()] + last, example.answer or ""


def order(example: Example, dice: random.Random) -> tuple[str, str] | None:
    """“from a to b” for “to b from a”."""
    text = example.text
    there = re.search(r"User: from the (\w+) to the (\w+)\.$", text)
    if there:
        turned = f"User: to the {there[2]} from the {there[1]}."
        return text[: there.start()] + turned, example.answer or ""
    there = re.search(r"User: to the (\w+) from the (\w+)\.$", text)
    if there:
        turned = f"User: from the {there[2]} to the {there[1]}."
        return text[: there.start()] + turned, example.answer or ""
    return None


def wording(example: Example, dice: random.Random) -> tuple[str, str] | None:
    """Another way to say that it did not help."""
    pair = ("that did not help.", "it still does that.")
    for old, new in (pair, pair[::-1]):
        if example.text.endswith(f"User: {old}"):
            return example.text.removesuffix(old) + new, example.answer or ""
    return None


EDITS: dict[str, Edit] = {
    "value": value,
    "direction": direction,
    "fault": fault,
    "greeting": greeting,
    "please": please,
    "order": order,
    "wording": wording,
}


def _says(text: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", text) is not None


def _swapped(text: str, old: str, new: str) -> str:
    return re.sub(rf"\b{old}\b", new, text)
