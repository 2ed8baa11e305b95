"""What advlab keeps beside the weights of a saved model, in `advlab.json`; read without torch."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from advlab.errors import ModelError
from advlab.language import N_, _
from advlab.model.files import read_json

CARD = "advlab.json"


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model folder; empty where advlab did not save it. ModelError for a broken one."""
    file = folder / CARD
    card = read_json(file) if file.is_file() else {}
    for name, (fits, wanted) in _FIELDS.items():
        if name in card and not fits(card[name]):
            raise ModelError(
                _(
                    "expected {wanted} as {name} in {file}, got {card!r}; copy the file again, "
                    "or remove it",
                    wanted=wanted,
                    name=name,
                    file=file,
                    card=str(card[name])[:60],
                )
            )
    return card


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(n, str) for n in value)


def _lengths(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"mean_norm", "half_nn"}:
        return False
    return all(isinstance(n, int | float) and isfinite(n) and n >= 0 for n in value.values())


def _task(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


# what is read from a card: whether a value fits, and what was expected
_FIELDS = {
    "name": (lambda value: isinstance(value, str), "a text"),
    "task": (_task, N_("a task's name and settings")),
    "head": (_names, N_("a list of names")),
    "label_names": (_names, N_("a list of names")),  # cards of older models call the head so
    "max_length": (_whole, N_("a number of tokens")),
    "scale": (_lengths, N_("mean_norm and half_nn")),
}


def write_card(folder: Path, card: dict[str, Any], weights: str) -> None:
    """Write the card beside the weights, whose hash is `weights`, once these are written.

    The digest of their files goes with it: weights that are replaced by hand belie the card.
    """
    card = card | {"hash": weights, "digest": files_digest(folder)}
    (folder / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False), encoding="utf-8")


def weights_hash(folder: Path) -> str:
    """`Victim.hash` of the saved weights, as the card tells it.

    Empty where it does not, as in folders of older versions, or where the weights are others now.
    """
    try:
        card = read_card(folder)
    except ModelError:  # no card that can be read
        return ""
    return str(card.get("hash", "")) if card.get("digest") == files_digest(folder) else ""


def files_digest(folder: Path) -> str:
    """12 hex digits of a model's weight files; read again only when a file has changed."""
    return _digest(_stamps(folder, "*.safetensors"))


def folder_digest(folder: Path) -> str:
    """12 hex digits of all that a model is made from: weights, settings, names, tokenizer."""
    return _digest(_stamps(folder, "*.safetensors", "*.json", "*.txt", "*.model"))


def _stamps(folder: Path, *patterns: str) -> tuple[tuple[str, int, int], ...]:
    files = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    return tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files)


@lru_cache(maxsize=64)
def _digest(stamps: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, __, __ in stamps:
        with Path(name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]
