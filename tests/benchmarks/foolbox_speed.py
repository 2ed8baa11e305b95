"""Robust accuracy at seven ε: `advlab evaluate` against Foolbox, same model, texts, steps and thread.

    python tests/benchmarks/foolbox_speed.py                 trains the tiny model plainly first
    python tests/benchmarks/foolbox_speed.py --model RUN     a run's id or name, or a folder

PGD-20, L2 over the whole text, from 0, step 0.1 ε, on `sst2/dev.tsv` in the folder given by --data.
Foolbox gets the same batches of similar length, and a model whose special tokens do not move. Each
runs in a process of its own; advlab's time includes everything that the command measures besides:
clean confidence, and noise at every ε.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from advlab.attacks import PGD
from advlab.attacks.evaluate import by_length, survives
from advlab.cli.models import open_model
from advlab.data import load_data
from advlab.model.victim import Victim
from advlab.runs.config import DataConfig, ModelConfig, RunConfig
from advlab.studies.grid import grid
from advlab.training.loop import train

RADII = (0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5)
STEPS, STEP = 20, 0.1


class Masked(nn.Module):
    """Logits from embeddings; what is not perturbable stays as it was."""

    def __init__(self, victim: Victim, batch: object, embeds: Tensor) -> None:
        super().__init__()
        self.inner, self.victim, self.batch, self.embeds = victim.model, victim, batch, embeds

    def forward(self, x: Tensor) -> Tensor:
        """(B,T,D) -> (B,C)."""
        free = self.batch.perturbable.unsqueeze(-1)  # type: ignore[attr-defined]
        return self.victim.output(torch.where(free, x, self.embeds), self.batch)  # type: ignore[arg-type]


def ours(victim: Victim, examples: list) -> list[float]:
    """What `advlab evaluate` does, with nothing read back from disk."""
    [row] = grid([victim], examples, [PGD(steps=STEPS, step_size=STEP)], RADII).rows
    return [share.value for share in row.robust]


def theirs(victim: Victim, examples: list) -> list[float]:
    from foolbox import PyTorchModel
    from foolbox.attacks import L2ProjectedGradientDescentAttack

    attack = L2ProjectedGradientDescentAttack(rel_stepsize=STEP, steps=STEPS, random_start=False)
    right = torch.zeros(len(RADII))
    with victim.analysing():
        for _, batch in by_length(victim, examples, 128):
            embeds = victim.embed(batch).detach()
            model = PyTorchModel(Masked(victim, batch, embeds).eval(), bounds=(-1e4, 1e4))
            raw = [victim.scale.raw(eps, "norm") for eps in RADII]
            _, _, broken = attack(model, embeds, batch.target["labels"], epsilons=raw)
            right += (~broken).float().sum(1)
    # as with advlab, a smaller δ lies in every larger ball
    shares = (right / len(examples)).tolist()
    return [min(shares[: k + 1]) for k in range(len(shares))]


RUNNERS = {"advlab": ours, "Foolbox": theirs}


def measure(which: str, model: str, data: DataConfig) -> None:
    """One runner in this process: shares, seconds and peak memory as JSON."""
    torch.set_num_threads(1)
    victim = open_model(model)
    examples = list(load_data(data).test)
    if which == "Foolbox":
        import foolbox  # noqa: F401  not part of the time
    survives(victim, examples[:128])  # warm
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    shares = RUNNERS[which](victim, examples)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "shares": shares,
                "seconds": seconds,
                "rise": (peak - before) / 1024,
                "name": victim.name,
                "n": len(examples),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/sst2"))
    parser.add_argument("--model", help="a run's id or name, or a folder")
    parser.add_argument("--only", choices=list(RUNNERS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    data = DataConfig(str(args.data / "train.tsv"), "0", "1", str(args.data / "dev.tsv"))
    if args.only:
        measure(args.only, args.model, data)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = args.model
        if not model:
            for _ in train(RunConfig(data=data, model=ModelConfig("tiny")), Path(folder)):
                pass
            model = str(Path(folder) / "model")
        found = {}
        for which in RUNNERS:
            command = [sys.executable, __file__, "--data", str(args.data), "--model", model]
            done = subprocess.run(
                [*command, "--only", which], capture_output=True, text=True, check=True
            )
            found[which] = json.loads(done.stdout.splitlines()[-1])
    mine, other = found["advlab"], found["Foolbox"]
    print(f"{mine['name']}, {mine['n']} texts, PGD-{STEPS}\n")
    print("| ε, × mean norm | advlab evaluate | Foolbox |\n|---|---|---|")
    for eps, x, y in zip(RADII, mine["shares"], other["shares"], strict=True):
        print(f"| {eps:g} | {100 * x:.1f} | {100 * y:.1f} |")
    print(f"| seconds | {mine['seconds']:.1f} | {other['seconds']:.1f} |")
    print(f"| peak memory rose by, MiB | {mine['rise']:.0f} | {other['rise']:.0f} |")
    print(f"\nFoolbox takes {other['seconds'] / mine['seconds']:.1f} × as long.")


if __name__ == "__main__":
    main()
