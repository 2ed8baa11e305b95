"""The command line: `advlab COMMAND`, one file a command.

The file of a command holds

    HELP        what it does, in a line
    EXAMPLES    calls of it, shown under its help
    add(parser) gives it its flags; may import what is slow
    run(args)   carries it out and returns the exit status

and imports nothing slow at its top. Flags are made from the settings' dataclasses, so they say what
the forms of the app say. With `--json` a command prints one JSON object on standard output and
nothing else there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from advlab import __version__
from advlab.cli import (
    app,
    attack,
    capsule,
    classroom,
    demo,
    evaluate,
    prepare_class,
    runs,
    stability,
    suffix,
    sweep,
    train,
    transfer,
)
from advlab.cli.printing import any_terminal
from advlab.errors import AdvlabError
from advlab.runs.disk import trouble

EXAMPLES = """examples:
  advlab app                                  open the laboratory in a browser
  advlab demo                                 train a pair, attack it, print what was found
  advlab train --data reviews --method freelb
  advlab attack RUN "Slow, but I would see it again."
"""


COMMANDS: dict[str, ModuleType] = {
    "app": app,
    "demo": demo,
    "train": train,
    "attack": attack,
    "suffix": suffix,
    "evaluate": evaluate,
    "transfer": transfer,
    "stability": stability,
    "sweep": sweep,
    "capsule": capsule,
    "runs": runs,
    "class": classroom,
    "prepare-class": prepare_class,
}


def make_parser(asked: str) -> argparse.ArgumentParser:
    """All commands by name; only the one that is asked for has its flags, since some cost torch."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="advlab",
        description="The laboratory for adversarial training of language models.",
        epilog=EXAMPLES,
        formatter_class=raw,
    )
    parser.add_argument("--version", action="version", version=f"advlab {__version__}")
    parts = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        about = command.HELP
        part = parts.add_parser(
            name, help=about, description=about, epilog=command.EXAMPLES, formatter_class=raw
        )
        if name == asked:
            command.add(part)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; AdvlabError goes to standard error with exit status 2."""
    # one thread unless the user says otherwise: two threads beside another process are far slower
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    any_terminal()
    words = list(sys.argv[1:] if argv is None else argv)
    asked = next((word for word in words if not word.startswith("-")), "")
    args = make_parser(asked).parse_args(words)
    try:
        return COMMANDS[args.command].run(args)
    except AdvlabError as error:
        print(f"advlab: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  closed by the interpreter
        return 1
    except OSError as error:
        print(f"advlab: {trouble(error, Path.cwd())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("advlab: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
