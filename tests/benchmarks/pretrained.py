"""A pretrained model's ε, its rise, learning rate and dropout ties, swept. Prints Markdown tables.

    python tests/benchmarks/pretrained.py --keep rows.jsonl                   one thread, days
    python tests/benchmarks/pretrained.py --device cuda --workers 15 --keep rows.jsonl

MiniLM on 3,000 sentences of `sst2/train.tsv` in the folder given by --data, 3 epochs; a part of the
training file validates (PGD-5), `dev.tsv` tests (PGD-10, ε = 0.25). Each method around its default with
one thing changed at a time, as `GRID` has them. With --keep a stopped sweep goes on where it was.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from sst2 import read, write

from advlab.attacks import PGD
from advlab.attacks.evaluate import evaluate
from advlab.model.victim import Victim
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.training.loop import prepare, train
from advlab.training.methods import build_method, method_settings

BASE: dict[str, Any] = {
    "lr": 1e-4,
    "eps": 0.5,
    "clean_start": 0.1,
    "eps_warmup": 0.5,
    "tied_dropout": False,
}
GRID: tuple[dict[str, Any], ...] = (  # what is changed, most wanted first
    {},
    {"tied_dropout": True},
    {"lr": 5e-5},
    {"lr": 3e-5},
    {"lr": 5e-5, "tied_dropout": True},
    {"lr": 5e-5, "eps": 0.35},
    {"lr": 5e-5, "clean_start": 0.05, "eps_warmup": 0.6},
    {"lr": 5e-5, "clean_start": 0.2, "eps_warmup": 0.3},
    {"lr": 2e-4},
)
METHODS = ("freelb", "fgm", "pgd")


def runs(methods: Sequence[str], seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Every run as its settings; plain training once for each learning rate."""
    for change in GRID:
        names = ("plain", *methods) if set(change) <= {"lr"} else methods
        for name, seed in itertools.product(names, seeds):
            yield {"method": name, "seed": seed} | BASE | change


def measure(run: Mapping[str, Any], data: Path, model: str, device: str) -> dict[str, Any]:
    """Train and attack one run: what its row holds, as JSON."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    method = {"name": run["method"]} | ({} if run["method"] == "plain" else {"eps": run["eps"]})
    schedule = {k: run[k] for k in ("lr", "clean_start", "eps_warmup", "tied_dropout", "seed")}
    config = RunConfig(
        data=DataConfig(str(data / "train.tsv"), "0", "1", str(data / "dev.tsv"), limit=3000),
        model=ModelConfig(model),
        method=method_settings(build_method(method)),
        train=TrainConfig.for_model(model, **schedule),
    )
    with tempfile.TemporaryDirectory() as folder:
        events = list(train(config, Path(folder), device=device))
        victim = Victim.load(Path(folder) / "model", device=device)
    found = evaluate(victim, prepare(config)[1].test, PGD(steps=10), eps=[0.25], seed=run["seed"])
    kept = [e.values for e in events if e.kind == "epoch" and e.values["best"]][-1]
    return {
        **run,
        "n": len(found.right),
        "validation": [kept[k]["value"] for k in ("clean_accuracy", "robust_accuracy")],
        "epoch": kept["epoch"],
        "test": [found.clean.value, found.robust[0].value, found.noisy[-1].value],
        "alarms": [e.values["name"] for e in events if e.kind == "alarm"],
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/sst2"))
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="file (JSONL) of finished rows")
    args = parser.parse_args()
    kept = read(args.keep)
    wanted = {str(sorted(run.items())): run for run in runs(args.methods, args.seeds)}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, mp_context=spawn) as pool:
        given = (args.data, args.model, args.device)
        open_ = {pool.submit(measure, wanted[k], *given): k for k in wanted if k not in kept}
        for done in as_completed(open_):
            kept[open_[done]] = done.result()
            write(args.keep, open_[done], done.result())
    print(table([kept[key] for key in wanted]))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a setting: means over its seeds, in per cent, the lowest and highest behind them."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[k] for k in ("method", *BASE))].append(row)
    lines = [
        "| method | lr | ε | clean start | rise | tied | validation clean, robust | clean | ε = 0.25 "
        "| noise | seeds, collapsed |",
        "|---" * 11 + "|",
    ]
    for (name, lr, eps, start, rise, tied), group in groups.items():
        cells = [name, f"{lr:g}", *([f"{eps:g}", f"{start:g}", f"{rise:g}"])]
        cells.append("yes" if tied else "no")
        cells.append(", ".join(f"{_mean(group, 'validation', k):.1f}" for k in (0, 1)))
        cells += [spread(group, k) for k in (0, 1, 2)]
        collapsed = sum("collapse" in row["alarms"] for row in group)
        lines.append(f"| {' | '.join(cells)} | {len(group)}, {collapsed} |")
    return "\n".join(lines)


def _mean(group: Sequence[Mapping[str, Any]], what: str, k: int) -> float:
    return 100 * sum(row[what][k] for row in group) / len(group)


def spread(group: Sequence[Mapping[str, Any]], k: int) -> str:
    """Mean, lowest and highest of the seeds."""
    values = [100 * row["test"][k] for row in group]
    return f"{_mean(group, 'test', k):.1f} ({min(values):.1f}–{max(values):.1f})"


if __name__ == "__main__":
    main()
