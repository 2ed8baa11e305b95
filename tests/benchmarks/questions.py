"""Question answering, plain and adversarial: how right, clean and under δ. Prints Markdown tables.

python tests/benchmarks/questions.py --seed 0            two trainings, some four minutes of one core
python tests/benchmarks/questions.py --seed 0 --models plain --texts 300

The starter pair on the built-in stories, trained by advlab's own loop. Test split; exact match and F1
as SQuAD has them; PGD-10 in one L2 ball an example, ε × mean word-vector norm; noise is the worst of 3
draws of equal norm. The second table is exact match by kind of question, clean and with δ on context
and question at ε = 0.25. Seconds are CPU seconds of one thread, from the first step to the test,
validation included.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.attacks import PGD
from advlab.attacks.answers import answers
from advlab.attacks.evaluate import evaluate
from advlab.data import stories
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.runs.config import RunConfig
from advlab.runs.starters import starter_pair
from advlab.training import loop

RADII = (0.125, 0.25, 0.5)
PLACES = ("both", "context", "question")
MODELS = ("plain", "adversarial")


def trained(config: RunConfig, folder: Path) -> tuple[Victim, float]:
    """The model that a run keeps, and the CPU seconds of its training."""
    began = time.process_time()
    for event in loop.train(config, folder):
        if event.kind == "start":
            began = time.process_time()
    return Victim.load(folder / "model"), time.process_time() - began


def kind(example: Example) -> str:
    """Which kind of question it is: of two facts, which construction."""
    construction = dict(example.more)["construction"]
    return construction if construction.startswith("two") else construction.split(":")[0]


def by_kind(examples: Sequence[Example], right: Sequence[bool]) -> dict[str, float]:
    """The share that is right of each kind of question."""
    found: dict[str, list[bool]] = {}
    for example, good in zip(examples, right, strict=True):
        found.setdefault(kind(example), []).append(bool(good))
    return {name: sum(some) / len(some) for name, some in sorted(found.items())}


def measure(name: str, victim: Victim, seconds: float, texts: int) -> tuple[str, list[str]]:
    """A model's line of the first table, and its lines of the second."""
    test = list(stories.dataset().test)
    said = answers(victim, test)
    each = [victim.task.quality(s.answer, e) for s, e in zip(said, test, strict=True)]
    right = [q["exact"] == 1 for q in each]
    exact, f1 = (100 * sum(q[m] for q in each) / len(test) for m in ("exact", "f1"))
    cells, kinds, noise = [], [("clean", by_kind(test, right))], 0.0
    for where in PLACES:
        victim.task = replace(victim.task, where=where)  # type: ignore[type-var]
        draws = 3 if where == "both" else 1
        row = evaluate(
            victim, test[:texts], PGD(steps=10), eps=RADII, noise_draws=draws, quote=False
        )
        cells += [f"{100 * share.value:.1f}" for share in row.robust]
        if where == "both":
            at = RADII.index(0.25)
            noise = 100 * row.noisy[at].value
            kinds.append(("ε = 0.25", by_kind(test[:texts], row.stands(at))))
    first = (
        f"| {name} | {seconds:.0f} | {exact:.1f} | {f1:.1f} | {' | '.join(cells)} | {noise:.1f} |"
    )
    return first, [
        f"| {name}, {when} | "
        + " | ".join(f"{100 * share:.0f}" for share in shares.values())
        + " |"
        for when, shares in kinds
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--texts", type=int, default=600, help="test questions under attack")
    args = parser.parse_args()
    torch.set_num_threads(1)
    test = stories.dataset().test
    print(
        f"{datetime.date.today()}, torch {torch.__version__}, one thread, {platform.machine()}, "
        f"seed {args.seed}; {len(test)} test questions, {args.texts} under attack\n"
    )
    head = [f"{where} {eps:g}" for where in PLACES for eps in RADII]
    print(f"| model | CPU s | EM | F1 | {' | '.join(head)} | noise 0.25 |")
    print("|---" * (5 + len(head)) + "|", flush=True)
    lines = []
    for name, config in zip(MODELS, starter_pair(args.seed, task="qa"), strict=True):
        if name not in args.models:
            continue
        with tempfile.TemporaryDirectory() as folder:
            victim, seconds = trained(config, Path(folder))
        first, more = measure(config.name, victim, seconds, args.texts)
        print(first, flush=True)
        lines += more
    kinds = sorted({kind(e) for e in test})
    print(f"\n| exact match | {' | '.join(kinds)} |\n" + "|---" * (1 + len(kinds)) + "|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
