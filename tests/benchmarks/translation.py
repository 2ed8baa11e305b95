"""Translation, plain and adversarial: exact match, BLEU, chrF; clean, under δ, noise, misspellings.

    python tests/benchmarks/translation.py --seed 0                       normal-forms, both recipes
    python tests/benchmarks/translation.py --corpus phrases --methods plain
    python tests/benchmarks/translation.py --corpus multi30k --data FOLDER --misspellings FILE

Trains from scratch as `RECIPES` says, on one thread, and prints a Markdown table for each model under
the CPU seconds of its training, validation included. Exact match is counted as
`advlab.attacks.evaluate` does (PGD-10, one L2 ball an example, ε × mean word-vector norm). BLEU, chrF
are sacrebleu's, of what greedy decoding writes; under δ, at the δ of the highest loss. FOLDER holds
Multi30k (Elliott et al. 2016, 1605.00459): train, val and test_2016_flickr, each .en.gz and .de.gz; of
its training pairs 10,000 are used, of its 1,000 test pairs all clean and misspelt, the first --texts
under attack. Misspelt: single slips (`advlab.attacks.text.edits.typo`), and what people really wrote:
FILE (.gz) has a word and its misspellings a line, as the lists of Belinkov and Bisk 2018 (1711.02173).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.attacks import PGD, Attack, RandomNoise
from advlab.attacks.evaluate import by_length, share_of, survives
from advlab.attacks.text.edits import typo
from advlab.data import normal_forms, phrases, translations
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.runs.config import DataConfig, ModelConfig, Regularisation, RunConfig, TrainConfig
from advlab.runs.starters import STARTERS, starter_pair
from advlab.tasks.bleu import bleu, chrf, tokenizer_for
from advlab.training import loop

CORPORA = {"normal-forms": normal_forms.build, "phrases": phrases.build}
SHORT = replace(STARTERS["translation"].train, epochs=8)
# hardly any caption is met word for word: no epoch could be chosen by exact matches
LONG = TrainConfig(
    epochs=7,
    batch_size=64,
    lr=2e-3,
    weight_decay=0.01,
    label_smoothing=0.1,
    eval_limit=64,
    choose="last",
)
RECIPES: dict[str, dict[str, Any]] = {
    "normal-forms": {"model": ModelConfig("tiny"), "train": SHORT, "dropout": 0.0},
    "phrases": {"model": ModelConfig("tiny"), "train": SHORT, "dropout": 0.0},
    "multi30k": {"model": ModelConfig("small", max_length=64), "train": LONG, "dropout": None},
}
METHODS: dict[str, dict[str, Any]] = {
    "plain": {"name": "plain"},
    "freelb": {"name": "freelb", "eps": 0.5, "steps": 2},
    "pgd": {"name": "pgd", "eps": 0.5, "steps": 2},
}


def multi30k(folder: Path, limit: int = 10_000) -> Dataset:
    """The pairs of three parallel files each; the training pairs are drawn once, for all seeds."""
    parts = {}
    for name, part in (("train", "train"), ("val", "validation"), ("test_2016_flickr", "test")):
        parts[part] = translations.read(folder / f"{name}.en.gz", DataConfig("multi30k"))
    random.Random(0).shuffle(parts["train"])
    known = {e.text for e in (*parts["validation"], *parts["test"])}
    parts["train"] = [e for e in parts["train"] if e.text not in known][:limit]
    train, validation, test = (tuple(parts[name]) for name in ("train", "validation", "test"))
    return Dataset("multi30k", (), train, validation, test)


def trained(data: Dataset, config: RunConfig, folder: Path) -> tuple[Victim, float]:
    """The kept model, and CPU seconds."""
    loop.load_data = lambda *_, **__: data
    started = time.process_time()
    for event in loop.train(config, folder):
        if event.kind in ("epoch", "alarm"):
            told = event.values
            print(
                event.kind,
                event.step,
                round(time.process_time() - started),
                told.get("validation_loss"),
                told.get("message", ""),
                flush=True,
            )
    return Victim.load(folder / "model"), time.process_time() - started


def written(victim: Victim, examples: Sequence[Example], attack: Attack | None = None) -> list[str]:
    """What greedy decoding writes, clean or under the attack's δ."""
    said = [""] * len(examples)
    generator = torch.Generator().manual_seed(0)
    with victim.analysing():
        for places, batch in by_length(victim, examples, 128):
            embeds = victim.embed(batch).detach()
            if attack:
                raw = attack.at(victim.scale)
                found = raw(victim.objective(batch), embeds, batch.perturbable, generator)
                embeds = embeds + found.delta
            for place, text in zip(places, victim.answers(embeds, batch), strict=True):
                said[place] = text
    return said


