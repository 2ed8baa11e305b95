"""The command line: advlab app | demo | train | attack | evaluate | capsule | runs.

Flags are made from the settings' dataclasses, so they say what the forms of the app say. With
`--json` a command prints one JSON object on standard output and nothing else there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from advlab import __version__
from advlab.cli import commands, comparisons
from advlab.cli.flags import add_flags, union_flags
from advlab.errors import AdvlabError

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
  advlab evaluate RUN OTHER --eps 0.1 0.25 --report out    tables, curves, alarms as files
""",
    "transfer": """examples:
  advlab transfer RUN OTHER                                at ε = 0.25, on the first run's test texts
  advlab transfer RUN OTHER THIRD --eps 0.5 --max-texts 200 --json
""",
    "sweep": """examples:
  advlab sweep --methods fgm freelb --eps 0.25 0.5         with plain training as the baseline
  advlab sweep --methods pgd --steps 1 3 --seeds 0 1 2     Ctrl-C stops it, the same command goes on
  advlab sweep --data train.tsv --text-column 0 --label-column 1 --methods fgm --epochs 4
""",
    "capsule": """examples:
  advlab capsule save one.json --model RUN --text "Slow, but I would see it again." --eps 0.25
  advlab capsule verify one.json                           finds the model by its weights
  advlab capsule verify one.html --model path/to/model
  advlab capsule page one.json --out one.html              a web page that needs no network
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


def make_parser() -> argparse.ArgumentParser:
    """The whole command line. Building it imports no torch unless a command needs its settings."""
    parser = argparse.ArgumentParser(
        prog="advlab",
        description="The laboratory for adversarial training of language models.",
        epilog=EXAMPLES["advlab"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"advlab {__version__}")
    parts = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, about: str, run: Callable[..., int]) -> argparse.ArgumentParser:
        made = parts.add_parser(
            name,
            help=about,
            description=about,
            epilog=EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        if name != "app":
            made.add_argument(
                "--json",
                action="store_true",
                help="print one JSON object on standard output and nothing else there",
            )
        return made

    app = command("app", "Open the laboratory in a browser.", commands.run_app)
    app.add_argument("--port", type=int, default=8501, help="port to listen on (default: 8501)")
    app.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    app.add_argument("--no-browser", action="store_true", help="do not open a browser window")

    demo = command(
        "demo", "The main job without a browser: train, compare, attack.", commands.run_demo
    )
    demo.add_argument("--seed", type=int, default=0, help="seed of both trainings (default: 0)")

    command("train", "Train a model, plainly or with an adversarial method.", commands.run_train)
    command("attack", "Attack one sentence and say what happened.", commands.run_attack)
    command(
        "evaluate", "Clean and robust accuracy of models on a data set.", comparisons.run_evaluate
    )

    command(
        "transfer",
        "Does robustness carry over to other attacks, and attacks to other models?",
        comparisons.run_transfer,
    )
    command(
        "sweep", "Try methods, ε and steps; rank them and recommend one.", comparisons.run_sweep
    )

    capsule = command(
        "capsule", "Save, verify or show one attacked sentence as a file.", commands.run_capsule
    )
    capsule.add_argument("action", choices=("save", "verify", "page"))
    capsule.add_argument("file", help="the capsule: JSON, or the page made of it")
    capsule.add_argument("--model", help="a run's id or name, or a model folder")
    capsule.add_argument("--text", help="the sentence to save")
    capsule.add_argument("--label", help="the true class; the model's own prediction without it")
    capsule.add_argument("--out", help="where the page goes (default: beside the capsule)")

    runs = command("runs", "List, show, cancel, resume, rename or delete runs.", commands.run_runs)
    runs.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "show", "cancel", "pause", "resume", "rename", "delete"),
    )
    runs.add_argument("which", nargs="?", help="a run's id or name")
    runs.add_argument("name", nargs="?", help="the new name")
    return parser


def _add_heavy_flags(parser: argparse.ArgumentParser, name: str) -> None:
    """Flags of the commands whose settings live in modules that import torch."""
    from advlab.attacks import ATTACKS
    from advlab.runs.config import (
        Augmentation,
        DataConfig,
        ModelConfig,
        Regularisation,
        TrainConfig,
    )
    from advlab.training.methods import METHODS

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
        add_flags(parser.add_argument_group("regularisation"), Regularisation)
        add_flags(parser.add_argument_group("augmentation"), Augmentation)
        add_flags(parser.add_argument_group("training"), TrainConfig)
        return
    if name == "sweep":
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
        add_flags(parser.add_argument_group("data"), DataConfig, DATA_FLAGS)
        add_flags(parser.add_argument_group("model"), ModelConfig, MODEL_FLAGS)
        add_flags(parser.add_argument_group("training"), TrainConfig, skip={"seed"})
        return
    if name == "transfer":
        parser.add_argument("models", nargs="+", help="a run's id or name, a model folder, …")
        add_flags(parser.add_argument_group("data"), DataConfig, DATA_FLAGS)
        parser.add_argument("--eps", type=float, default=0.25, help="× mean norm (default: 0.25)")
        parser.add_argument("--max-texts", type=int, help="use at most this many test texts")
        parser.add_argument("--attack-seed", type=int, default=0, help="seed of starts and noise")
        return
    group = parser.add_argument_group("attack")
    if name == "capsule":
        group.add_argument(
            "--attack", default="pgd", choices=sorted(ATTACKS), help="(default: pgd)"
        )
        union_flags(group, ATTACKS)
        group.add_argument("--attack-seed", type=int, default=0, help="seed of starts and noise")
        return
    several = name == "evaluate"
    parser.add_argument(
        "models" if several else "model",
        nargs="+" if several else None,
        help="a run's id or name, a model folder, a hub name, or minilm",
    )
    if not several:
        parser.add_argument("text", help="the sentence")
        parser.add_argument("--label", help="the true class; the model's own prediction without it")
        parser.add_argument(
            "--only", nargs="+", default=[], metavar="WORD", help="attack these words alone"
        )
        parser.add_argument(
            "--spare", nargs="+", default=[], metavar="WORD", help="attack all words but these"
        )
    else:
        add_flags(parser.add_argument_group("data"), DataConfig, DATA_FLAGS)
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
    group.add_argument("--attack", default="pgd", choices=sorted(ATTACKS), help="(default: pgd)")
    union_flags(group, ATTACKS, skip={"eps"} if several else ())
    parser.add_argument(
        "--attack-seed", type=int, default=0, help="seed of random starts and noise"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; AdvlabError goes to standard error with exit status 2."""
    # one thread unless the user says otherwise: two threads beside another process are far slower
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if argv is None else argv)
    parser = make_parser()
    heavy = next((w for w in words if not w.startswith("-")), "")
    if heavy in ("train", "attack", "evaluate", "capsule", "transfer", "sweep"):
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
