"""Robust accuracy at seven ε: advlab against Foolbox on the same model, texts, steps and thread.

    python tests/benchmarks/foolbox_speed.py                 trains the tiny model plainly first
    python tests/benchmarks/foolbox_speed.py --model RUN

PGD-20, L2 over the whole text, from 0, step 0.1 ε, on `sst2/dev.tsv` in the folder given by --data.
Foolbox gets the same batches of similar length, and a model whose special tokens do not move.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from advlab.attacks import PGD
from advlab.commands import open_model
from advlab.config import DataConfig, ModelConfig, RunConfig
from advlab.data import load_data
from advlab.evaluate import by_length, first_broken, survives
from advlab.train import train
from advlab.victim import Victim

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
        return self.victim.logits(torch.where(free, x, self.embeds), self.batch)  # type: ignore[arg-type]


def ours(victim: Victim, examples: list) -> list[float]:
    attack = PGD(RADII[-1], steps=STEPS, step_size=STEP)
    places = first_broken(victim, examples, attack, RADII)
    return [sum(p > k for p in places) / len(examples) for k in range(len(RADII))]


def one_by_one(victim: Victim, examples: list) -> list[float]:
    """Every ε with an attack of its own on what the smaller ones left, as `advlab evaluate` does."""
    alive, found = list(examples), []
    for eps in RADII:
        attack = PGD(eps, steps=STEPS, step_size=STEP)
        kept = survives(victim, alive, attack, seed=0) if alive else []
        alive = [e for e, ok in zip(alive, kept, strict=True) if ok]
        found.append(len(alive) / len(examples))
    return found


def theirs(victim: Victim, examples: list) -> list[float]:
    from foolbox import PyTorchModel
    from foolbox.attacks import L2ProjectedGradientDescentAttack

    attack = L2ProjectedGradientDescentAttack(rel_stepsize=STEP, steps=STEPS, random_start=False)
    right = torch.zeros(len(RADII))
    with victim.analysing():
        for _, batch in by_length(victim, examples, 128):
            embeds = victim.embed(batch.input_ids).detach()
            model = PyTorchModel(Masked(victim, batch, embeds).eval(), bounds=(-1e4, 1e4))
            raw = [victim.scale.raw(eps, "norm") for eps in RADII]
            _, _, broken = attack(model, embeds, batch.labels, epsilons=raw)
            right += (~broken).float().sum(1)
    # as with advlab, a smaller δ lies in every larger ball
    shares = (right / len(examples)).tolist()
    return [min(shares[: k + 1]) for k in range(len(shares))]


def timed(run: object, *args: object) -> tuple[list[float], float, float]:
    """Shares, seconds, and by how many MiB the process's peak rose."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = run(*args)  # type: ignore[operator]
    seconds = time.perf_counter() - began
    return found, seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/sst2"))
    parser.add_argument("--model", help="a run's id or name, or a folder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = DataConfig(str(args.data / "train.tsv"), "0", "1", str(args.data / "dev.tsv"))
    if args.model:
        victim = open_model(args.model)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for _ in train(RunConfig(data=data, model=ModelConfig("tiny")), Path(folder)):
                pass
            victim = Victim.load(Path(folder) / "model")
    examples = list(load_data(data).test)
    survives(victim, examples[:128])  # warm
    a, fast, memory = timed(ours, victim, examples)
    c, middle, between = timed(one_by_one, victim, examples)
    b, slow, more = timed(theirs, victim, examples)
    print(f"{victim.name}, {len(examples)} texts, PGD-{STEPS}\n")
    print("| ε, × mean norm | first_broken | one by one | Foolbox |\n|---|---|---|---|")
    for eps, x, z, y in zip(RADII, a, c, b, strict=True):
        print(f"| {eps:g} | {100 * x:.1f} | {100 * z:.1f} | {100 * y:.1f} |")
    print(f"| seconds | {fast:.1f} | {middle:.1f} | {slow:.1f} |")
    print(f"| peak memory rose by, MiB | {memory:.0f} | {between:.0f} | {more:.0f} |")
    print(
        f"\nFoolbox takes {slow / fast:.1f} × as long as the first, {slow / middle:.1f} × the second."
    )


if __name__ == "__main__":
    main()
