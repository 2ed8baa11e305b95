"""advlab attack: one sentence on one model."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from advlab.cli.flags import attack_flags, attack_given, json_flag
from advlab.cli.models import class_of, open_model
from advlab.errors import SettingError

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.records import AttackRecord

HELP = "Attack one sentence and say what happened."
EXAMPLES = """examples:
  advlab attack RUN "Slow, but I would see it again."      RUN: a run's id or name
  advlab attack path/to/model "Free entry!" --attack fgm --eps 0.1
  advlab attack RUN "Fine." --label positive --steps 20 --restarts 3 --json
  advlab attack RUN "half past nine" --goal keyword:7       a word appears in the translation
  advlab attack RUN "User: to cork." --answer "on which day?" --targeted     a reply of your choice
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The model, the sentence, and a flag for every setting that any attack has."""
    json_flag(parser)
    parser.add_argument("model", help="a run's id or name, a model folder, a hub name, or minilm")
    parser.add_argument(
        "text", help="the text to attack: a sentence, a context, a source, a history"
    )
    example_flags(parser)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="attack these words alone"
    )
    parser.add_argument(
        "--spare", nargs="+", default=[], metavar="WORD", help="attack all words but these"
    )
    attack_flags(parser)
    parser.add_argument(
        "--attack-seed", type=int, default=0, help="seed of random starts and noise"
    )


def run(args: argparse.Namespace) -> int:
    """Attack one sentence; print the story, or the whole record with --json."""
    from advlab.explain.explore import SALIENCY_METHODS, analyse
    from advlab.model.unseen import told, unseen
    from advlab.pictures.tables import to_json

    victim = open_model(args.model)
    record = explored(victim, args, shielded(args.text, args.only, args.spare))
    if args.json:
        maps = {m: analyse(victim, record, "saliency", method=m) for m in SALIENCY_METHODS}
        print(to_json(record, saliency=maps))
    else:
        _tell(record, args.attack)
        if strange := told(unseen(victim, [args.text])):
            print(f"note: never seen in training: {strange}")
    return 0


def example_flags(parser: argparse.ArgumentParser) -> None:
    """What stands beside a text, its answer, and what is aimed at."""
    parser.add_argument(
        "--beside", default="", help="read with it, not attacked: the question of qa"
    )
    parser.add_argument(
        "--label",
        "--answer",
        help="the true class or answer; what the model itself says without it",
    )
    parser.add_argument(
        "--goal",
        default="",
        help="of written answers: other (no word of the answer stays in its place), or keyword:WORD "
        "(it appears); for a whole answer of your own: --answer TEXT --targeted",
    )


def explored(
    victim: Victim, args: argparse.Namespace, shield: Sequence[tuple[int, int]] = ()
) -> AttackRecord:
    """The text of a command under its attack."""
    from advlab.attacks import build_attack
    from advlab.explain.explore import explore

    return explore(
        victim,
        args.text,
        label=class_of(args.label, victim.head) if victim.task.named else args.label,
        beside=args.beside,
        attack=build_attack(attack_given(args)),
        seed=args.attack_seed,
        shield=shield,
        goal=args.goal,
    )


def _tell(record: AttackRecord, attack: str) -> None:
    from advlab.pictures.answers import common, named
    from advlab.pictures.sentences import headline, noise_sentence, units

    print(f"{record.model}, {attack}, ε = {units(record.eps, record.scale)}")
    rows = {
        "clean": record.clean,
        "under attack": record.attacked,
        "random noise, mean": record.noise,
        "nearest tokens": record.projected,
        "read as text": record.round_trip,
    }
    if named(record):
        answers = list(record.clean.parts)
        width = max(7, *(len(n) for n in answers))
        print(" " * 22 + "  ".join(f"{n:>{width}}" for n in answers))
        for name, reading in rows.items():
            shares = [float(reading.parts[n].mean()) for n in answers]
            print(f"  {name:20}" + "  ".join(f"{p:{width}.1%}" for p in shares))
    else:
        for name, reading in rows.items():
            answer, sure = common(reading)
            print(f"  {name:20}{sure:7.1%}  {answer}")
    print(f"\n{headline(record)} {noise_sentence(record)}")
    for note in record.notes:
        print(f"note: {note}")


def shielded(text: str, only: Sequence[str], spare: Sequence[str]) -> list[tuple[int, int]]:
    """Spans of `text`, in characters, that are not attacked: all but `only`, or `spare`.

    Words as they stand in the text, in any case. SettingError for one that does not.
    """
    if only and spare:
        raise SettingError("expected --only or --spare, got both; name the words one way")
    words = [(m.start(), m.end(), m[0].casefold()) for m in re.finditer(r"\w+|[^\w\s]", text)]
    named = {word.casefold() for word in (*only, *spare)}
    if strange := named - {word for *_, word in words}:
        raise SettingError(f"expected words of the sentence, got {', '.join(sorted(strange))}")
    return [(a, b) for a, b, word in words if named and (word in named) == bool(spare)]
