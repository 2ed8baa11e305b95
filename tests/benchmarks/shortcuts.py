"""How far does one get in the built-in stories without reading? Prints a Markdown table.

python tests/benchmarks/shortcuts.py                 what can be counted, in seconds
python tests/benchmarks/shortcuts.py --train         and the reader itself, a part hidden, in minutes

Each shortcut learns from the training questions whatever it can and answers the test questions that
have an answer; the figure is its exact match. `position` alone is judged by sentences. A corpus that
teaches reading leaves all of them far below a reader: 1 of some 4.5 sentences, 1 of some 4 people.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from advlab.data import stories
from advlab.records import Example
from advlab.records.examples import NO_ANSWER

TYPES = {"who": "person", "whom": "person"}  # of answers, by what is asked for
POOLS = {
    "person": stories.PEOPLE,
    "what": stories.THINGS,
    "where": stories.PLACES,
    "when": stories.MONTHS,
    "price": stories.PRICES,
}
Guess = Callable[[Example, random.Random], str]


def part(example: Example, name: str) -> str:
    """A further column of an example."""
    return dict(example.more)[name]


def kind_of(example: Example) -> str:
    """The type of words that is asked for, which the question's first words tell."""
    asked = part(example, "asked for")
    return TYPES.get(asked, asked)


def candidates(text: str, kind: str) -> list[str]:
    """The words of a type that stand in a text, each as often as it does."""
    return re.findall(rf"\b(?:{'|'.join(map(re.escape, POOLS[kind]))})\b", text)


def sentences(text: str) -> list[str]:
    """A story's sentences."""
    return re.split(r"(?<=\.) ", text)


def answered(examples: Sequence[Example]) -> list[Example]:
    """Those that have an answer."""
    return [e for e in examples if e.answer != NO_ANSWER]


def position(train: Sequence[Example], test: Sequence[Example]) -> tuple[float, float]:
    """The share of answers in the sentence where most of the training answers are, counted from the
    first or from the last; and what chance is: the mean of 1 / sentences."""

    def places(example: Example) -> tuple[int, int]:
        before = example.text.count(".", 0, example.place)
        return before, before - example.text.count(".")

    count = Counter(p for e in train for p in places(e))
    best = count.most_common(1)[0][0]
    hits = sum(best in places(e) for e in test)
    return hits / len(test), sum(1 / e.text.count(".") for e in test) / len(test)


def by_type(example: Example, dice: random.Random) -> str:
    """A word of the type that is asked for, at random, which the question does not have itself."""
    found = [w for w in candidates(example.text, kind_of(example)) if w not in example.beside]
    return dice.choice(found or [""])


def by_frequency(example: Example, dice: random.Random) -> str:
    """The word of the type that the text has most often, without the question's."""
    found = [w for w in candidates(example.text, kind_of(example)) if w not in example.beside]
    return Counter(found).most_common(1)[0][0] if found else ""


def by_overlap(example: Example, dice: random.Random) -> str:
    """A word of the type from the sentence that shares most words with the question."""
    asked = set(re.findall(r"\w+", example.beside.lower()))

    def shared(sentence: str) -> int:
        return len(asked & set(re.findall(r"\w+", sentence.lower())))

    told = sentences(example.text)
    most = max(map(shared, told))
    sentence = dice.choice([s for s in told if shared(s) == most])
    found = [w for w in candidates(sentence, kind_of(example)) if w not in example.beside]
    return dice.choice(found or [""])


def by_question(train: Sequence[Example]) -> Guess:
    """The most frequent answer to a question with these words and no others of its kind."""
    known: dict[str, Counter[str]] = defaultdict(Counter)
    for example in train:
        known[kind_of(example)][str(example.answer)] += 1
        for word in example.beside.split():
            known[word][str(example.answer)] += 1

    def guess(example: Example, dice: random.Random) -> str:
        total: Counter[str] = Counter()
        for word in example.beside.split():
            total.update(known[word])
        fit = [w for w in total if w in POOLS[kind_of(example)]]
        return max(fit, key=lambda w: total[w], default="")

    return guess


