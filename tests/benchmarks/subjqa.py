"""SubjQA, questions to reviews of restaurants: plain training against PGD and FreeLB. A Markdown table.

    python tests/benchmarks/subjqa.py --data FOLDER
    python tests/benchmarks/subjqa.py --data FOLDER --methods plain --model minilm --lr 5e-5

FOLDER holds `train.csv.gz`, `dev.csv.gz` (chooses the threshold of "no answer") and `test.csv.gz`. δ is
on text and question. Exact match and F1 as SQuAD 2.0 counts them, F1 also apart for questions with and
without an answer, clean, under noise and under PGD-10 of the same norm, with bootstrap intervals over
questions. The first line is one who never answers. More than half of the questions have no answer,
and a tiny model from scratch knows no English: read what an attack takes, not how good a model is.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.attacks import PGD, RandomNoise
from advlab.attacks.answers import answers
from advlab.data import questions
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.records.estimates import Resampled
from advlab.records.examples import NO_ANSWER
from advlab.records.measured import Quoted
from advlab.runs.config import DataConfig, ModelConfig, Regularisation, RunConfig, TrainConfig
from advlab.tasks.quoted import quote
from advlab.training import loop

METHODS = {
    "plain": {"name": "plain"},
    "pgd": {"name": "pgd", "eps": 0.25, "steps": 2, "step_size": 0.75},
    "freelb": {"name": "freelb", "eps": 0.25, "steps": 2},
}
FIGURES = ("exact match", "F1", "F1 with an answer", "F1 without one")
WHEN: dict[str, Callable[[Quoted], Resampled]] = {
    "clean": lambda figure: figure.clean,
    "noise 0.25": lambda figure: figure.noisy[0],
    "PGD-10, 0.25": lambda figure: figure.robust[0],
}


def subjqa(folder: Path, limit: int | None, texts: int | None) -> Dataset:
    """The three files, as they are; of training and test questions only the first so many."""
    config = DataConfig("subjqa", task="qa")
    train, dev, test = (
        tuple(questions.read(folder / f"{part}.csv.gz", config))
        for part in ("train", "dev", "test")
    )
    return Dataset("subjqa", (), train[:limit], dev, test[:texts])


def cell(figure: Resampled) -> str:
    """A share in per cent, with its interval."""
    found = figure.estimate
    return f"{100 * found.value:.1f} [{100 * found.low:.0f}–{100 * found.high:.0f}]"


def table_of(name: str, seconds: float, victim: Victim, test: Sequence[Example]) -> list[str]:
    """The lines of a model: clean, under noise, under attack."""
    said = [answers(victim, test, attack) for attack in (None, RandomNoise(0.25), PGD(steps=10))]
    found = {q.name: q for q in quote(victim.task, said[0], said[2:], said[1:2], test)}
    lines = []
    for when, part in WHEN.items():
        cells = " | ".join(cell(part(found[figure])) for figure in FIGURES)
        lines.append(f"| {name}, {when} | {seconds:.0f} | {cells} |")
    return lines


def silent(test: Sequence[Example]) -> str:
    """The line of one who never answers."""
    none = sum(e.answer == NO_ANSWER for e in test) / len(test)
    return f"| never an answer | 0 | {100 * none:.1f} | {100 * none:.1f} | 0.0 | 100.0 |"


def config_of(method: str, args: argparse.Namespace) -> RunConfig:
    """A run of a method; the epoch that is best on clean and attacked questions of `dev` is kept."""
    return RunConfig(
        method,
        data=DataConfig("subjqa", task="qa"),
        model=ModelConfig(args.model, max_length=args.length),
        method=METHODS[method],
        regularise=Regularisation(dropout=0.1),
        train=TrainConfig.for_model(
            args.model,
            method,
            epochs=args.epochs,
            lr=args.lr,
            batch_size=16,
            weight_decay=0.01,
            eval_limit=64,
            history=0,
            seed=args.seed,
        ),
        task_settings={"where": "both"},
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--length", type=int, default=384, help="tokens; longer reviews are cut")
    parser.add_argument("--limit", type=int, help="training questions")
    parser.add_argument("--texts", type=int, help="test questions")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = subjqa(args.data, args.limit, args.texts)
    loop.load_data = lambda *_, **__: data
    print(f"| training | CPU s | {' | '.join(FIGURES)} |\n" + "|---" * (2 + len(FIGURES)) + "|")
    print(silent(data.test), flush=True)
    for method in args.methods:
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            for _ in loop.train(config_of(method, args), Path(folder)):
                pass
            seconds = time.process_time() - began
            victim = Victim.load(Path(folder) / "model")
        print("\n".join(table_of(method, seconds, victim, data.test)), flush=True)


if __name__ == "__main__":
    main()
