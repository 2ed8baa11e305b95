"""advlab transfer: models against kinds of attack, and against what was made on the others."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from advlab.cli.flags import data_flags, json_flag
from advlab.cli.models import named_for, open_model, texts_to_test
from advlab.cli.printing import print_alarms, print_json
from advlab.errors import SettingError

if TYPE_CHECKING:
    from advlab.records import Estimate
    from advlab.records.measured import CarryOver, Transfer

HELP = "Does robustness carry over to other attacks, and attacks to other models?"
EXAMPLES = """examples:
  advlab transfer RUN OTHER                                at ε = 0.25, on the first run's test texts
  advlab transfer RUN OTHER THIRD --eps 0.5 --max-texts 200 --json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The models, the texts and ε."""
    json_flag(parser)
    parser.add_argument("models", nargs="+", help="a run's id or name, a model folder, …")
    data_flags(parser)
    parser.add_argument("--eps", type=float, default=0.25, help="× mean norm (default: 0.25)")
    parser.add_argument("--max-texts", type=int, help="use at most this many test texts")
    parser.add_argument("--attack-seed", type=int, default=0, help="seed of starts and noise")


def run(args: argparse.Namespace) -> int:
    """Models against kinds of attack, and against what was made on the others."""
    from advlab.runs.config import home
    from advlab.studies.alarms import of_transfer
    from advlab.studies.carryover import carry_over, transfer
    from advlab.studies.kept import Outcomes

    if args.eps <= 0:
        raise SettingError(f"expected --eps above 0, got {args.eps:g}; try 0.25")
    victims = [open_model(name) for name in args.models]
    tested = texts_to_test(args, victims)
    texts = tested.texts
    victims = named_for(victims, tested.data)
    kept = Outcomes(home() / "outcomes")
    common: dict[str, Any] = {"seed": args.attack_seed, "outcomes": kept, "progress": _progress}
    kinds = carry_over(victims, texts, args.eps, fitting=tested.fitting, **common)
    moved = [transfer(victims, texts, args.eps, kind, **common) for kind in ("delta", "words")]
    _progress(1.0, "")
    alarms = [alarm for one in moved for alarm in of_transfer(one)]
    if args.json:
        print_json(
            {
                "data": tested.data.name,
                "n": len(texts),
                "texts": tested.told,
                "one_delta_fitted_on": tested.fitted,
                "seen_in_training": [vars(one) for one in tested.seen],
                "notes": list(tested.data.notes),
                "eps": args.eps,
                "models": list(kinds.models),
                "kinds": {
                    name: [vars(kinds.share(m, k)) for m in range(len(victims))]
                    for k, name in enumerate(kinds.kinds)
                },
                "transfer": {
                    t.kind: [[one and vars(one) for one in row] for row in _shares(t)]
                    for t in moved
                },
                "alarms": [vars(a) for a in alarms],
            }
        )
        return 0
    tested.show()
    print(f"The one δ for all texts is made on {tested.fitted}.")
    print(f"Read right of {len(texts)} texts, every δ up to ε = {args.eps:g} × mean norm long:")
    _print_tables(kinds, moved)
    print_alarms(alarms)
    return 0


def _shares(moved: Transfer) -> list[list[Estimate | None]]:
    """Row: the model that it was made on; column: the one it was tried on; None: other vectors."""
    each = range(len(moved.models))
    return [[moved.share(i, j) if moved.possible[i, j] else None for j in each] for i in each]


def _print_tables(kinds: CarryOver, moved: Sequence[Transfer]) -> None:
    each = range(len(kinds.models))
    cells = [[str(kinds.share(m, k)) for m in each] for k in range(len(kinds.kinds))]
    _print_matrix(kinds.kinds, kinds.models, cells)
    for one, told in zip(moved, ("δ (PGD-20)", "one word replaced (HotFlip)"), strict=True):
        print(f"\n{told}, made on the model of the row, tried on that of the column:")
        cells = [[str(s) if s else "other vectors" for s in row] for row in _shares(one)]
        _print_matrix(one.models, one.models, cells)


def _print_matrix(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[str]]
) -> None:
    print(f"{'':28}" + "".join(f"{name[:20]:>22}" for name in columns))
    for name, row in zip(rows, cells, strict=True):
        print(f"{name[:27]:28}" + "".join(f"{cell:>22}" for cell in row))


def _progress(share: float, what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{f'{share:4.0%}  {what}' if what else '':78}\r", end="", file=sys.stderr)
