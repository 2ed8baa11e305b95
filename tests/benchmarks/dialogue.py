"""The starter pair of dialogue: plain and adversarial on `assistant`. A Markdown table for one seed.

    python tests/benchmarks/dialogue.py 0
    python tests/benchmarks/dialogue.py 0 --models plain --keep FOLDER
    python tests/benchmarks/dialogue.py 0 --models early         ε rises from the first steps on
    python tests/benchmarks/dialogue.py 0 --models c-advul hidden       lures, in words and in a layer

Test split, exact match, PGD-10 in one L2 ball a history; CPU seconds of one thread. Targeted: PGD-10
lowers the loss of another reply of the same kind, and a hit is that reply word for word; controls are
the `untrained` model and the ε at which half of the targets are met. Perplexity is per token of the
reply under teacher forcing.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from advlab.attacks import PGD
from advlab.attacks.evaluate import by_length, first_broken, first_noisy
from advlab.data import assistant, assistant_edits
from advlab.model.victim import Victim
from advlab.records import Estimate, Example
from advlab.records.estimates import share_of
from advlab.runs.config import RunConfig
from advlab.runs.starters import starter_pair
from advlab.studies.stability import stability
from advlab.tasks.replies import distinct, flip_rate, perplexity
from advlab.training import loop

RADII = (0.125, 0.25, 0.5)
LURES = {  # training against a wrong reply instead of any; 2 steps of ε 0.3, as the starter has
    "c-advul": {"name": "c-advul"},
    "hidden": {"name": "c-advul", "site": "hidden", "layer": 1},
}


def starter(name: str, seed: int) -> RunConfig:
    """The settings of one of the two; "early" is the adversarial one with ε from the first steps."""
    pair = starter_pair(seed, "dialogue")
    plain, robust = (replace(c, train=replace(c.train, history=0)) for c in pair)
    if name in ("plain", "untrained"):
        return plain
    if name == "early":
        early = replace(plain.train, clean_start=0.2, clean_until=0.97, eps_warmup=0.5)
        return replace(robust, name=name, train=early)
    if name in LURES:
        return replace(robust, name=name, method=robust.method | LURES[name])
    return robust


def cell(rate: Estimate) -> str:
    return f"{100 * rate.value:.1f} [{100 * rate.low:.0f}–{100 * rate.high:.0f}]"


def other_replies(examples: Sequence[Example]) -> list[Example]:
    """Each with the reply of another history of its kind in place of its own."""
    dice, found = random.Random(0), []
    for example in examples:
        others = [e for e in examples if e.more[0] == example.more[0]]
        others = [e for e in others if e.answers != example.answers] or [
            e for e in examples if e.answers != example.answers
        ]
        found.append(replace(example, answers=dice.choice(others).answers))
    return found


def met(victim: Victim, targets: Sequence[Example], eps: float) -> Estimate:
    """The share of the targets that are the greedy reply at some iterate."""
    attack, hits = PGD(eps, steps=10, targeted=True).at(victim.scale), []
    generator = torch.Generator().manual_seed(0)
    with victim.analysing():
        for _, batch in by_length(victim, targets, 128):
            objective = victim.objective(batch, targeted=True)
            embeds = victim.embed(batch).detach()
            flips = objective.flips
            found = attack(objective, embeds, batch.perturbable, generator, flips=flips)
            hits += (found.first_flip >= 0).tolist()
    return share_of(hits)


def half_met(victim: Victim, targets: Sequence[Example]) -> str:
    """The first ε of a few at which half of the targets are met."""
    tried = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
    found = next((e for e in tried if met(victim, targets, e).value >= 0.5), None)
    return f"> {tried[-1]:g}" if found is None else f"{found:g}"


def replies(victim: Victim, examples: Sequence[Example], eps: float) -> tuple[list[str], float]:
    """Greedy replies under PGD-10 (0: clean), and the perplexity of the references there."""
    said, nats, tokens = [""] * len(examples), [], []
    attack = PGD(eps, steps=10).at(victim.scale)
    with victim.analysing():
        for places, batch in by_length(victim, examples, 128):
            embeds = victim.embed(batch).detach()
            objective = victim.objective(batch)
            if eps:
                embeds = embeds + attack(objective, embeds, batch.perturbable).delta
            with torch.no_grad():
                nats += objective(embeds).tolist()
            tokens += (batch.target["labels"] >= 0).sum(1).tolist()
            for place, text in zip(places, victim.answers(embeds, batch), strict=True):
                said[place] = text
    return said, perplexity(nats, tokens)


def measure(name: str, victim: Victim, test: Sequence[Example], seconds: float) -> None:
    """Print the rows of one model."""
    first = first_broken(victim, test, PGD(max(RADII), steps=10), RADII)
    told = [name, f"{seconds:.0f}", cell(share_of([k >= 0 for k in first]))]
    told += [cell(share_of([k > place for k in first])) for place in range(len(RADII))]
    noisy = first_noisy(victim, test, PGD(0.25), (0.25,), draws=3)
    told.append(cell(share_of([k > 0 for k in noisy])))
    some = test[:300]
    targets = other_replies(some)
    told += [cell(met(victim, targets, eps)) for eps in RADII[1:]]
    told.append(half_met(victim, targets[:100]))
    (clean, plain), (shaken, under) = replies(victim, some, 0.0), replies(victim, some, 0.25)
    told += [f"{plain:.3f} → {under:.2f}", cell(flip_rate(clean, shaken))]
    told += [f"{distinct(clean, 2):.3f} → {distinct(shaken, 2):.3f}"]
    print("| " + " | ".join(told) + " |", flush=True)
    edits = stability(victim, assistant_edits.contrasts(test))
    print(
        f"{name}, edits: over-stable {cell(edits.over_stable)}, right after a change "
        f"{cell(edits.followed)}, over-sensitive {cell(edits.over_sensitive)}"
    )
    kinds = sorted({e.more[0][1] for e in test})
    held = [e for e in test if e.more[1][1] == "yes"]
    right = {e.id: k >= 0 for e, k in zip(test, first, strict=True)}
    print(f"{name}, held-out pairs: {cell(share_of([right[e.id] for e in held]))}")
    for kind in kinds:
        mine = [right[e.id] for e in test if e.more[0][1] == kind]
        print(f"{name}, {kind}: {cell(share_of(mine))}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("seed", type=int)
    parser.add_argument("--models", nargs="+", default=["untrained", "plain", "adversarial"])
    parser.add_argument("--keep", type=Path, help="a folder for the runs")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    corpus = assistant.build()
    loop.load_data = lambda *_, **__: corpus
    print(
        "| model | CPU s | exact | ε 0.125 | ε 0.25 | ε 0.5 | noise 0.25 | targeted 0.25 "
        "| targeted 0.5 | half met at | perplexity, under 0.25 | flipped at 0.25 "
        "| distinct-2, under 0.25 |"
    )
    print("|" + "---|" * 13, flush=True)
    with tempfile.TemporaryDirectory() as scrap:
        for name in asked.models:
            config = starter(name, asked.seed)
            victim, data = loop.prepare(config)
            began = time.process_time()
            if name != "untrained":
                folder = (asked.keep or Path(scrap)) / f"{name}-{asked.seed}"
                for _ in loop.train(config, folder):
                    pass
                seconds = time.process_time() - began
                victim = Victim.load(folder / "model")
            else:
                seconds = 0.0
            measure(name, victim, data.test, seconds)


if __name__ == "__main__":
    main()
