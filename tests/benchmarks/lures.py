"""Fine-tuning against lures: a dialogue model before and after C-AdvUL, beside PGD and plain training.

    advlab demo --task dialogue
    python tests/benchmarks/lures.py ~/.advlab/runs/RUN/model       seeds 0, 1, 2 of the fine-tuning
    python tests/benchmarks/lures.py FOLDER --methods c-advul --steps 200 --seeds 0

As Xhonneux et al. (2024, arXiv:2405.15589) have it, a model that is trained already learns on: here on
`assistant`, ε 0.3 × mean norm, rising over the first third. Targeted: the share of histories for which
PGD-10 finds another reply of the same kind, word for word, at some iterate. Utility: exact match of the
greedy reply to clean test texts. Shares in per cent with 95 % intervals over texts; CPU seconds of one
thread. A first row is the model as it came.
"""

from __future__ import annotations

import argparse
import os
import random
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from dialogue import cell, met, other_replies

from advlab.attacks import PGD
from advlab.attacks.evaluate import first_broken
from advlab.data import assistant, assistant_edits
from advlab.model.victim import Victim
from advlab.records import Dataset
from advlab.records.estimates import share_of
from advlab.studies.stability import stability
from advlab.training.methods import Method, Step, build_method

METHODS = {
    "plain": {"name": "plain"},
    "pgd": {"name": "pgd", "eps": 0.3, "steps": 2},
    "c-advul": {"name": "c-advul", "eps": 0.3, "steps": 2},
    "c-advul in layer 1": {"name": "c-advul", "eps": 0.3, "steps": 2, "site": "hidden", "layer": 1},
}
B = 32


def tuned(victim: Victim, data: Dataset, method: Method, steps: int, lr: float, seed: int) -> None:
    """Train the victim on, in place."""
    parameters = [p.requires_grad_() for p in victim.model.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.01)
    dice, draw = torch.Generator().manual_seed(seed), random.Random(seed)
    victim.model.train()
    for step in range(steps):
        batch = victim.encode(draw.sample(data.train, B))
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, 10 * (step + 1) / steps) * (1 - step / steps)
        optimizer.zero_grad(set_to_none=True)
        method.backward(victim, batch, Step(min(1.0, 3 * (step + 1) / steps), dice))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        victim.normalise_table()
    victim.model.eval()
    victim.forget()


def row(name: str, victim: Victim, data: Dataset, texts: int, seconds: float) -> None:
    """Print what one model comes to."""
    test = data.test[:texts]
    targets = other_replies(test)
    first = first_broken(victim, test, PGD(0.25, steps=10), (0.25,))
    edits = stability(victim, assistant_edits.contrasts(test[:100]))
    told = [name, f"{seconds:.0f}", cell(share_of([k >= 0 for k in first]))]
    told += [cell(met(victim, targets, eps)) for eps in (0.25, 0.5, 1.0)]
    told += [cell(share_of([k > 0 for k in first]))]
    told += [cell(edits.over_stable), cell(edits.over_sensitive)]
    print("| " + " | ".join(told) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("model", help="the folder of a trained dialogue model")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--texts", type=int, default=200)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = assistant.build()
    print(
        "| fine-tuned by | CPU s | utility | targeted 0.25 | targeted 0.5 | targeted 1 | exact at 0.25 "
        "| over-stable | over-sensitive |\n" + "|---" * 9 + "|",
        flush=True,
    )
    row("nothing", Victim.load(asked.model), data, asked.texts, 0.0)
    for name in asked.methods:
        for seed in asked.seeds:
            victim = Victim.load(asked.model)
            began = time.process_time()
            tuned(victim, data, build_method(METHODS[name]), asked.steps, asked.lr, seed)
            seconds = time.process_time() - began
            row(f"{name}, seed {seed}", victim, data, asked.texts, seconds)


if __name__ == "__main__":
    main()