def by_context(example: Example, dice: random.Random) -> str:
    """The most frequent name, thing or place of the text: the question is not read."""
    found = [w for kind in POOLS for w in candidates(example.text, kind)]
    return Counter(found).most_common(1)[0][0]


def share(guess: Guess, examples: Sequence[Example], seed: int = 0) -> float:
    """The exact match of a guess."""
    dice = random.Random(seed)
    return sum(guess(e, dice) == e.answer for e in examples) / max(len(examples), 1)


def table() -> dict[str, dict[str, float]]:
    """Shortcut -> construction -> exact match; `all`, `one fact` and `two facts` first."""
    data = stories.dataset()
    train, test = answered(data.train), answered(data.test)
    parts = {"all": test}
    for name in ("one fact", "two facts"):
        parts[name] = [e for e in test if part(e, "construction").startswith(name)]
    guesses: dict[str, Guess] = {
        "type alone": by_type,
        "the most frequent of the type": by_frequency,
        "most overlapping sentence and type": by_overlap,
        "question alone": by_question(train),
        "text alone": by_context,
    }
    return {
        name: {column: share(guess, some) for column, some in parts.items()}
        for name, guess in guesses.items()
    }


def trained(hide: str, seed: int) -> float:
    """The exact match of the starter's reader, trained and tested with a part hidden."""
    from advlab.attacks.evaluate import survives
    from advlab.model.victim import Victim
    from advlab.runs.starters import starter_pair
    from advlab.training import loop

    def hidden(example: Example) -> Example:
        if hide == "question":
            return replace(example, beside="?")
        known = "|".join({w for pool in POOLS.values() for w in pool})
        blank = re.sub(known, lambda m: "x" * len(m[0]), example.text)
        answer = re.sub(r"\S", "x", str(example.answer)) if example.place is not None else NO_ANSWER
        return replace(example, text=blank, answers=(answer,))

    data = stories.dataset()
    part = replace(
        data, train=tuple(map(hidden, data.train)), validation=tuple(map(hidden, data.validation))
    )
    loop.load_data = lambda *_, **__: part  # type: ignore[assignment]
    config, _ = starter_pair(seed, task="qa")
    with tempfile.TemporaryDirectory() as folder:
        for event in loop.train(config, Path(folder)):
            del event
        victim = Victim.load(Path(folder) / "model")
    if hide == "question":
        return sum(survives(victim, [hidden(e) for e in answered(data.test)])) / len(
            answered(data.test)
        )
    test, hits = answered(data.test), 0
    for example in test:  # the place is what it may know: which word stands there is looked up
        blind = hidden(example)
        batch = victim.encode([blind])
        start, end = victim.read(victim.embed(batch), batch).parts["span(answer)"][0].tolist()
        spans = batch.tokens[0].spans
        hits += example.text[spans[start][0] : spans[end][1]] == example.answer
    return hits / len(test)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", action="store_true", help="train the reader with a part hidden")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    data = stories.dataset()
    hits, chance = position(answered(data.train), answered(data.test))
    print(f"position alone: the right sentence in {hits:.1%}; chance {chance:.1%}\n")
    found = table()
    columns = list(next(iter(found.values())))
    print("| exact match of | " + " | ".join(columns) + " |\n" + "|---" * (1 + len(columns)) + "|")
    for name, row in found.items():
        print(f"| {name} | " + " | ".join(f"{row[c]:.1%}" for c in columns) + " |")
    for hide in ("question", "text") if args.train else ():
        began = time.process_time()
        value = trained(hide, args.seed)
        seconds = time.process_time() - began
        print(
            f"| reader, the {hide} hidden (seed {args.seed}, {seconds:.0f} CPU s) | {value:.1%} |"
        )


if __name__ == "__main__":
    main()
