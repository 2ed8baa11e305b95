"""What each lesson of the course shows on models of one seed. Prints a Markdown table.

    python tests/benchmarks/lessons.py 0                 trains the pairs of seed 0
    python tests/benchmarks/lessons.py 0 --home FOLDER   finds them in a data folder, or trains them
    python tests/benchmarks/lessons.py 0 --only 02-noise 04-place

Facts are measured by the same functions as in the app. A row shows it when the lesson's phenomenon
appears: the outcome that its text expects (`EXPECTED`); else the lesson says what does appear.
One thread; seconds are CPU seconds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

# lesson -> the outcomes at which it shows what it is for
EXPECTED: dict[str, tuple[str, ...]] = {
    "01-reading": ("refused",),
    "02-noise": ("attack_only",),
    "03-word": ("same", "other"),
    "04-place": ("no_sentence",),
    "05-looking": ("disagree",),
    "06-steps": ("ordered",),
    "07-players": ("both_fall",),
    "08-cost": ("worth",),
    "09-carry": ("less",),
    "10-lies": ("found",),
    "11-own": ("better", "not_better"),
    "12-translation": ("plain_only", "both"),
    "13-dialogue": ("plain_only", "both"),
}


def pair(task: str, seed: int) -> tuple[Any, Any]:
    """The plain and the adversarial run of a task and seed in the data folder, trained if need be."""
    from advlab.runs import jobs
    from advlab.runs.starters import starter_group, starter_pair
    from advlab.training import worker

    known = [
        run
        for run in jobs.runs(group=starter_group(task))
        if run.status == "done" and run.config.train.seed == seed
    ]
    found = []
    for config in starter_pair(seed, task):
        plain = config.method["name"] == "plain"
        have = [r for r in known if (r.config.method["name"] == "plain") == plain]
        if not have:
            info = jobs.open_here(config, group=starter_group(task))
            worker.run(info.id)
            have = [jobs.run(info.id)]
        found.append(have[0])
    return found[0], found[1]


@cache
def models(task: str, seed: int) -> Any:
    """What the lessons of a task are measured on; as a learner's own defence, the adversarial model."""
    from advlab.data import load_data
    from advlab.lessons.facts import Models
    from advlab.model.victim import Victim
    from advlab.runs import jobs
    from advlab.runs.folder import timeline

    runs = pair(task, seed)
    plain, robust = (Victim.load(str(run.folder.model), name=run.name) for run in runs)
    diaries = [timeline(jobs.events(run.id).events) for run in runs]
    test = load_data(runs[0].config.data).test
    return Models(plain, robust, test, diaries[0], diaries[1], own=robust)


def row(name: str, seed: int, clock: Callable[[], float] = time.process_time) -> str:
    """One line of the table."""
    from advlab.lessons.course import lesson
    from advlab.lessons.facts import FACTS

    one = lesson(name)
    looked_at = models(one.task, seed)
    began = clock()
    found = FACTS[one.facts].observe(looked_at, one)
    seconds = clock() - began
    holds = "yes" if found.outcome in EXPECTED[name] else "**no**"
    numbers = "; ".join(f"{k} {_short(v)}" for k, v in asdict(found).items() if k != "ids")
    return f"| {name} | {seed} | {found.outcome} | {holds} | {seconds:.1f} | {numbers} |"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple | list):
        return " ".join(_short(v) for v in value)
    return str(value).replace("|", "/").replace("\n", " / ")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--home")
    parser.add_argument("--only", nargs="*")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ADVLAB_HOME"] = asked.home or folder
        import torch

        torch.set_num_threads(1)
        print("| lesson | seed | outcome | shows it | CPU s | facts |\n|---|---|---|---|---|---|")
        for name in asked.only or EXPECTED:
            print(row(name, asked.seed), flush=True)


if __name__ == "__main__":
    main()
