"""advlab evaluate: clean and robust accuracy of models on the same texts."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from advlab.cli.flags import attack_flags, attack_given, data_flags, json_flag
from advlab.cli.models import named_for, open_model, texts_to_test
from advlab.cli.printing import print_alarms, print_json, print_table, row_json

if TYPE_CHECKING:
    from advlab.cli.models import Tested
    from advlab.records.measured import Alarm, Grid

HELP = "Clean and robust accuracy of models on a data set."
EXAMPLES = """examples:
  advlab evaluate RUN                                      on the data it was trained with
  advlab evaluate RUN OTHER --eps 0.1 0.25 0.5             several models on the same texts
  advlab evaluate RUN --data test.tsv                      on all texts of a file
  advlab evaluate path/to/model --data dev.tsv --attack pgd --steps 10 --restarts 2
  advlab evaluate RUN OTHER --eps 0.1 0.25 --report out    tables, curves, alarms as files
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The models, the texts, and a flag for every setting that any attack has."""
    json_flag(parser)
    parser.add_argument(
        "models", nargs="+", help="a run's id or name, a model folder, a hub name, or minilm"
    )
    data_flags(parser)
    parser.add_argument(
        "--eps",
        dest="radii",
        type=float,
        nargs="+",
        default=[0.25, 0.5],
        metavar="FLOAT",
        help="radii to test, in --unit (default: 0.25 0.5)",
    )
    parser.add_argument("--max-texts", type=int, help="use at most this many test texts")
    parser.add_argument(
        "--report",
        metavar="FOLDER",
        help="write a report there (HTML, Markdown, CSV, JSON); a stopped evaluation goes on",
    )
    parser.add_argument(
        "--accuracy-only",
        action="store_true",
        help="leave out what is quoted of answers (F1, BLEU, perplexity), which one more attack at "
        "each ε tells",
    )
    attack_flags(parser, skip={"eps"})
    parser.add_argument(
        "--attack-seed", type=int, default=0, help="seed of random starts and noise"
    )


def run(args: argparse.Namespace) -> int:
    """Clean and robust accuracy of models on the same texts; a stopped evaluation goes on."""
    from advlab.attacks import build_attack
    from advlab.runs.config import home
    from advlab.runs.disk import telling
    from advlab.studies.alarms import alarms_of
    from advlab.studies.grid import grid
    from advlab.studies.kept import Outcomes

    if args.report:  # now, rather than after minutes of work
        with telling(Path(args.report)):
            Path(args.report).mkdir(parents=True, exist_ok=True)
    settings = attack_given(args)
    attack, *_ = [build_attack(settings | {"eps": eps}) for eps in args.radii]  # each is checked
    victims = [open_model(name) for name in args.models]
    tested = texts_to_test(args, victims)
    data, texts = tested.data, tested.texts
    victims = named_for(victims, data)
    began, seconds, found = time.perf_counter(), [], None
    for victim in victims:
        part = grid(
            [victim],
            texts,
            [attack],
            args.radii,
            seed=args.attack_seed,
            data=data.name,
            outcomes=Outcomes(home() / "outcomes"),
            quote=not args.accuracy_only,
        )
        found = part if found is None else found.joined(part)
        seconds.append(time.perf_counter() - began - sum(seconds))
    assert found is not None
    alarms = alarms_of(found, victims, texts, [attack], more=tested.more)
    if args.report:
        _write_report(Path(args.report), found, tested, alarms)
    if args.json:
        models = [
            {"name": row.model, "notes": victim.notes, **row_json(row, found.majority, s)}
            for victim, row, s in zip(victims, found.rows, seconds, strict=True)
        ]
        print_json(
            {
                "data": data.name,
                "n": len(texts),
                "texts": tested.told,
                "seen_in_training": [vars(one) for one in tested.seen],
                "notes": list(data.notes),
                "attack": found.rows[0].attack,
                "models": models,
                "alarms": [vars(a) for a in alarms],
            }
        )
        return 0
    tested.show()
    print_table(found.rows, [row.model for row in found.rows], found.majority)
    print_alarms(alarms)
    if args.report:
        more = ", quoted.csv" if found.rows[0].quoted else ""
        print(f"written: {args.report}/report.html, .md, .json, accuracy.csv, texts.csv{more}")
    return 0


def _write_report(folder: Path, found: Grid, tested: Tested, alarms: Sequence[Alarm]) -> None:
    from advlab.studies.parts import word_counts
    from advlab.studies.report import report

    folder.mkdir(parents=True, exist_ok=True)
    # a file used whole has no training texts, from which rare words could be told
    known = word_counts(tested.data.train) if tested.data.train else None
    used = {"texts used": tested.told}
    used["of these, trained on"] = " ".join(one.sentence for one in tested.seen)
    for name, content in report(found, tested.texts, alarms, known=known, used=used).items():
        (folder / name).write_text(content, encoding="utf-8")
