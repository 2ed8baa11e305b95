"""What the commands that compare models do: advlab evaluate | transfer | sweep.

Each takes the parsed arguments and returns the exit status. What is slow to import is imported by
the command that needs it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from advlab.cli.commands import carry_out, open_model, run_data
from advlab.cli.flags import given, given_of
from advlab.cli.printing import evaluation_json, print_json, print_table, rate_text
from advlab.errors import SettingError

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.records import Dataset, Example
    from advlab.records.measured import Alarm, Grid


def run_evaluate(args: argparse.Namespace) -> int:
    """Clean and robust accuracy of models on the same texts; a stopped evaluation goes on."""
    import time

    from advlab.attacks import ATTACKS, build_attack
    from advlab.runs.config import home
    from advlab.studies.alarms import alarms_of
    from advlab.studies.grid import as_evaluation, grid
    from advlab.studies.kept import Outcomes

    settings = {"name": args.attack} | given_of(args, args.attack, ATTACKS)
    attack, *_ = [build_attack(settings | {"eps": eps}) for eps in args.radii]  # each is checked
    victims = [open_model(name) for name in args.models]
    data, texts = _texts(args, victims)
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
        )
        found = part if found is None else found.joined(part)
        seconds.append(time.perf_counter() - began - sum(seconds))
    assert found is not None
    alarms = alarms_of(found, victims, texts, [attack])
    rows = [as_evaluation(found, row, s) for row, s in zip(found.rows, seconds, strict=True)]
    if args.report:
        _write_report(args.report, found, texts, data, alarms)
    if args.json:
        models = [{"name": e.model, **evaluation_json(e)} for e in rows]
        print_json(
            {
                "data": data.name,
                "n": len(texts),
                "attack": rows[0].attack,
                "models": models,
                "alarms": [vars(a) for a in alarms],
            }
        )
    else:
        print_table(rows, [e.model for e in rows])
        for alarm in alarms:
            print(f"alarm: {alarm.model}: {alarm.name}. {alarm.evidence}. {alarm.advice}")
        if args.report:
            print(f"written: {args.report}/report.html, .md, .json, accuracy.csv, texts.csv")
    return 0


def _write_report(
    where: str, found: Grid, texts: Sequence[Example], data: Dataset, alarms: Sequence[Alarm]
) -> None:
    from pathlib import Path

    from advlab.studies.parts import word_counts
    from advlab.studies.report import report

    folder = Path(where)
    folder.mkdir(parents=True, exist_ok=True)
    known = word_counts(data.train)
    for name, content in report(found, texts, data.label_names, alarms, known=known).items():
        (folder / name).write_text(content, encoding="utf-8")


def run_transfer(args: argparse.Namespace) -> int:
    """Models against kinds of attack, and against what was made on the others."""
    from advlab.runs.config import home
    from advlab.studies.alarms import of_transfer
    from advlab.studies.carryover import carry_over, transfer
    from advlab.studies.kept import Outcomes

    if args.eps <= 0:
        raise SettingError(f"expected --eps above 0, got {args.eps:g}; try 0.25")
    victims = [open_model(name) for name in args.models]
    data, texts = _texts(args, victims)
    kept = Outcomes(home() / "outcomes")
    common: dict[str, Any] = {"seed": args.attack_seed, "outcomes": kept, "progress": _progress}
    kinds = carry_over(victims, texts, args.eps, fitting=data.validation, **common)
    moved = [transfer(victims, texts, args.eps, kind, **common) for kind in ("delta", "words")]
    _progress(1.0, "")
    alarms = [alarm for one in moved for alarm in of_transfer(one)]
    if args.json:
        print_json(
            {
                "data": data.name,
                "n": len(texts),
                "eps": args.eps,
                "models": list(kinds.models),
                "kinds": {
                    name: [vars(kinds.rate(m, k)) for m in range(len(victims))]
                    for k, name in enumerate(kinds.kinds)
                },
                "transfer": {
                    t.kind: [
                        [
                            vars(t.rate(i, j)) if t.possible[i, j] else None
                            for j in range(len(victims))
                        ]
                        for i in range(len(victims))
                    ]
                    for t in moved
                },
                "alarms": [vars(a) for a in alarms],
            }
        )
        return 0
    print(f"Read right of {len(texts)} texts, every δ up to ε = {args.eps:g} × mean norm long:")
    _matrix(kinds.kinds, kinds.models, lambda k, m: rate_text(vars(kinds.rate(m, k))))
    for t, told in zip(moved, ("δ (PGD-20)", "one word replaced (HotFlip)"), strict=True):
        print(f"\n{told}, made on the model of the row, tried on that of the column:")

        def cell(i: int, j: int, t: Any = t) -> str:
            return rate_text(vars(t.rate(i, j))) if t.possible[i, j] else "other vectors"

        _matrix(t.models, t.models, cell)
    for alarm in alarms:
        print(f"alarm: {alarm.model}: {alarm.name}. {alarm.evidence}. {alarm.advice}")
    return 0


def _matrix(rows: Sequence[str], columns: Sequence[str], cell: Any) -> None:
    print(f"{'':28}" + "".join(f"{name[:20]:>22}" for name in columns))
    for i, name in enumerate(rows):
        print(f"{name[:27]:28}" + "".join(f"{cell(i, j):>22}" for j in range(len(columns))))


def _progress(share: float, what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{f'{share:4.0%}  {what}' if what else '':78}\r", end="", file=sys.stderr)


def run_sweep(args: argparse.Namespace) -> int:
    """Train every setting here, one after the other, rank them and recommend one.

    Ctrl-C stops it; the same command goes on with what is missing.
    """
    from advlab.runs import jobs
    from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
    from advlab.settings import build
    from advlab.studies import sweep

    model = build(ModelConfig, given(args, ModelConfig))
    train = TrainConfig.for_model(model.source, **given(args, TrainConfig))
    base = RunConfig(data=build(DataConfig, given(args, DataConfig)), model=model, train=train)
    asked = sweep.Sweep(
        tuple(args.methods), tuple(args.eps), tuple(args.steps), tuple(args.seeds), base
    )
    for config, info in sweep.missing(asked):
        if info is None:
            carry_out(config, group=asked.group)
        else:
            jobs.resume(info.id)
            carry_out(info.config, run_id=info.id)
    found = sweep.ranking(sweep.members(asked))
    if args.json:
        print_json({"group": asked.group, "ranking": sweep.as_json(found), "advice": found.advice})
        return 0
    print(f"{'':26}{'clean':>18}{'under attack':>18}{'test':>8}{'attack':>8}{'cost':>7}")
    for s in found.settings:
        shares = "".join(f"{rate_text(vars(r)):>18}" for r in (s.clean, s.robust))
        cost = f"{s.cost:.1f} ×" if s.cost else "–"
        print(f"{s.title[:25]:26}{shares}{s.test_clean:>8.1%}{s.test_robust:>8.1%}{cost:>7}")
    print(
        f"\nvalidation texts, PGD-5 at ε = {found.eps:g} × mean norm; test: PGD-10\n\n{found.advice}"
    )
    return 0


def _texts(args: argparse.Namespace, victims: Sequence[Victim]) -> tuple[Dataset, list[Example]]:
    """The data of the flags, or of the first run, and the test texts to use."""
    import random

    from advlab.data import load_data
    from advlab.runs.config import DataConfig
    from advlab.settings import build

    if args.max_texts is not None and args.max_texts < 1:
        raise SettingError(f"expected --max-texts of at least 1, got {args.max_texts}; change it")
    values = given(args, DataConfig)
    data = load_data(build(DataConfig, values) if values else run_data(args.models[0]))
    _same_classes(victims, data)
    texts = list(data.test)
    if args.max_texts:
        random.Random(args.attack_seed).shuffle(texts)
        texts = texts[: args.max_texts]
    return data, texts


def _same_classes(victims: Sequence[Victim], data: Dataset) -> None:
    for victim in victims:
        if tuple(victim.label_names) != tuple(data.label_names):
            raise SettingError(
                f"expected data with the classes of {victim.name} ({', '.join(victim.label_names)}), "
                f"got {', '.join(data.label_names)}; evaluate on data with the same labels"
            )
