"""Text files of words, as the corpora of opinions keep them beside their code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def lines(place: Any) -> Iterator[list[str]]:
    """The cells of each line, parted by `|`; empty lines and those that begin with # are no lines."""
    for line in place.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield [cell.strip() for cell in line.split("|")]


def listed(cell: str, between: str = ",") -> tuple[str, ...]:
    """The words of a cell."""
    return tuple(word.strip() for word in cell.split(between))
