"""advlab sweep: many settings trained, ranked, and one recommended."""

from __future__ import annotations

import argparse

from advlab.cli.flags import add_flags, data_flags, given, json_flag, model_flags
from advlab.cli.printing import print_json
from advlab.cli.training import carry_out, go_on
from advlab.errors import RunError

HELP = "Try methods, ε and steps; rank them and recommend one."
EXAMPLES = """examples:
  advlab sweep --methods fgm freelb --eps 0.25 0.5         with plain training as the baseline
  advlab sweep --methods pgd --steps 1 3 --seeds 0 1 2     Ctrl-C stops it, the same command goes on
  advlab sweep --data train.tsv --text-column 0 --label-column 1 --methods fgm --epochs 4
"""


def add(parser: argparse.ArgumentParser) -> None:
    """What to try, and a flag for every setting that all runs share."""
    from advlab.runs.config import TrainConfig
    from advlab.training.methods import METHODS

    json_flag(parser)
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["fgm", "pgd"],
        choices=sorted(METHODS),
        help="training methods to try (default: fgm pgd); plain is always among them",
    )
    parser.add_argument(
        "--eps",
        type=float,
        nargs="+",
        default=[0.25, 0.5],
        metavar="FLOAT",
        help="ε to train at, × mean norm (default: 0.25 0.5)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        nargs="+",
        default=[3],
        metavar="INT",
        help="ascent steps K, for methods that have them (default: 3)",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[0],
        metavar="INT",
        help="seeds to train each setting with (default: 0)",
    )
    data_flags(parser)
    model_flags(parser)
    add_flags(parser.add_argument_group("training"), TrainConfig, skip={"seed"})


def run(args: argparse.Namespace) -> int:
    """Train every setting here, one after the other, rank them and recommend one.

    Ctrl-C stops it; the same command goes on with what is missing.
    """
    from advlab.data import fitted
    from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
    from advlab.runs.starters import train_for
    from advlab.settings import build
    from advlab.studies import sweep

    model = build(ModelConfig, given(args, ModelConfig))
    method = next((name for name in args.methods if name != "plain"), "plain")
    data = fitted(build(DataConfig, given(args, DataConfig)))
    train = train_for(model.source, method, data.task, **given(args, TrainConfig))
    base = RunConfig(data=data, model=model, train=train)
    asked = sweep.Sweep(
        tuple(args.methods), tuple(args.eps), tuple(args.steps), tuple(args.seeds), base
    )
    left = sweep.unfinished(asked)
    for n, (config, info) in enumerate(left):
        result = carry_out(config, group=asked.group) if info is None else go_on(info.id)
        if result["status"] != "done":
            raise RunError(
                f"the sweep stopped: {config.name} is {result['status']}, and {len(left) - n} of its "
                "runs are not done; the same command goes on with them"
            )
    found = sweep.ranking(sweep.members(asked))
    if args.json:
        print_json({"group": asked.group, "ranking": sweep.as_json(found), "advice": found.advice})
        return 0
    print(f"{'':26}{'clean':>18}{'under attack':>18}{'test':>8}{'attack':>8}{'cost':>7}")
    for s in found.settings:
        shares = "".join(f"{r!s:>18}" for r in (s.clean, s.robust))
        cost = f"{s.cost:.1f} ×" if s.cost else "–"
        print(f"{s.title[:25]:26}{shares}{s.test_clean:>8.1%}{s.test_robust:>8.1%}{cost:>7}")
    print(
        f"\nvalidation texts, PGD-5 at ε = {found.eps:g} × mean norm; test: PGD-10\n\n{found.advice}"
    )
    return 0
