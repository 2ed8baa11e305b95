"""advlab stability: does a model's answer change when it should, and only then?"""

from __future__ import annotations

import argparse

from advlab.cli.flags import json_flag
from advlab.cli.models import open_model
from advlab.cli.printing import print_json
from advlab.errors import SettingError
from advlab.language import _

HELP = "Does an answer change when it should, and only then? Measured on edited texts."
EXAMPLES = """examples:
  advlab stability RUN OTHER-RUN                     plain beside adversarial, on edited test texts
  advlab stability RUN --max-texts 200 --json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The models and the corpus."""
    from advlab.data.corpora import CORPORA

    json_flag(parser)
    parser.add_argument("models", nargs="+", help="a run's id or name, a model folder, …")
    known = [name for name, corpus in CORPORA.items() if corpus.contrasts]
    parser.add_argument(
        "--data",
        choices=known,
        default=known[0],
        help="a corpus that knows edits (default: %(default)s)",
    )
    parser.add_argument("--max-texts", type=int, help="edit at most this many test texts")


def run(args: argparse.Namespace) -> int:
    """Both shares of each model, with intervals."""
    from advlab.data.corpora import CORPORA
    from advlab.studies.stability import stability

    if args.max_texts is not None and args.max_texts < 1:
        raise SettingError(_("expected --max-texts of at least 1, got {n}", n=args.max_texts))
    corpus = CORPORA[args.data]
    victims = [open_model(name) for name in args.models]
    for victim in victims:
        if victim.task.name != corpus.task:
            raise SettingError(
                _(
                    "expected models of the task {task}, which {data} is for, got {model}, which is "
                    "for {other}; choose another model or --data",
                    task=corpus.task,
                    data=corpus.name,
                    model=victim.name,
                    other=victim.task.name,
                )
            )
    assert corpus.contrasts is not None
    edited = corpus.contrasts(corpus.build().test[: args.max_texts])
    found = [stability(victim, edited) for victim in victims]
    if args.json:
        print_json(
            {
                "data": corpus.name,
                "edits": len(edited),
                "models": [
                    {k: vars(v) for k, v in vars(one).items() if k not in ("model", "by_edit")}
                    | {"model": one.model, "wrong_after": {n: vars(e) for n, e in one.by_edit}}
                    for one in found
                ],
            }
        )
        return 0
    print(f"{len(edited):,} edits of test texts of {corpus.name}; shares with 95 % intervals")
    for one in found:
        print(f"\n{one.model}")
        print(f"  right before an edit                    {one.right}")
        print(f"  over-stable: says what was right before {one.over_stable}")
        print(f"  says what is right now                  {one.followed}")
        print(f"  over-sensitive: changes without reason  {one.over_sensitive}")
        print("  wrong after each edit: " + ", ".join(f"{n} {e}" for n, e in one.by_edit))
    return 0
