"""advlab prepare-class: the models that a class begins with, trained before it comes."""

from __future__ import annotations

import argparse

from advlab.cli.classroom import enter_class_home
from advlab.cli.flags import json_flag
from advlab.cli.printing import print_json
from advlab.cli.training import carry_out

HELP = "Train the models that lessons need into the class's home, with progress."
EXAMPLES = """examples:
  advlab prepare-class                        all four tasks, some ten minutes; what is there stays
  advlab prepare-class --task classification
"""


def add(parser: argparse.ArgumentParser) -> None:
    """For which tasks."""
    from advlab.runs.starters import STARTERS

    json_flag(parser)
    parser.add_argument(
        "--task", nargs="+", choices=list(STARTERS), default=[], help="only these (default: all)"
    )


def run(args: argparse.Namespace) -> int:
    """Train what is missing; students find it beside their own models."""
    from advlab.classroom.prepare import missing, wanted

    folder = enter_class_home()
    lacking, total = missing(args.task), len(wanted(args.task))
    done = [carry_out(config, group=group) for group, config in lacking]
    if args.json:
        print_json({"home": str(folder), "trained": [r["run"] for r in done], "models": total})
    else:
        print(f"{total} models are ready in {folder}; {len(done)} were trained now.")
        print("Next: advlab class")
    return 0
