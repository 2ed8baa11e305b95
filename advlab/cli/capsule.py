"""advlab capsule: one attacked sentence as a file, saved, verified or shown as a web page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from advlab.cli.attack import example_flags, explored
from advlab.cli.flags import attack_flags, json_flag
from advlab.cli.models import open_model
from advlab.cli.printing import print_json
from advlab.errors import DataError, ModelError, SettingError

if TYPE_CHECKING:
    from advlab.model.victim import Victim

HELP = "Save, verify or show one attacked sentence as a file."
EXAMPLES = """examples:
  advlab capsule save one.json --model RUN --text "Slow, but I would see it again." --eps 0.25
  advlab capsule verify one.json                           finds the model by its weights
  advlab capsule verify one.html --model path/to/model
  advlab capsule page one.json --out one.html              a web page that needs no network
"""


def add(parser: argparse.ArgumentParser) -> None:
    """What to do with which file; to save one, also the sentence and its attack."""
    json_flag(parser)
    parser.add_argument("action", choices=("save", "verify", "page"))
    parser.add_argument("file", help="the capsule: JSON, or the page made of it")
    parser.add_argument("--model", help="a run's id or name, or a model folder")
    parser.add_argument("--text", help="the text to save")
    example_flags(parser)
    parser.add_argument("--out", help="where the page goes (default: beside the capsule)")
    group = attack_flags(parser)
    group.add_argument("--attack-seed", type=int, default=0, help="seed of starts and noise")


def run(args: argparse.Namespace) -> int:
    """Save, verify or show one attacked sentence. `verify` exits with 1 where something differs."""
    return {"save": _save, "verify": _verify, "page": _page}[args.action](args, Path(args.file))


def _save(args: argparse.Namespace, file: Path) -> int:
    from advlab.capsule.format import save

    if not args.model or not args.text:
        raise SettingError("expected --model and --text to save a capsule, got none; add them")
    victim = open_model(args.model)
    record = explored(victim, args)
    file.write_text(save(record, victim.tokenizer_hash), encoding="utf-8")
    print_json({"capsule": str(file)}) if args.json else print(f"written: {file}")
    return 0


def _page(args: argparse.Namespace, file: Path) -> int:
    from advlab.capsule.format import load, source_of
    from advlab.capsule.page import page

    data = _read(file)
    out = Path(args.out) if args.out else file.with_suffix(".html")
    out.write_text(page(load(data), source_of(data)), encoding="utf-8")
    print_json({"page": str(out)}) if args.json else print(f"written: {out}")
    return 0


def _verify(args: argparse.Namespace, file: Path) -> int:
    from advlab.capsule.format import load
    from advlab.capsule.verify import verify, versions_differ

    found = load(_read(file))
    victim = open_model(args.model) if args.model else model_of_weights(found.model_hash)
    verdict = verify(found, victim)
    if args.json:
        print_json(
            {
                "verified": verdict.verified,
                "sentence": verdict.sentence,
                "checks": [{"what": c.what, "ok": c.ok, "note": c.note} for c in verdict.checks],
                "versions": {k: list(v) for k, v in versions_differ(found).items()},
            }
        )
        return 0 if verdict.verified else 1
    print(_printable(f"“{found.text}”\n{found.headline}\n"))
    for check in verdict.checks:
        print(_printable(f"  {'✓' if check.ok else '✗'} {check.what:36} {check.note}"))
    for name, (saved, here) in versions_differ(found).items():
        print(_printable(f"  note: saved with {name} {saved}, here {here}"))
    print(f"\n{verdict.sentence}")
    return 0 if verdict.verified else 1


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(
            f"expected a capsule at {file}, got {error.strerror or error}; check the path"
        ) from None


def _printable(text: str) -> str:
    """Text from a stranger's file without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def model_of_weights(wanted: str) -> Victim:
    """The run whose weights have this hash; ModelError where there is none."""
    from advlab.model.card import weights_hash
    from advlab.model.victim import Victim
    from advlab.runs import jobs

    for info in jobs.runs():
        if info.folder.has_model:
            folder = info.folder.model
            if (weights_hash(folder) or Victim.load(folder).hash) == wanted:
                return Victim.load(folder, name=info.name)
    raise ModelError(
        f"expected a run with the weights {wanted}, found none; name the model with --model"
    )