def misspelt(
    examples: Sequence[Example], share: float, known: Mapping[str, Sequence[str]] | None = None
) -> list[Example]:
    """Sources in which a share of the words has a slip, or of those that are `known` one of theirs."""
    dice = random.Random(0)

    def changed(word: str) -> str:
        if known is None:
            return typo(word, dice) if dice.random() < share else word
        options = known.get(word.lower())
        return dice.choice(options) if options and dice.random() < share else word

    return [replace(e, text=" ".join(map(changed, e.text.split()))) for e in examples]


def natural(file: Path) -> dict[str, list[str]]:
    """Words and how people misspell them; what is another word of the list is no misspelling."""
    with gzip.open(file, "rt", encoding="utf-8", errors="replace") as lines:
        rows = [line.split() for line in lines]
    words = {row[0] for row in rows if row}
    found = {row[0]: [w for w in row[1:] if w not in words] for row in rows if row}
    return {word: options for word, options in found.items() if options}


def report(
    victim: Victim,
    data: Dataset,
    texts: int,
    radii: Sequence[float],
    known: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """Lines of the table: condition, texts, exact match, BLEU, chrF."""
    real = data.name == "multi30k"
    signatures: dict[str, None] = {}

    def line(name: str, examples: Sequence[Example], attack: Attack | None, exact: bool) -> str:
        said, references = written(victim, examples, attack), [e.answers for e in examples]
        cut = tokenizer_for(references)
        figures = [
            bleu(said, references, tokenize=cut, lower=real),
            chrf(said, references, lower=real),
        ]
        signatures[figures[0].signature] = None
        kept = str(share_of(survives(victim, examples, attack))) if exact else "–"
        told = " | ".join(str(f.estimate) for f in figures)
        return f"| {name} | {len(examples)} | {kept} | {told} |"

    some = data.test[:texts]
    yield line("clean", some, None, True)
    # the languages of phrases, the kinds of normal forms
    for part in sorted({e.more[0] for e in some if e.more}):
        mine = [e for e in some if e.more[0] == part]
        yield line(f"clean, {part[1]}", mine, None, True)
    for eps in radii:
        yield line(f"PGD-10 ε {eps:g}", some, PGD(eps, steps=10), True)
        yield line(f"noise ε {eps:g}", some, RandomNoise(eps), True)
    if real:
        yield line("clean", data.test, None, True)
        for share in (0.1, 0.3):
            yield line(f"slips {share:g}", misspelt(data.test, share), None, False)
        for share in (0.1, 0.3) if known else ():
            changed = misspelt(data.test, share, known)
            told = sum(
                a != b
                for e, m in zip(data.test, changed, strict=True)
                for a, b in zip(e.text.split(), m.text.split(), strict=True)
            ) / sum(len(e.text.split()) for e in data.test)
            yield line(f"misspelt {share:g} ({told:.0%} of words)", changed, None, False)
    yield f"signature {' and '.join(signatures)}"


def config_of(corpus: str, method: str, seed: int, settings: dict[str, Any]) -> RunConfig:
    """The run: on normal-forms one of the starter pair, else as `RECIPES` says."""
    if corpus == "normal-forms" and method in ("plain", "freelb"):
        plain, robust = starter_pair(seed, "translation")
        return replace(plain if method == "plain" else robust, task_settings=settings)
    recipe = RECIPES[corpus]
    return RunConfig(
        method,
        data=DataConfig(corpus, task="translation"),
        model=recipe["model"],
        method=METHODS[method],
        regularise=Regularisation(dropout=recipe["dropout"]),
        train=replace(recipe["train"], seed=seed),
        task_settings=settings,
    )


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--corpus", default="normal-forms", choices=RECIPES)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--methods", nargs="+", default=["plain", "freelb"], choices=METHODS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", type=json.loads, default={}, help="of the task, as JSON")
    parser.add_argument(
        "--train", type=json.loads, default={}, help="settings of training, as JSON"
    )
    parser.add_argument("--texts", type=int, default=800)
    parser.add_argument("--eps", type=float, nargs="+", default=[0.25, 0.5])
    parser.add_argument("--misspellings", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = multi30k(args.data) if args.corpus == "multi30k" else CORPORA[args.corpus]()
    known = natural(args.misspellings) if args.misspellings else {}
    for name in args.methods:
        config = config_of(args.corpus, name, args.seed, args.settings)
        config = replace(config, train=replace(config.train, **args.train))
        with tempfile.TemporaryDirectory() as folder:
            victim, seconds = trained(data, config, Path(folder))
        print(f"\n{args.corpus}, {name}, seed {args.seed}: {seconds:.0f} CPU seconds\n")
        print("| | texts | exact | BLEU | chrF |\n|---|---|---|---|---|")
        for line in report(victim, data, args.texts, args.eps, known):
            print(line, flush=True)


if __name__ == "__main__":
    main()
