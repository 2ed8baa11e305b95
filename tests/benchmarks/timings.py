"""How long things take: the first page, a picture, a step, and how much of a batch is padding.

python tests/benchmarks/timings.py            one thread, prints a Markdown table
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.attacks import PGD
from advlab.attacks.evaluate import by_length
from advlab.explain.explore import explore
from advlab.model.victim import Victim
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.training.loop import epoch_batches, prepare
from advlab.training.methods import Plain, Step, inputs

SENTENCE = "The plot is slow, but the acting is wonderful and I would see it again."


def first_page() -> float | None:
    """Seconds from the start command to the button that trains the starter pair."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        began = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "advlab", "app", "--port", str(port), "--no-browser"],
            env=os.environ | {"ADVLAB_HOME": home},
            stdout=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    page.goto(f"http://127.0.0.1:{port}")
                    break
                except Exception:  # refused until the server listens
                    time.sleep(0.05)
            page.get_by_role("button", name="Train the starter pair").wait_for()
            return time.perf_counter() - began
        finally:
            server.terminate()
            server.wait()
            browser.close()


def picture(victim: Victim) -> float:
    """Median seconds from a sentence to its record, after one to warm up."""
    times = []
    for seed in range(6):
        began = time.perf_counter()
        explore(victim, SENTENCE, attack=PGD(), seed=seed)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def step_ratio(victim: Victim, texts: list, steps: int) -> float:
    """Seconds of a PGD training step divided by those of a plain one, alternating on each batch."""
    spent = {"plain": 0.0, "pgd": 0.0}
    methods = {"plain": Plain(), "pgd": inputs.PGD(steps=steps)}
    victim.model.train()
    for i, (_, batch) in enumerate(by_length(victim, texts, 32)):
        for name, method in methods.items():
            victim.model.zero_grad(set_to_none=True)
            began = time.perf_counter()
            method.backward(victim, batch, Step())
            if i:  # the first batch warms up
                spent[name] += time.perf_counter() - began
    victim.model.eval()
    return spent["pgd"] / spent["plain"]


def padding(victim: Victim, texts: list, size: int = 32) -> tuple[float, float]:
    """Share of padding in training batches: buckets of length, and at random."""
    lengths = [len(ids) for ids in victim.tokenizer([e.text for e in texts])["input_ids"]]

    def share(batches: list[list[int]]) -> float:
        whole = sum(len(b) * max(lengths[i] for i in b) for b in batches)
        return 1 - sum(lengths) / whole

    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(0)).tolist()
    shuffled = [order[i : i + size] for i in range(0, len(order), size)]
    return share(epoch_batches(lengths, size, 0, 0)), share(shuffled)


def main() -> None:
    torch.set_num_threads(1)
    tiny, data = prepare(
        RunConfig(data=DataConfig("reviews"), model=ModelConfig("tiny"), train=TrainConfig())
    )
    minilm = Victim.load("minilm", head=data.head)
    texts = list(data.train)
    rows = [
        ("start command to usable first page", f"{first_page() or float('nan'):.1f} s"),
        ("attack to record, tiny", f"{picture(tiny):.2f} s"),
        ("attack to record, MiniLM", f"{picture(minilm):.2f} s"),
        ("PGD-3 training step / plain step, tiny", f"{step_ratio(tiny, texts[:640], 3):.2f}"),
        ("PGD-1 training step / plain step, tiny", f"{step_ratio(tiny, texts[:640], 1):.2f}"),
        ("PGD-3 training step / plain step, MiniLM", f"{step_ratio(minilm, texts[:96], 3):.2f}"),
        (
            "padding in training batches, reviews",
            "{:.1%} (random batches {:.1%})".format(*padding(tiny, texts)),
        ),
    ]
    sst2 = Path("../shared/data/sst2/train.tsv")
    if sst2.is_file():
        longer, other = prepare(RunConfig(data=DataConfig(str(sst2), "0", "1")))
        shares = "{:.1%} (random batches {:.1%})".format(*padding(longer, list(other.train)))
        rows.append(("padding in training batches, SST-2", shares))
    print("| what | measured |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
