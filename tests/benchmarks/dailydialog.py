"""DailyDialog: plain training against PGD and FreeLB. A Markdown table for one seed.

    python tests/benchmarks/dailydialog.py --data FOLDER
    python tests/benchmarks/dailydialog.py --data FOLDER --model STORIES --lr 1e-3

FOLDER holds `reccon_train.jsonl.gz` (trained on: the last reply of its first --limit dialogues; a pass
over one teaches the turns of the bot before it too) and `validation.json.gz` (tested on: the last
reply of the first --texts dialogues). STORIES is a Hugging Face folder of a causal model; without it a
tiny one is trained from scratch. Replies of people are hardly ever written word for word, so exact
match says nothing: perplexity, per token of the model's own tokenizer, with bootstrap intervals over
dialogues; and the share of the model's own replies that a δ changes.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.attacks import PGD, Attack, RandomNoise
from advlab.attacks.evaluate import by_length
from advlab.data import dialogues
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.records.estimates import share_of
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.tasks.replies import distinct, perplexity
from advlab.training import loop

METHODS = {
    "plain": {"name": "plain"},
    "pgd": {"name": "pgd", "eps": 0.25, "steps": 2},
    "freelb": {"name": "freelb", "eps": 0.25, "steps": 2},
}


def dailydialog(folder: Path, limit: int, texts: int) -> Dataset:
    """Whole dialogues in each split, of each its last reply."""
    config = DataConfig("dailydialog", task="dialogue")

    def last(name: str) -> list[Example]:
        return list({e.more: e for e in dialogues.read(folder / name, config)}.values())

    train = last("reccon_train.jsonl.gz")[:limit]
    known = {e.text for e in train}
    held = [e for e in last("validation.json.gz") if e.text not in known]
    return Dataset("dailydialog", (), tuple(train), tuple(held[-64:]), tuple(held[:texts]))


def under(
    victim: Victim, examples: Sequence[Example], attack: Attack | None
) -> tuple[list[float], list[int], list[str]]:
    """Nats a token, tokens, and greedy replies: clean, or at the δ that the attack finds."""
    nats, counts, said = ([0.0] * len(examples), [0] * len(examples), [""] * len(examples))
    generator = torch.Generator().manual_seed(0)
    with victim.analysing():
        for places, batch in by_length(victim, examples, 64):
            objective, embeds = victim.objective(batch), victim.embed(batch).detach()
            if attack:
                raw = attack.at(victim.scale)
                embeds = embeds + raw(objective, embeds, batch.perturbable, generator).delta
            with torch.no_grad():
                found = objective(embeds).tolist()
            n = (batch.target["labels"] >= 0).sum(1).tolist()
            for i, loss, k, text in zip(
                places, found, n, victim.answers(embeds, batch), strict=True
            ):
                nats[i], counts[i], said[i] = loss, k, text
    return nats, counts, said


def interval(nats: Sequence[float], counts: Sequence[int]) -> str:
    """Perplexity with a 95 % bootstrap interval: 1,000 draws of dialogues."""
    dice, drawn = random.Random(0), []
    for _ in range(1000):
        rows = dice.choices(range(len(nats)), k=len(nats))
        drawn.append(perplexity([nats[i] for i in rows], [counts[i] for i in rows]))
    drawn.sort()
    return f"{perplexity(nats, counts):.1f} [{drawn[25]:.1f}–{drawn[974]:.1f}]"


def row(name: str, victim: Victim, test: Sequence[Example], seconds: float) -> str:
    """One line of the table."""
    clean = under(victim, test, None)
    told = [name, f"{seconds:.0f}", interval(*clean[:2])]
    for attack in (RandomNoise(0.25), PGD(0.25, steps=10)):
        found = under(victim, test, attack)
        changed = share_of([a != b for a, b in zip(clean[2], found[2], strict=True)])
        told += [interval(*found[:2]), str(changed)]
    told.append(f"{distinct(clean[2], 2):.2f}")
    return "| " + " | ".join(told) + " |"


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--limit", type=int, default=800)
    parser.add_argument("--texts", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = dailydialog(args.data, args.limit, args.texts)
    loop.load_data = lambda *_, **__: data
    print(
        "| training | CPU s | perplexity | noise 0.25 | changed | PGD-10, 0.25 | changed | distinct-2 |"
    )
    print("|" + "---|" * 8, flush=True)
    for name in args.methods:
        config = RunConfig(
            name,
            data=DataConfig("dailydialog", task="dialogue"),
            model=ModelConfig(args.model),
            method=METHODS[name],
            train=TrainConfig(
                epochs=args.epochs,
                lr=args.lr,
                weight_decay=0.01,
                eval_limit=16,
                choose="last",
                history=0,
                seed=args.seed,
            ),
        )
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            for _ in loop.train(config, Path(folder)):
                pass
            seconds = time.process_time() - began
            victim = Victim.load(Path(folder) / "model")
        print(row(name, victim, data.test, seconds), flush=True)


if __name__ == "__main__":
    main()
