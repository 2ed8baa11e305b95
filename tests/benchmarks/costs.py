"""What a training step of each method costs, in plain steps: all in one run. Prints a Markdown table.

python tests/benchmarks/costs.py                     tiny and MiniLM, one thread
python tests/benchmarks/costs.py --models tiny

Every method and plain training take the same batches in turn; the first batch warms up.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.methods import METHODS, build_method
from advlab.train import prepare

DEEPER = "hidden, δ at layer 4"  # of MiniLM's six
ROWS = {name: {"name": name} for name in METHODS} | {DEEPER: {"name": "hidden", "layer": 4}}


def costs(model: str, batches: int, size: int) -> dict[str, float]:
    """Row -> seconds of its steps ÷ seconds of plain ones, on the same batches."""
    config = RunConfig(
        data=DataConfig("reviews"), model=ModelConfig(model),
        train=TrainConfig.for_model(model, batch_size=size),
    )  # fmt: skip
    victim, data = prepare(config)
    victim.model.train()
    methods = {
        name: build_method(settings)
        for name, settings in ROWS.items()
        if name != DEEPER or model == "minilm"
    }
    spent = dict.fromkeys(methods, 0.0)
    texts = sorted(data.train, key=lambda e: len(e.text))
    middle = texts[len(texts) // 4 : len(texts) // 4 + size * (batches + 1)]
    for i in range(batches + 1):
        batch = victim.encode(middle[i * size : (i + 1) * size])
        for name, method in methods.items():
            generator, carry = torch.Generator().manual_seed(i), {}
            began = time.perf_counter()
            for _ in range(method.replays):
                victim.model.zero_grad(set_to_none=True)
                method.backward(victim, batch, strength=1.0, generator=generator, carry=carry)
            if i:
                spent[name] += time.perf_counter() - began
    return {name: seconds / spent["plain"] for name, seconds in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["tiny", "minilm"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = {
        model: costs(model, *((40, 32) if model == "tiny" else (6, 16))) for model in args.models
    }
    print("| method | " + " | ".join(f"{model}, × plain" for model in found) + " |")
    print("|---" * (1 + len(found)) + "|")
    for name in ROWS:
        cells = [f"{ratios[name]:.2f}" if name in ratios else "–" for ratios in found.values()]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
