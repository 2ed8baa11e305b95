"""The command line: advlab app | demo | train | attack | evaluate | runs.

Flags are made from the settings' dataclasses, so they say what the forms of the app say. With
`--json` a command prints one JSON object on standard output and nothing else there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab import __version__
from advlab.errors import AdvlabError, SettingError

if TYPE_CHECKING:
    from advlab.records import Dataset, Evaluation, Event
    from advlab.victim import Victim

# flags whose setting has another name, or a name that two settings share
DATA_FLAGS = {"source": "data", "eval_source": "eval-data", "seed": "split-seed"}
MODEL_FLAGS = {"source": "model"}

EXAMPLES = {
    "advlab": """examples:
  advlab app                                  open the laboratory in a browser
  advlab demo                                 train a pair, attack it, print what was found
  advlab train --data reviews --method freelb
  advlab attack RUN "Slow, but I would see it again."
""",
    "app": """examples:
  advlab app                                  http://127.0.0.1:8501
  advlab app --port 9000 --no-browser         on a server; reach it through a tunnel or proxy
""",
    "demo": """examples:
  advlab demo                                 under a minute on two cores
  advlab demo --json > demo.json              the same as one JSON object
  advlab demo --seed 1
""",
    "train": """examples:
  advlab train --data reviews --method plain
  advlab train --data reviews --method pgd --eps 0.5 --steps 3 --name "PGD-3"
  advlab train --data train.tsv --text-column 0 --label-column 1 --eval-data dev.tsv
  advlab train --data mail.csv --model minilm --method freelb --limit 3000 --epochs 2
  advlab train --data hub:rotten_tomatoes --model distilbert-base-uncased --method fgm
""",
    "attack": """examples:
  advlab attack RUN "Slow, but I would see it again."      RUN: a run's id or name
  advlab attack path/to/model "Free entry!" --attack fgm --eps 0.1
  advlab attack RUN "Fine." --label positive --steps 20 --restarts 3 --json
""",
    "evaluate": """examples:
  advlab evaluate RUN                                      on the data it was trained with
  advlab evaluate RUN OTHER --eps 0.1 0.25 0.5             several models on the same texts
  advlab evaluate path/to/model --data dev.tsv --attack pgd --steps 10 --restarts 2
""",
    "runs": """examples:
  advlab runs                                 the list, newest first
  advlab runs show RUN                        settings and results of one
  advlab runs cancel RUN
  advlab runs resume RUN                      goes on here, from its last checkpoint
  advlab runs rename RUN "FreeLB, small ε"
  advlab runs delete RUN
