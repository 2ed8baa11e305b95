"""What advlab keeps beside the weights of a saved model, in `advlab.json`; read without torch."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

CARD = "advlab.json"


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model folder; empty where advlab did not save it."""
    file = folder / CARD
    return json.loads(file.read_text()) if file.is_file() else {}


def write_card(folder: Path, card: dict[str, Any], weights: str) -> None:
    """Write the card beside the weights, whose hash is `weights`, once these are written.

    The digest of their files goes with it: weights that are replaced by hand belie the card.
    """
    card = card | {"hash": weights, "digest": files_digest(folder)}
    (folder / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False))


def weights_hash(folder: Path) -> str:
    """`Victim.hash` of the saved weights, as the card tells it.

    Empty where it does not, as in folders of older versions, or where the weights are others now.
    """
    try:
        card = read_card(folder)
    except ValueError:  # no JSON
        return ""
    return str(card.get("hash", "")) if card.get("digest") == files_digest(folder) else ""


def files_digest(folder: Path) -> str:
    """12 hex digits of a model's weight files; read again only when a file has changed."""
    stamps = tuple(
        (str(file), file.stat().st_mtime_ns, file.stat().st_size)
        for file in sorted(folder.glob("*.safetensors"))
    )
    return _digest(stamps)


@lru_cache(maxsize=64)
def _digest(stamps: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, _, _ in stamps:
        with Path(name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]
