"""advlab suffix: words behind one text that make a model give an answer of one's choice."""

from __future__ import annotations

import argparse

from advlab.cli.flags import add_flags, given, json_flag
from advlab.cli.models import class_of, open_model

HELP = "Look for words behind a text that make the model give an answer of your choice."
EXAMPLES = """examples:
  advlab suffix RUN "User: to cork." --answer "on which day?"          another reply
  advlab suffix RUN "Slow, but I would see it again." --answer negative --length 4 --steps 20 --json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The model, the text, the answer that is wanted, and the settings of the search."""
    from advlab.attacks.text.suffix import GCG

    json_flag(parser)
    parser.add_argument("model", help="a run's id or name, a model folder, a hub name, or minilm")
    parser.add_argument("text", help="the text: a sentence, a context, a source, a history")
    parser.add_argument(
        "--beside", default="", help="read with it, not changed: the question of qa"
    )
    parser.add_argument(
        "--answer",
        "--label",
        required=True,
        help="the answer that is wanted; that one can be reached says little before an untrained model "
        "and a random answer were tried too",
    )
    add_flags(parser.add_argument_group("search"), GCG)
    parser.add_argument("--attack-seed", type=int, default=0, help="seed of the exchanges")


def run(args: argparse.Namespace) -> int:
    """Search and print what was found, or the whole of it with --json."""
    import torch

    from advlab.attacks.text.judge import Judge
    from advlab.attacks.text.suffix import GCG
    from advlab.cli.printing import print_json
    from advlab.explain.explore import readable, reference_of
    from advlab.records import Example
    from advlab.settings import build

    victim = open_model(args.model)
    text, notes = readable(args.text)
    answer = class_of(args.answer, victim.head) if victim.task.named else args.answer
    example = Example("text", text, (reference_of(victim, answer or ""),), args.beside)
    dice = torch.Generator().manual_seed(args.attack_seed)
    found = build(GCG, given(args, GCG))(Judge(victim), example, dice)
    if args.json:
        print_json(vars(found) | {"model": victim.name, "notes": notes})
        return 0
    print(f"{victim.name}, wanted: {found.target}")
    print(f"  the text as it is   {found.before}")
    print(f"  with words behind   {found.answer}")
    print(f"  these words         {found.added}")
    steps = len(found.losses) - 1
    print(
        f"\n{'Met' if found.met else 'Not met'} after {steps} exchanges and {found.queries:,} texts; "
        f"loss of the wanted answer {found.losses[0]:.3f} → {found.losses[-1]:.3f} nats."
    )
    for note in notes:
        print(f"note: {note}")
    return 0
