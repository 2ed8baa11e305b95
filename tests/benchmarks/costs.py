"""What a training step of each method costs, in plain steps: all in one run. Prints a Markdown table.

python tests/benchmarks/costs.py                     tiny and MiniLM, one thread
python tests/benchmarks/costs.py --models tiny

A step is all of it: gradients to zero, the method's passes, clipping, the optimiser. CPU time of this
process, so that other work on the machine matters less. Every method and plain training take the same
batches in turn; the first batch warms up. Texts of the built-in reviews, and "long" ones of as many
tokens as the published measurement had (MiniLM, 16 texts of 64), made by joining reviews.

The last column is the bound that a row must keep on the long texts of MiniLM (see `BOUNDS`); the
command ends with an error where one does not.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from dataclasses import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.records import Example
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.training.loop import prepare
from advlab.training.methods import METHODS, Step, build_method

DEEPER = "hidden, δ at layer 4"  # of MiniLM's six
ROWS = {name: {"name": name} for name in METHODS} | {DEEPER: {"name": "hidden", "layer": 4}}
BOUNDS = {"fgm": 1.9, "freelb": 2.9, "pgd": 3.8}  # × plain: FreeLB-3, PGD-3 with the clean half
LONG = 64  # tokens


def costs(model: str, batches: int, size: int, long: bool) -> dict[str, float]:
    """Row -> CPU seconds of its steps ÷ those of plain ones, on the same batches."""
    config = RunConfig(
        data=DataConfig("reviews"),
        model=ModelConfig(model, max_length=LONG),
        train=TrainConfig.for_model(model, batch_size=size),
    )
    victim, data = prepare(config)
    victim.model.train()
    parameters = [p for p in victim.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.0)  # the work of a step, and the same weights
    methods = {
        name: build_method(settings)
        for name, settings in ROWS.items()
        if name != DEEPER or model == "minilm"
    }
    spent = dict.fromkeys(methods, 0.0)
    texts = sorted(data.train, key=lambda e: len(e.text))
    count = size * (batches + 1)
    if long:
        texts = [_joined(texts, i) for i in range(count)]
    else:
        texts = texts[len(texts) // 4 : len(texts) // 4 + count]
    for i in range(batches + 1):
        batch = victim.encode(texts[i * size : (i + 1) * size])
        for name, method in methods.items():
            generator, carry = torch.Generator().manual_seed(i), {}
            began = time.process_time()
            for _ in range(method.replays):
                optimizer.zero_grad(set_to_none=True)
                method.backward(victim, batch, Step(1.0, generator, carry))
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
            if i:
                spent[name] += time.process_time() - began
    return {name: seconds / spent["plain"] for name, seconds in spent.items()}


def _joined(texts: list[Example], i: int) -> Example:
    """A text that fills the length: as many reviews as it takes, from place i on."""
    words = " ".join(texts[(i + k) % len(texts)].text for k in range(LONG))
    return replace(texts[i], text=" ".join(words.split()[:LONG]))


def broken_bounds(ratios: dict[str, float]) -> list[str]:
    """What is dearer than it may be."""
    found = [
        f"{name} costs {ratios[name]:.2f}, above {bound}"
        for name, bound in BOUNDS.items()
        if ratios[name] > bound
    ]
    if ratios["hidden"] >= ratios["pgd"]:
        found.append(f"hidden costs {ratios['hidden']:.2f}, not less than pgd")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["tiny", "minilm"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    sizes = {"tiny": (40, 32), "minilm": (6, 16)}
    found = {
        f"{model}{', long' if long else ''}": costs(model, *sizes.get(model, (6, 16)), long)
        for model in args.models
        for long in (False, True)
    }
    print(
        f"{datetime.date.today()}, torch {torch.__version__}, one thread, {platform.machine()}; "
        "CPU time of whole steps, × plain\n"
    )
    print("| method | " + " | ".join(found) + " | bound |")
    print("|---" * (2 + len(found)) + "|")
    for name in ROWS:
        cells = [f"{ratios[name]:.2f}" if name in ratios else "–" for ratios in found.values()]
        bound = "below pgd" if name == "hidden" else BOUNDS.get(name, "")
        print(f"| {name} | {' | '.join(cells)} | {bound} |")
    if "minilm, long" in found and (broken := broken_bounds(found["minilm, long"])):
        sys.exit("; ".join(broken))


if __name__ == "__main__":
    main()
