"""advlab demo: the main job without a browser. Train a pair, compare it, attack one sentence."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from advlab.cli.flags import json_flag
from advlab.cli.printing import print_json, print_table, row_json
from advlab.cli.training import carry_out

if TYPE_CHECKING:
    from advlab.attacks import Attack
    from advlab.model.victim import Victim
    from advlab.records import AttackRecord, Example, Row

HELP = "The main job without a browser: train, compare, attack."
EXAMPLES = """examples:
  advlab demo                                 a minute or two on a free core
  advlab demo --json > demo.json              the same as one JSON object
  advlab demo --seed 1
  advlab demo --data dianping                 on reviews in Chinese
  advlab demo --task qa                       question answering; also translation, dialogue
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The task and the seed."""
    from advlab.runs.starters import STARTERS

    json_flag(parser)
    parser.add_argument("--task", choices=list(STARTERS), default=next(iter(STARTERS)))
    parser.add_argument(
        "--data",
        choices=[corpus for start in STARTERS.values() for corpus in start.corpora],
        help="corpus to train on (default: the task's first)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of both trainings (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Train the starter pair, compare it clean and under attack, attack one sentence."""
    from advlab.attacks import PGD
    from advlab.attacks.evaluate import evaluate
    from advlab.data import load_data
    from advlab.data.corpora import shown
    from advlab.model.victim import Victim
    from advlab.records.examples import constant
    from advlab.runs.starters import starter_group, starter_pair

    began = time.perf_counter()
    corpus = args.data or ""
    pair = starter_pair(args.seed, args.task, corpus)
    results = [carry_out(config, group=starter_group(args.task, corpus)) for config in pair]
    victims = [Victim.load(result["model"]) for result in results]
    data = load_data(pair[0].data)
    eps = pair[0].train.eval_eps
    attack, radii = PGD(eps, steps=20, step_size=0.2), [eps / 2, eps]
    majority, found, seconds = constant(list(data.test)), [], []
    for victim in victims:
        start = time.perf_counter()
        found.append(evaluate(victim, list(data.test), attack, eps=radii))
        seconds.append(time.perf_counter() - start)
    records = telling(victims, shown(data), attack, args.seed)
    summary = {
        "task": args.task,
        "data": data.name,
        "seed": args.seed,
        "attack": found[0].attack,
        "eps": eps,
        "unit": "norm",
        **_compared(results, found, seconds, majority, records),
        "seconds": round(time.perf_counter() - began, 2),
    }
    if args.json:
        print_json(summary)
        return 0
    print(
        f"\n{data.name}: {len(data.train)} training texts, {len(data.test)} test texts, "
        f"seed {args.seed}"
    )
    print_table(found, [config.name for config in pair], majority)
    _tell(summary)
    return 0


def telling(
    victims: Sequence[Victim], examples: Sequence[Example], attack: Attack, seed: int
) -> list[AttackRecord]:
    """A record a model of the first example that flips the first model and not the second.

    Of the last example where there is no such one.
    """
    from advlab.explain.explore import explore

    records: list[AttackRecord] = []
    for example in examples:
        records = [
            explore(v, example.text, beside=example.beside, attack=attack, seed=seed)
            for v in victims
        ]
        if records[0].flipped and not records[1].flipped:
            break
    return records


def _compared(
    results: Sequence[dict[str, Any]],
    found: Sequence[Row],
    seconds: Sequence[float],
    majority: float,
    records: Sequence[AttackRecord],
) -> dict[str, Any]:
    """The two models, what the second gains and costs, and what became of the sentence."""
    from advlab.pictures.sentences import headline

    models = [
        {
            "name": result["config"]["name"],
            "run": result["run"],
            "model": result["model"],
            "method": result["config"]["method"],
            "seconds_trained": round(result["end"]["seconds"], 2),
            "cost_ratio": result["end"].get("cost"),
            **row_json(row, majority, spent),
        }
        for result, row, spent in zip(results, found, seconds, strict=True)
    ]
    plain, robust = found
    return {
        "models": models,
        "robust_gain": robust.robust[-1].value - plain.robust[-1].value,
        "clean_loss": plain.clean.value - robust.clean.value,
        "training_time_ratio": models[1]["seconds_trained"] / models[0]["seconds_trained"],
        "sentence": {
            "text": records[0].text,
            "beside": records[0].beside,
            "found": {m["name"]: headline(r) for m, r in zip(models, records, strict=True)},
        },
    }


def _tell(summary: dict[str, Any]) -> None:
    print(
        f"\nUnder PGD-20 at ε = {summary['eps']:g} × the mean word-vector norm the adversarially "
        f"trained model keeps {summary['robust_gain']:+.1%} more;\nits clean accuracy differs by "
        f"{-summary['clean_loss']:+.1%}, its training took "
        f"{summary['training_time_ratio']:.1f} × as long."
    )
    print(f"\n“{summary['sentence']['text']}”")
    if summary["sentence"]["beside"]:
        print(f"beside it: {summary['sentence']['beside']}")
    for name, story in summary["sentence"]["found"].items():
        print(f"  {name}: {story}")
    print(f"\n{summary['seconds']:.0f} s in all. Next: advlab app")
