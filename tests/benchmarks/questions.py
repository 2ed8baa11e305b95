"""Question answering, plain and adversarial: how right, clean and under δ. Prints a Markdown table.

python tests/benchmarks/questions.py --seed 0            two trainings, some four minutes of one core
python tests/benchmarks/questions.py --seed 0 --texts 300

The starter pair on the built-in stories, trained by advlab's own loop. Test split; exact match and F1
as SQuAD has them; PGD-10 in one L2 ball an example, ε × mean word-vector norm; noise is the worst of 3
draws of equal norm. Seconds are CPU seconds of one thread, from the first step to the test, validation
included.
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
from advlab.attacks.evaluate import evaluate
from advlab.data import stories
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.runs.config import RunConfig
from advlab.runs.starters import starter_pair
from advlab.training import loop

RADII = (0.125, 0.25, 0.5)
PLACES = ("both", "context", "question")


def trained(config: RunConfig, folder: Path) -> tuple[Victim, float]:
    """The model that a run keeps, and the CPU seconds of its training."""
    began = time.process_time()
    for event in loop.train(config, folder):
        if event.kind == "start":
            began = time.process_time()
    return Victim.load(folder / "model"), time.process_time() - began


def quality(victim: Victim, examples: Sequence[Example]) -> dict[str, float]:
    """The mean of each measure over the examples."""
    total: dict[str, float] = {}
    for start in range(0, len(examples), 100):
        some = list(examples[start : start + 100])
        batch = victim.encode(some)
        for answer, example in zip(victim.answers(victim.embed(batch), batch), some, strict=True):
            for name, value in victim.task.quality(answer, example).items():
                total[name] = total.get(name, 0.0) + value / len(examples)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", type=int, default=600, help="test questions under attack")
    args = parser.parse_args()
    torch.set_num_threads(1)
    test = list(stories.dataset().test)
    print(
        f"{datetime.date.today()}, torch {torch.__version__}, one thread, {platform.machine()}, "
        f"seed {args.seed}; {len(test)} test questions, {args.texts} under attack\n"
    )
    head = [f"{where} {eps:g}" for where in PLACES for eps in RADII]
    print(f"| model | CPU s | EM | F1 | {' | '.join(head)} | noise {RADII[1]:g} |")
    print("|---" * (5 + len(head)) + "|")
    for config in starter_pair(args.seed, task="qa"):
        with tempfile.TemporaryDirectory() as folder:
            victim, seconds = trained(config, Path(folder))
        found = quality(victim, test)
        cells, noise = [], 0.0
        for where in PLACES:
            victim.task = replace(victim.task, where=where)  # type: ignore[type-var]
            row = evaluate(
                victim, test[: args.texts], PGD(0.25, steps=10), eps=RADII, noise_draws=3
            )
            cells += [f"{100 * share.value:.1f}" for share in row.robust]
            noise = noise or 100 * float(row.noise[RADII.index(0.25)].mean())
        print(
            f"| {config.name} | {seconds:.0f} | {100 * found['exact']:.1f} | {100 * found['f1']:.1f} "
            f"| {' | '.join(cells)} | {noise:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
