"""The methods on SST-2: clean accuracy, accuracy under PGD and HotFlip, seconds. Markdown tables.

    python tests/benchmarks/sst2.py --keep sst2.jsonl                all methods, seeds 0 1 2
    python tests/benchmarks/sst2.py --methods plain freelb --seeds 0
    python tests/benchmarks/sst2.py --model minilm --limit 3000 --train-eps 0.5 --radii 0.25

Trains on `sst2/train.tsv` and tests on `sst2/dev.tsv` in the folder given by --data, with the default
settings of each method; one thread. Two rows more: `rdrop` and `hotflip` are plain training with that
regulariser at weight 1. First a line for each method and seed with Wilson intervals over the texts,
then one for each method over its seeds. With --keep a stopped measurement goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.attacks import PGD
from advlab.attacks.evaluate import by_length, evaluate
from advlab.attacks.hotflip import HotFlip
from advlab.model.victim import Victim
from advlab.records import Estimate, Example
from advlab.records.estimates import over_seeds, wilson
from advlab.records.estimates import share_of as rate_of
from advlab.runs.config import DataConfig, ModelConfig, Regularisation, RunConfig, TrainConfig
from advlab.training.loop import prepare, train
from advlab.training.methods import METHODS, build_method, method_settings

REGULARISED = {"rdrop": Regularisation(rdrop=1.0), "hotflip": Regularisation(hotflip=1.0)}
ROWS = (*METHODS, *REGULARISED)
# 97.5 % points of Student's t for n seeds, from n = 1; from ten on that of ten
T_975 = (math.nan, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


def cell(rate: Estimate) -> str:
    return f"{100 * rate.value:.1f} [{100 * rate.low:.0f}–{100 * rate.high:.0f}]"


def under_hotflip(victim: Victim, examples: Sequence[Example]) -> Estimate:
    """Accuracy when the worst of HotFlip's best 8 single replacements is made."""
    right = [False] * len(examples)
    with victim.analysing():
        for places, batch in by_length(victim, examples, 64):
            found = HotFlip(replacements=1)(victim, batch)
            wrong = victim.objective(batch).flips(victim.embed(batch)) | found.flipped
            for place, bad in zip(places, wrong.tolist(), strict=True):
                right[place] = not bad
    return rate_of(right)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/sst2"))
    parser.add_argument("--methods", nargs="+", default=list(ROWS), choices=list(ROWS))
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
    parser.add_argument(
        "--keep", type=Path, help="file (JSONL) of finished rows; a rerun goes on with the others"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)

    heads = [f"PGD-{args.steps} ε = {radius:g}" for radius in args.radii]
    columns = ["clean", *heads, "HotFlip-1", "noise"]
    print(f"| method | seed | {' | '.join(columns)} | seconds | × plain | alarms |")
    print("|---" * (5 + len(columns)) + "|")
    kept = read(args.keep)
    rows = []
    for seed in args.seeds:
        for name in args.methods:
            config = config_of(args, name, seed)
            key = key_of(args, config)
            if key not in kept:
                kept[key] = measure(args, name, config)
                write(args.keep, key, kept[key])
            row = kept[key]
            rows.append(row)
            cells = [cell(wilson(hits, row["n"])) for hits in row["hits"]]
            print(
                f"| {name} | {seed} | {' | '.join(cells)} | {row['seconds']:.0f} "
                f"| {row['cost']:.1f} | {', '.join(row['alarms']) or 'none'} |",
                flush=True,
            )
    print(
        "\nOver the seeds: mean, and the range of the seeds in brackets; ± half the 95 % t interval\n"
    )
    print(f"| method | seeds | {' | '.join(columns)} | seconds | × plain | alarms |")
    print("|---" * (5 + len(columns)) + "|")
    for name in args.methods:
        print(aggregated(name, [row for row in rows if row["method"] == name]))


def config_of(args: argparse.Namespace, name: str, seed: int) -> RunConfig:
    """The run behind one row, with the defaults of its method."""
    settings: dict[str, Any] = {"name": name if name in METHODS else "plain"}
    if args.train_eps is not None and settings["name"] != "plain":
        settings["eps"] = args.train_eps
    given = {"epochs": args.epochs, "lr": args.lr}
    more = {key: value for key, value in given.items() if value}
    return RunConfig(
        data=DataConfig(
            str(args.data / "train.tsv"), "0", "1", str(args.data / "dev.tsv"), limit=args.limit
        ),
        model=ModelConfig(args.model),
        method=method_settings(build_method(settings)),
        regularise=REGULARISED.get(name, Regularisation()),
        train=TrainConfig.for_model(args.model, settings["name"], seed=seed, **more),
    )


def measure(args: argparse.Namespace, name: str, config: RunConfig) -> dict[str, Any]:
    """Train and attack: what one row holds, as JSON."""
    seed = config.train.seed
    with tempfile.TemporaryDirectory() as folder:
        events = list(train(config, Path(folder)))
        victim = Victim.load(Path(folder) / "model")
    texts = prepare(config)[1].test[: args.texts]
    attack = PGD(steps=args.steps, restarts=args.restarts)
    found = evaluate(victim, texts, attack, eps=args.radii, seed=seed)
    rates = [found.clean, *found.robust, under_hotflip(victim, texts), found.noisy[-1]]
    end = events[-1].values
    return {
        "method": name,
        "seed": seed,
        "n": len(texts),
        "hits": [round(rate.value * rate.n) for rate in rates],
        "seconds": end["seconds"],
        "cost": end["cost"] or 1.0,
        "alarms": [e.values["name"] for e in events if e.kind == "alarm"],
    }


def aggregated(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """One line over the seeds of a method: figures in per cent, cost and alarms."""
    cells = []
    for column in zip(*([hits / row["n"] for hits in row["hits"]] for row in rows), strict=True):
        spread = over_seeds([100 * share for share in column])
        half = T_975[min(len(rows), 10) - 1] * spread.deviation / math.sqrt(len(rows))
        wide = f" ± {half:.1f}" if len(rows) > 1 else ""
        cells.append(f"{spread.mean:.1f}{wide} [{spread.low:.1f}–{spread.high:.1f}]")
    seconds, cost = (sum(row[k] for row in rows) / len(rows) for k in ("seconds", "cost"))
    alarms = Counter(alarm for row in rows for alarm in row["alarms"])
    told = ", ".join(f"{alarm} ({n})" for alarm, n in alarms.items()) or "none"
    return f"| {name} | {len(rows)} | {' | '.join(cells)} | {seconds:.0f} | {cost:.1f} | {told} |"


def key_of(args: argparse.Namespace, config: RunConfig) -> str:
    """What decides a row: the run and how it is attacked."""
    attacked = (args.radii, args.steps, args.restarts, args.texts)
    return f"{config.fingerprint} {json.dumps(attacked)}"


def read(path: Path | None) -> dict[str, dict[str, Any]]:
    """Finished rows by key; a line that a killed process left half-written is passed over."""
    rows = {}
    if path is not None and path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                one = json.loads(line)
                rows[one["key"]] = one["row"]
    return rows


def write(path: Path | None, key: str, row: Mapping[str, Any]) -> None:
    """Append one finished row, on a line of its own even behind half a line."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(("" if whole else "\n") + json.dumps({"key": key, "row": row}) + "\n")


if __name__ == "__main__":
    main()
