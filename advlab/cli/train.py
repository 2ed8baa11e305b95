"""advlab train: one model, plainly or with an adversarial method, in this process."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from advlab.cli.flags import (
    add_flags,
    data_flags,
    given,
    given_of,
    json_flag,
    model_flags,
    union_flags,
)
from advlab.cli.printing import print_json
from advlab.cli.training import carry_out
from advlab.runs.standing import as_estimate

if TYPE_CHECKING:
    from advlab.runs.config import RunConfig

HELP = "Train a model, plainly or with an adversarial method."
EXAMPLES = """examples:
  advlab train --data reviews --method plain
  advlab train --data reviews --method pgd --eps 0.5 --steps 3 --name "PGD-3"
  advlab train --data train.tsv --text-column 0 --label-column 1 --eval-data dev.tsv
  advlab train --data mail.csv --model minilm --method freelb --limit 3000 --epochs 2
  advlab train --data hub:rotten_tomatoes --model distilbert-base-uncased --method fgm
"""


def add(parser: argparse.ArgumentParser) -> None:
    """A flag for every setting of a run."""
    from advlab.runs.config import Augmentation, Regularisation, TrainConfig
    from advlab.training.methods import METHODS

    json_flag(parser)
    parser.add_argument("--name", default="", help="a name for people")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (default: cpu)")
    data_flags(parser)
    model_flags(parser)
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method", default="plain", choices=sorted(METHODS), help="training method"
    )
    union_flags(method, METHODS)
    add_flags(parser.add_argument_group("regularisation"), Regularisation)
    add_flags(parser.add_argument_group("augmentation"), Augmentation)
    add_flags(parser.add_argument_group("training"), TrainConfig)


def run(args: argparse.Namespace) -> int:
    """Train in this process, listed among the runs; Ctrl-C leaves a run that can be resumed."""
    config = configuration(args)
    result = carry_out(config, device=args.device)
    if args.json:
        print_json(result)
    else:
        end = result["end"]
        print(f"\n{result['status']}: {config.name}  (run {result['run']})")
        if "test_accuracy" in end:
            print(f"  test accuracy          {as_estimate(end['test_accuracy'])}")
            print(
                f"  under PGD-10, ε = {end['eval_eps']:g}  "
                f"{as_estimate(end['test_robust_accuracy'])}"
            )
            print(f"  seconds                {end['seconds']:.1f}")
            if end.get("cost"):
                print(f"  cost of a step         {end['cost']:.2f} × plain")
        print(f"  model                  {result['model']}")
        for note in result["notes"]:
            print(f"note: {note}")
        print(f'\nnext: advlab attack {result["run"]} "a sentence"')
    return 0 if result["status"] == "done" else 1


def configuration(args: argparse.Namespace) -> RunConfig:
    """The run that the flags describe; SettingError for what cannot be."""
    from advlab.data import fitted
    from advlab.runs.config import (
        Augmentation,
        DataConfig,
        ModelConfig,
        Regularisation,
        RunConfig,
        TrainConfig,
    )
    from advlab.runs.starters import train_for
    from advlab.settings import build
    from advlab.training.methods import METHODS, build_method, method_settings

    model = build(ModelConfig, given(args, ModelConfig))
    method = build_method({"name": args.method} | given_of(args, args.method, METHODS))
    data = fitted(build(DataConfig, given(args, DataConfig)))
    return RunConfig(
        name=args.name or f"{args.method}, {model.source}",
        data=data,
        model=model,
        method=method_settings(method),
        regularise=build(Regularisation, given(args, Regularisation)),
        augment=build(Augmentation, given(args, Augmentation)),
        train=train_for(model.source, args.method, data.task, **given(args, TrainConfig)),
    )
