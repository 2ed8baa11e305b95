"""What the classification starter pair reaches on a corpus, beside counting: test and typed sentences.

    python tests/benchmarks/starter.py dianping 0 1 2            the plain model of each seed
    python tests/benchmarks/starter.py dianping 0 --pair         the adversarial one too, PGD-20

Counting is logistic regression on words, which are characters where the corpus is Chinese, and on runs
of up to two and three of them. Prints CPU seconds of one thread, shares with Wilson's 95 % interval,
and the share by construction.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from advlab import train
from advlab.attacks import PGD
from advlab.attacks.evaluate import evaluate
from advlab.data.corpora import CORPORA
from advlab.model.victim import Victim
from advlab.records import Dataset, Estimate, Example
from advlab.records.estimates import share_of
from advlab.records.script import spoken
from advlab.runs.starters import starter_pair

HERE = Path(__file__).parents[1] / "data"
TYPED = {"reviews": "typed_sentences.tsv", "dianping": "typed_dianping.tsv"}


def main() -> None:
    """Counting once, then each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=list(TYPED))
    parser.add_argument("seeds", type=int, nargs="*")
    parser.add_argument("--pair", action="store_true", help="train the adversarial model too")
    args = parser.parse_args()
    data, typed = CORPORA[args.corpus].build(), typed_of(args.corpus)
    for longest in (1, 2, 3):
        print(f"counting runs of up to {longest}: {counting(data, typed, longest)}", flush=True)
    for seed in args.seeds:
        for config in starter_pair(seed, corpus=args.corpus)[: 1 + args.pair]:
            with tempfile.TemporaryDirectory() as folder:
                began = time.process_time()
                for _ in train(config, Path(folder) / "run"):
                    pass
                spent = time.process_time() - began
                victim = Victim.load(Path(folder) / "run" / "model")
            report(f"seed {seed}, {config.method['name']}, {spent:.0f} CPU s", victim, data, typed)
            if args.pair:
                row = evaluate(victim, list(data.test), PGD(0.25, steps=20), eps=[0.125, 0.25])
                print(
                    "    PGD-20:",
                    *(f"{e:g}: {told(r)}" for e, r in zip(row.eps, row.robust, strict=True)),
                )


def typed_of(corpus: str) -> list[Example]:
    """The sentences that people would type, written apart from the grammar."""
    with (HERE / TYPED[corpus]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Example(row["text"], row["text"], (row["label"],)) for row in rows]


def counting(data: Dataset, typed: Sequence[Example], longest: int) -> str:
    """Logistic regression on how often each run of words stands in a text."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    counter = CountVectorizer(
        analyzer="word", tokenizer=spoken, token_pattern=None, ngram_range=(1, longest)
    )
    model = LogisticRegression(max_iter=500).fit(
        counter.fit_transform([e.text for e in data.train]), [e.answer for e in data.train]
    )
    found = [
        share_of(
            model.predict(counter.transform([e.text for e in rows])) == [e.answer for e in rows]
        )
        for rows in (data.test, typed)
    ]
    return f"test {told(found[0])}, typed {told(found[1])}"


def report(title: str, victim: Victim, data: Dataset, typed: Sequence[Example]) -> None:
    """Accuracy on the test texts, by construction, and on the typed sentences."""
    right, own = right_of(victim, data.test), right_of(victim, typed)
    print(f"{title}: test {told(share_of(right))}, typed {told(share_of(own))}")
    parts: dict[str, list[bool]] = {}
    for example, ok in zip(data.test, right, strict=True):
        parts.setdefault(dict(example.more)["construction"], []).append(ok)
    print("   ", ", ".join(f"{name} {sum(ok) / len(ok):.0%}" for name, ok in parts.items()))
    print(
        "    missed:",
        " | ".join(e.text for e, ok in zip(typed, own, strict=True) if not ok),
        flush=True,
    )


def right_of(victim: Victim, rows: Sequence[Example]) -> list[bool]:
    """For each example whether the model reads it right."""
    found = []
    for start in range(0, len(rows), 64):
        part = list(rows[start : start + 64])
        batch = victim.encode(part)
        answers = victim.answers(victim.embed(batch), batch)
        found += [a == e.answer for a, e in zip(answers, part, strict=True)]
    return found


def told(one: Estimate) -> str:
    """‘92.1 [90–94]’, in percent."""
    return f"{100 * one.value:.1f} [{100 * one.low:.0f}–{100 * one.high:.0f}]"


if __name__ == "__main__":
    main()