""",
}


# ---- flags from dataclasses -----------------------------------------------------------------


def add_flags(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    cls: type,
    renamed: Mapping[str, str] | None = None,
    skip: Iterable[str] = (),
) -> None:
    """A flag for each setting of `cls`; a flag that is not given leaves no trace."""
    from advlab.settings import settings_of

    for item in settings_of(cls):
        if item.name in skip:
            continue
        alias = (renamed or {}).get(item.name)
        flag = "--" + (alias or item.name).replace("_", "-")
        text = item.meta.help.replace("%", "%%") + (
            f" [{item.meta.unit}]" if item.meta.unit else ""
        )
        if item.default not in (None, ""):
            text += f" (default: {item.default})"
        _add(parser, flag, item, text, dest=f"{cls.__name__}.{item.name}")


def _add(parser: Any, flag: str, item: Any, text: str, dest: str) -> None:
    options: dict[str, Any] = {"dest": dest, "default": argparse.SUPPRESS, "help": text}
    if item.kind is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
    elif item.choices:
        parser.add_argument(flag, choices=item.choices, **options)
    else:
        parser.add_argument(flag, type=item.kind, metavar=item.kind.__name__.upper(), **options)


def union_flags(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    classes: Mapping[str, type],
    skip: Iterable[str] = (),
) -> None:
    """One flag for each setting name that any of `classes` has, saying which do."""
    from advlab.settings import settings_of

    owners: dict[str, list[str]] = {}
    first: dict[str, Any] = {}
    for name, cls in classes.items():
        for item in settings_of(cls):
            owners.setdefault(item.name, []).append(name)
            first.setdefault(item.name, item)
    for field, item in first.items():
        if field in skip:
            continue
        text = f"{item.meta.help}{f' [{item.meta.unit}]' if item.meta.unit else ''}"
        text = f"{text} ({', '.join(owners[field])})".replace("%", "%%")
        _add(parser, "--" + field.replace("_", "-"), item, text, dest=field)


def given(args: argparse.Namespace, cls: type) -> dict[str, Any]:
    """Those settings of `cls` that the command line named."""
    from advlab.settings import settings_of

    values = {i.name: f"{cls.__name__}.{i.name}" for i in settings_of(cls)}
    return {name: getattr(args, dest) for name, dest in values.items() if hasattr(args, dest)}


def given_of(args: argparse.Namespace, chosen: str, classes: Mapping[str, type]) -> dict[str, Any]:
    """Settings for the chosen class; SettingError for a flag that only others have."""
    from advlab.settings import settings_of

    names = {i.name for cls in classes.values() for i in settings_of(cls)}
    own = {i.name for i in settings_of(classes[chosen])}
    values = {n: getattr(args, n) for n in names if hasattr(args, n)}
    strangers = sorted(set(values) - own)
    if strangers:
        raise SettingError(
            f"{chosen} has no setting {', '.join('--' + n.replace('_', '-') for n in strangers)}; "
            f"it has {', '.join('--' + n.replace('_', '-') for n in sorted(own)) or 'none'}"
        )
    return values


def make_parser() -> argparse.ArgumentParser:
    """The whole command line. Building it imports no torch unless a command needs its settings."""
    parser = argparse.ArgumentParser(
        prog="advlab",
        description="The laboratory for adversarial training of language models.",
        epilog=EXAMPLES["advlab"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"advlab {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, about: str, run: Callable[..., int]) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=about, description=about, epilog=EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        made.set_defaults(run=run)
        if name != "app":
            made.add_argument(
                "--json", action="store_true",
                help="print one JSON object on standard output and nothing else there",
            )  # fmt: skip
        return made

    app = command("app", "Open the laboratory in a browser.", run_app)
    app.add_argument("--port", type=int, default=8501, help="port to listen on (default: 8501)")
    app.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    app.add_argument("--no-browser", action="store_true", help="do not open a browser window")

    demo = command("demo", "The main job without a browser: train, compare, attack.", run_demo)
    demo.add_argument("--seed", type=int, default=0, help="seed of both trainings (default: 0)")

    command("train", "Train a model, plainly or with an adversarial method.", run_train)
    command("attack", "Attack one sentence and say what happened.", run_attack)
    command("evaluate", "Clean and robust accuracy of models on a data set.", run_evaluate)

    runs = command("runs", "List, show, cancel, resume, rename or delete runs.", run_runs)
    runs.add_argument(
        "action", nargs="?", default="list",
        choices=("list", "show", "cancel", "pause", "resume", "rename", "delete"),
    )  # fmt: skip
    runs.add_argument("which", nargs="?", help="a run's id or name")
    runs.add_argument("name", nargs="?", help="the new name")
    return parser


def _add_heavy_flags(parser: argparse.ArgumentParser, name: str) -> None:
    """Flags of train, attack and evaluate: their settings live in modules that import torch."""
    from advlab.attacks import ATTACKS
    from advlab.config import DataConfig, ModelConfig, TrainConfig
    from advlab.methods import METHODS

    if name == "train":
        parser.add_argument("--name", default="", help="a name for people")
        parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (default: cpu)")
        add_flags(parser.add_argument_group("data"), DataConfig, DATA_FLAGS)
        add_flags(parser.add_argument_group("model"), ModelConfig, MODEL_FLAGS)
        method = parser.add_argument_group("method")
        method.add_argument(
            "--method", default="plain", choices=sorted(METHODS), help="training method"
        )
        union_flags(method, METHODS)
        add_flags(parser.add_argument_group("training"), TrainConfig)
        return
    several = name == "evaluate"
    parser.add_argument(
        "models" if several else "model", nargs="+" if several else None,
        help="a run's id or name, a model folder, a hub name, or minilm",
    )  # fmt: skip
    if not several:
        parser.add_argument("text", help="the sentence")
        parser.add_argument("--label", help="the true class; the model's own prediction without it")
    else:
        add_flags(parser.add_argument_group("data"), DataConfig, DATA_FLAGS)
        parser.add_argument(
            "--eps", dest="radii", type=float, nargs="+", default=[0.25, 0.5], metavar="FLOAT",
            help="radii to test, in --unit (default: 0.25 0.5)",
        )  # fmt: skip
        parser.add_argument("--max-texts", type=int, help="use at most this many test texts")
    group = parser.add_argument_group("attack")
    group.add_argument("--attack", default="pgd", choices=sorted(ATTACKS), help="(default: pgd)")
    union_flags(group, ATTACKS, skip={"eps"} if several else ())
    parser.add_argument(
        "--attack-seed", type=int, default=0, help="seed of random starts and noise"
    )


# ---- commands -------------------------------------------------------------------------------


def run_app(args: argparse.Namespace) -> int:
    """Serve the app until interrupted."""
    from advlab.ui.launch import serve

    serve(port=args.port, host=args.host, browser=not args.no_browser)
    return 0


def run_train(args: argparse.Namespace) -> int:
    """Train in this process, listed among the runs; Ctrl-C leaves a run that can be resumed."""
    from advlab.config import DataConfig, ModelConfig, RunConfig, TrainConfig
    from advlab.methods import METHODS, build_method, method_settings
    from advlab.settings import build

    model = build(ModelConfig, given(args, ModelConfig))
    method = build_method({"name": args.method} | given_of(args, args.method, METHODS))
    config = RunConfig(
        name=args.name or f"{args.method}, {model.source}",
        data=build(DataConfig, given(args, DataConfig)),
        model=model,
        method=method_settings(method),
        train=TrainConfig.for_model(model.source, **given(args, TrainConfig)),
    )
    result = carry_out(config, device=args.device)
    if args.json:
        _print_json(result)
    else:
        end = result["end"]
        print(f"\n{result['status']}: {config.name}  (run {result['run']})")
        if "test_accuracy" in end:
            print(f"  test accuracy          {_rate(end['test_accuracy'])}")
            print(f"  under PGD-10, ε = {end['eval_eps']:g}  {_rate(end['test_robust_accuracy'])}")
            print(f"  seconds                {end['seconds']:.1f}")
            if end.get("cost"):
                print(f"  cost of a step         {end['cost']:.2f} × plain")
        print(f"  model                  {result['model']}")
        print(f'\nnext: advlab attack {result["run"]} "a sentence"')
    return 0 if result["status"] == "done" else 1


def carry_out(config: Any, device: str = "cpu", run_id: str | None = None) -> dict[str, Any]:
    """Train `config` here and now (or go on with a run), with a progress line on standard error."""
    import functools

    from advlab import jobs
    from advlab.jobs import worker
    from advlab.train import train

    info = jobs.run(run_id) if run_id else jobs.open_here(config)
    seen: dict[str, Any] = {"end": {}, "alarms": []}
    begun = _Progress(config.name)

    def watch(event: Event) -> None:
        begun.show(event)
        if event.kind == "end":
            seen["end"] = dict(event.values)
        if event.kind == "alarm":
            seen["alarms"].append(dict(event.values))

    status = worker.run(info.id, train=functools.partial(train, device=device), on_event=watch)
    begun.close()
    info = jobs.run(info.id)
    if status == "failed":
        raise AdvlabError(info.error or "the run failed; see its worker.log")
    return {
        "run": info.id, "name": info.name, "status": status, "error": info.error,
        "model": str(info.folder.model), "config": json.loads(config.to_json()), **seen,
    }  # fmt: skip


class _Progress:
    """A bar on a terminal, a line an epoch elsewhere; always on standard error."""

    def __init__(self, name: str) -> None:
        self.name, self.steps, self.live = name, 1, sys.stderr.isatty()

    def show(self, event: Event) -> None:
        values = event.values
        if event.kind == "start":
            self.steps = values["steps"]
        elif event.kind == "step" and self.live:
            share = event.step / self.steps
            bar = "█" * int(24 * share) + "·" * (24 - int(24 * share))
            adversarial = values.get("adv_loss", values["clean_loss"])
            print(
                f"\r{self.name[:28]:28} {bar} {share:4.0%}  loss {values['clean_loss']:.3f} / "
                f"{adversarial:.3f}  {values['eta']:4.0f} s left ",
                end="", file=sys.stderr, flush=True,
            )  # fmt: skip
        elif event.kind == "epoch":
            self.close()
            print(
                f"{self.name[:28]:28} epoch {values['epoch']}: clean "
                f"{values['clean_accuracy']['value']:.1%}, under attack "
                f"{values['robust_accuracy']['value']:.1%}",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        elif event.kind in ("alarm", "note"):
            self.close()
            print(f"{event.kind}: {values.get('message', '')}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.live:
            print("\r" + " " * 100 + "\r", end="", file=sys.stderr, flush=True)


def run_demo(args: argparse.Namespace) -> int:
    """Train the starter pair, compare it clean and under attack, attack one sentence."""
    import time

    from advlab.attacks import PGD
    from advlab.data import CORPORA, load_data
    from advlab.evaluate import evaluate
    from advlab.lab import explore
    from advlab.story import headline
    from advlab.train import STARTER_EPS, starter_pair
    from advlab.victim import Victim

    began = time.perf_counter()
    results, victims = [], []
    pair = starter_pair(args.seed)
    for config in pair:
        results.append(carry_out(config))
        victims.append(Victim.load(results[-1]["model"]))
    data = load_data(pair[0].data)
    attack = PGD(STARTER_EPS, steps=20, step_size=0.2)
    texts = list(data.test)
    found = [
        evaluate(v, texts, attack, eps=[STARTER_EPS / 2, STARTER_EPS], data=data.name)
        for v in victims
    ]
    sentence, records = "", []
    for candidate in CORPORA[pair[0].data.source].showcase:
        sentence = candidate
        records = [explore(v, sentence, attack=attack, seed=args.seed, planes=0) for v in victims]
        if records[0].flipped and not records[1].flipped:
            break
    total = time.perf_counter() - began
    models = [
        {
            "name": config.name, "run": result["run"], "model": result["model"],
            "method": config.method, "seconds_trained": round(result["end"]["seconds"], 2),
            "cost_ratio": result["end"].get("cost"), **_evaluation(evaluation),
        }
        for config, result, evaluation in zip(pair, results, found, strict=True)
    ]  # fmt: skip
    gain = found[1].robust[-1][3].value - found[0].robust[-1][3].value
    summary = {
        "data": data.name, "seed": args.seed, "attack": found[0].attack, "eps": STARTER_EPS,
        "unit": "norm", "models": models,
        "robust_gain": gain,
        "clean_loss": found[0].clean.value - found[1].clean.value,
        "training_time_ratio": models[1]["seconds_trained"] / models[0]["seconds_trained"],
        "sentence": {
            "text": sentence,
            "found": {m["name"]: headline(r) for m, r in zip(models, records, strict=True)},
        },
        "seconds": round(total, 2),
    }  # fmt: skip
    if args.json:
        _print_json(summary)
        return 0
    print(
        f"\n{data.name}: {len(data.train)} training texts, {len(texts)} test texts, seed {args.seed}"
    )
    _print_table(found, [config.name for config in pair])
    print(
        f"\nUnder PGD-20 at ε = {STARTER_EPS:g} × the mean word-vector norm the adversarially trained "
        f"model keeps {gain:+.1%} more;\nits clean accuracy differs by {-summary['clean_loss']:+.1%}, "
        f"its training took {summary['training_time_ratio']:.1f} × as long."
    )
    print(f"\n“{sentence}”")
    for model, record in zip(models, records, strict=True):
        print(f"  {model['name']}: {headline(record)}")
    print(f"\n{total:.0f} s in all. Next: advlab app")
    return 0


def run_attack(args: argparse.Namespace) -> int:
    """Attack one sentence; print the story, or the whole record with --json."""
    from advlab.attacks import ATTACKS, build_attack
    from advlab.lab import explore
    from advlab.story import headline, noise_sentence, units
    from advlab.tables import to_json

    victim = open_model(args.model)
    attack = build_attack({"name": args.attack} | given_of(args, args.attack, ATTACKS))
    label = int(args.label) if args.label and args.label.isdecimal() else args.label
    record = explore(victim, args.text, label=label, attack=attack, seed=args.attack_seed, planes=0)
    if args.json:
        print(to_json(record))
        return 0
    print(f"{record.model}, {args.attack}, ε = {units(record.eps, record.scale)}")
    rows = [
        ("clean", record.clean), ("under attack", record.adversarial),
        ("random noise, mean", record.random.mean(0)), ("nearest tokens", record.projected),
        ("read as text", record.round_trip),
    ]  # fmt: skip
    width = max(len(n) for n in record.label_names)
    print(" " * 22 + "  ".join(f"{n:>{max(width, 7)}}" for n in record.label_names))
    for name, probs in rows:
        print(f"  {name:20}" + "  ".join(f"{p:{max(width, 7)}.1%}" for p in probs))
    print(f"\n{headline(record)} {noise_sentence(record)}")
    for note in record.notes:
        print(f"note: {note}")
    return 0


def run_evaluate(args: argparse.Namespace) -> int:
    """Clean and robust accuracy of one or more models on the same texts."""
    from advlab.attacks import ATTACKS, build_attack
    from advlab.config import DataConfig
    from advlab.data import load_data
    from advlab.evaluate import evaluate
    from advlab.settings import build

    victims = [open_model(name) for name in args.models]
    values = given(args, DataConfig)
    config = build(DataConfig, values) if values else run_data(args.models[0])
    data = load_data(config)
    _same_classes(victims, data)
    texts = list(data.test)
    if args.max_texts:
        import random

        random.Random(args.attack_seed).shuffle(texts)
        texts = texts[: args.max_texts]
    attack = build_attack({"name": args.attack} | given_of(args, args.attack, ATTACKS))
    found = [
        evaluate(v, texts, attack, eps=args.radii, seed=args.attack_seed, data=data.name)
        for v in victims
    ]
    if args.json:
        models = [{"name": e.model, **_evaluation(e)} for e in found]
        _print_json(
            {"data": data.name, "n": len(texts), "attack": found[0].attack, "models": models}
        )
    else:
        _print_table(found, [e.model for e in found])
    return 0


def run_runs(args: argparse.Namespace) -> int:
    """List and manage runs."""
    from advlab import jobs

    if args.action == "list":
        listed = jobs.runs()
        if args.json:
            _print_json({"runs": [_run_row(r) for r in listed]})
        elif not listed:
            print("No runs yet. Start one: advlab demo")
        for info in [] if args.json else listed:
            row = _run_row(info)
            accuracy = f"{row['clean']:.1%} / {row['robust']:.1%}" if row["clean"] else ""
            print(f"{row['id']}  {row['status']:11}  {accuracy:15}  {row['name']}")
        return 0
    if not args.which:
        raise SettingError(
            f"expected a run's id or name after '{args.action}', got none; see: advlab runs"
        )
    info = find_run(args.which)
    if args.action == "resume":
        jobs.resume(info.id)
        result = carry_out(info.config, run_id=info.id)
        if args.json:
            _print_json(result)
        else:
            print(f"{result['status']}: {result['model']}")
        return 0 if result["status"] == "done" else 1
    if args.action == "rename":
        if not args.name:
            raise SettingError("expected the new name after the run, got none; give it in quotes")
        jobs.rename(info.id, args.name)
    elif args.action != "show":
        getattr(jobs, args.action)(info.id)
    if args.action == "delete":
        shown = {"id": info.id, "deleted": True}
    else:
        info = jobs.run(info.id)
        shown = _run_row(info) | {
            "config": json.loads(info.config_json),
            "metrics": dict(info.metrics),
        }
    if args.json:
        _print_json(shown)
    else:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


# ---- names and numbers ----------------------------------------------------------------------


def find_run(which: str) -> Any:
    """A run by id, or the newest of that name; RunError lists what there is."""
    from advlab import jobs
    from advlab.errors import RunError

    listed = jobs.runs()
    for info in listed:
        if which in (info.id, info.name):
            return info
    known = ", ".join(f"{r.id} ({r.name})" for r in listed[:5]) or "none yet"
    raise RunError(f"expected a run's id or name, got {which!r}; the newest runs: {known}")


def open_model(which: str) -> Victim:
    """The model of a run (by id or name), of a folder, or of the hub."""
    from advlab import jobs
    from advlab.errors import RunError
    from advlab.victim import Victim

    for info in jobs.runs():
        if which in (info.id, info.name):
            if not info.folder.has_model:
                raise RunError(
                    f"run {which} has no model yet (it is {info.status}); wait for its first epoch"
                )
            return Victim.load(info.folder.model, name=info.name)
    return Victim.load(which)


def run_data(which: str) -> Any:
    """The data settings of a run; SettingError for a model that is no run."""
    from advlab import jobs

    for info in jobs.runs():
        if which in (info.id, info.name):
            return info.config.data
    raise SettingError(f"expected --data, since {which!r} is not a run; give a corpus or a file")


def _same_classes(victims: Sequence[Victim], data: Dataset) -> None:
    for victim in victims:
        if tuple(victim.label_names) != tuple(data.label_names):
            raise SettingError(
                f"expected data with the classes of {victim.name} ({', '.join(victim.label_names)}), "
                f"got {', '.join(data.label_names)}; evaluate on data with the same labels"
            )


def _run_row(info: Any) -> dict[str, Any]:
    metrics = dict(info.metrics)
    return {
        "id": info.id, "name": info.name, "status": info.status, "error": info.error,
        "clean": metrics.get("test_accuracy"), "robust": metrics.get("test_robust_accuracy"),
        "folder": str(info.folder.path),
    }  # fmt: skip


def _evaluation(found: Evaluation) -> dict[str, Any]:
    def row(rate: Any) -> dict[str, Any]:
        return {"value": rate.value, "interval": [rate.low, rate.high], "n": rate.n}

    def rows(listed: Any) -> list[dict[str, Any]]:
        return [{"eps": e, "unit": unit, "raw_eps": raw} | row(r) for e, unit, raw, r in listed]

    return {
        "model_hash": found.model_hash, "majority": found.majority,
        "clean_accuracy": row(found.clean), "robust_accuracy": rows(found.robust),
        "noise_accuracy": rows(found.noise), "seconds_evaluated": round(found.seconds, 2),
    }  # fmt: skip


def _print_table(found: Sequence[Evaluation], names: Sequence[str]) -> None:
    radii = [f"{f'ε = {eps:g}':>22}" for eps, *_ in found[0].robust]
    print(f"{'':30}{'clean':>22}{''.join(radii)}")
    for name, evaluation in zip(names, found, strict=True):
        cells = [evaluation.clean, *(r for *_, r in evaluation.robust)]
        print(f"{name[:29]:30}" + "".join(f"{_rate(vars(c)):>22}" for c in cells))
        cells = [r for *_, r in evaluation.noise]
        print(
            f"{'  random noise of that length':52}"
            + "".join(f"{_rate(vars(c)):>22}" for c in cells)
        )
    print(f"majority class {found[0].majority:.1%}; intervals: Wilson, 95 %; n = {found[0].n}")


def _rate(rate: Mapping[str, Any]) -> str:
    return f"{rate['value']:.1%} [{100 * rate['low']:.0f}–{100 * rate['high']:.0f}]"


def _print_json(value: Mapping[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; AdvlabError goes to standard error with exit status 2."""
    # one thread unless the user says otherwise: two threads beside another process are far slower
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if argv is None else argv)
    parser = make_parser()
    heavy = next((w for w in words if not w.startswith("-")), "")
    if heavy in ("train", "attack", "evaluate"):
        action = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        _add_heavy_flags(action.choices[heavy], heavy)
    args = parser.parse_args(words)
    try:
        return args.run(args)
    except AdvlabError as error:
        print(f"advlab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("advlab: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  closed by the interpreter
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
