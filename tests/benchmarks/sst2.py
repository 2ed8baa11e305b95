"""The methods on SST-2: clean accuracy, accuracy under PGD and HotFlip, seconds. Markdown tables.

    python tests/benchmarks/sst2.py                                  all methods, seeds 0 1 2
    python tests/benchmarks/sst2.py --methods plain freelb --seeds 0
    python tests/benchmarks/sst2.py --model minilm --limit 3000 --train-eps 0.5 --radii 0.25

Trains on `sst2/train.tsv` and tests on `sst2/dev.tsv` in the folder given by --data, with the default
settings of each method; one thread.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.attacks import PGD
from advlab.attacks.tokens import HotFlip
from advlab.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.evaluate import by_length, evaluate
from advlab.methods import METHODS, build_method, method_settings
from advlab.records import Example, Rate
from advlab.statistics import rate as rate_of
from advlab.train import prepare, train
from advlab.victim import Victim


def cell(rate: Rate) -> str:
    return f"{100 * rate.value:.1f} [{100 * rate.low:.0f}–{100 * rate.high:.0f}]"


def under_hotflip(victim: Victim, examples: Sequence[Example]) -> Rate:
    """Accuracy when the worst of HotFlip's best 8 single replacements is made."""
    right = [False] * len(examples)
    with victim.analysing():
        for places, batch in by_length(victim, examples, 64):
            found = HotFlip(replacements=1)(victim, batch)
            logits = victim.logits(victim.embed(batch.input_ids), batch)
            correct = victim.task.correct(logits, batch) & ~found.flipped
            for place, ok in zip(places, correct.tolist(), strict=True):
                right[place] = ok
    return rate_of(right)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/sst2"))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--lr", type=float, help="default: that of the model")
    parser.add_argument("--train-eps", type=float, help="default: the method's own")
    parser.add_argument("--radii", nargs="+", type=float, default=[0.25, 0.5])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=1)
    parser.add_argument("--texts", type=int, help="use only this many test texts")
    args = parser.parse_args()
    torch.set_num_threads(1)

    heads = [f"PGD-{args.steps} ε = {radius:g}" for radius in args.radii]
    print(
        "| method | seed | clean | "
        + " | ".join(heads)
        + " | HotFlip-1 | noise | seconds | × plain | alarms |"
    )
    print("|---" * (8 + len(heads)) + "|")
    for seed in args.seeds:
        for name in args.methods:
            settings = {"name": name}
            if args.train_eps is not None and name != "plain":
                settings["eps"] = args.train_eps
            given = {"epochs": args.epochs, "lr": args.lr}
            more = {key: value for key, value in given.items() if value}
            config = RunConfig(
                data=DataConfig(
                    str(args.data / "train.tsv"), "0", "1", str(args.data / "dev.tsv"),
                    limit=args.limit,
                ),
                model=ModelConfig(args.model),
                method=method_settings(build_method(settings)),
                train=TrainConfig.for_model(args.model, seed=seed, **more),
            )  # fmt: skip
            with tempfile.TemporaryDirectory() as folder:
                events = list(train(config, Path(folder)))
                victim = Victim.load(Path(folder) / "model")
            _, data = prepare(config)
            attack = PGD(steps=args.steps, restarts=args.restarts)
            found = evaluate(victim, data.test[: args.texts], attack, eps=args.radii, seed=seed)
            flips = under_hotflip(victim, data.test[: args.texts])
            end = events[-1].values
            alarms = ", ".join(e.values["name"] for e in events if e.kind == "alarm") or "none"
            robust = " | ".join(cell(rate) for *_, rate in found.robust)
            print(
                f"| {name} | {seed} | {cell(found.clean)} | {robust} | {cell(flips)} "
                f"| {cell(found.noise[-1][3])} "
                f"| {end['seconds']:.0f} | {end['cost'] or 1:.1f} | {alarms} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
