"""Command-line flags made from settings' dataclasses, so that they say what the app's forms say.

`add_flags` is for one class, whose values `given` collects; `union_flags` for a registry of which
one class will be chosen, whose values `given_of` collects. A flag not given leaves no trace.
Those that several commands have stand at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from advlab.errors import SettingError
from advlab.settings import settings_of

# flags whose setting has another name, or a name that two settings share
DATA_FLAGS = {"source": "data", "eval_source": "eval-data", "seed": "split-seed"}
MODEL_FLAGS = {"source": "model"}


def add_flags(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    cls: type,
    renamed: Mapping[str, str] | None = None,
    skip: Iterable[str] = (),
) -> None:
    """A flag for each setting of `cls`; a flag that is not given leaves no trace."""
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
    values = {i.name: f"{cls.__name__}.{i.name}" for i in settings_of(cls)}
    return {name: getattr(args, dest) for name, dest in values.items() if hasattr(args, dest)}


def given_of(args: argparse.Namespace, chosen: str, classes: Mapping[str, type]) -> dict[str, Any]:
    """Settings for the chosen class; SettingError for a flag that only others have."""
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


# ---- flags that several commands have -------------------------------------------------------


def json_flag(parser: argparse.ArgumentParser) -> None:
    """`--json`: for a program that reads what the command prints."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object on standard output and nothing else there",
    )


def data_flags(parser: argparse.ArgumentParser) -> None:
    """Which texts; `given(args, DataConfig)` collects them."""
    from advlab.runs.config import DataConfig

    add_flags(parser.add_argument_group("data"), DataConfig, DATA_FLAGS)


def model_flags(parser: argparse.ArgumentParser) -> None:
    """Which model to train; `given(args, ModelConfig)` collects them."""
    from advlab.runs.config import ModelConfig

    add_flags(parser.add_argument_group("model"), ModelConfig, MODEL_FLAGS)


def attack_flags(
    parser: argparse.ArgumentParser, skip: Iterable[str] = ()
) -> argparse._ArgumentGroup:
    """Which attack, and its settings; `attack_given` collects them. Imports torch."""
    from advlab.attacks import ATTACKS

    group = parser.add_argument_group("attack")
    group.add_argument("--attack", default="pgd", choices=sorted(ATTACKS), help="(default: pgd)")
    union_flags(group, ATTACKS, skip)
    return group


def attack_given(args: argparse.Namespace) -> dict[str, Any]:
    """The attack that the command line named, for `build_attack`."""
    from advlab.attacks import ATTACKS

    return {"name": args.attack} | given_of(args, args.attack, ATTACKS)
