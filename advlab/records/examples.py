"""What models are given and what runs say: examples, data sets, events."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Example:
    """One text and its class (an index into the data set's `label_names`).

    `more`: further columns of its row, name and value.
    """

    id: str
    text: str
    label: int | None = None
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Three disjoint splits of labelled texts. `notes` says what the loader did or noticed."""

    name: str
    label_names: tuple[str, ...]
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    about: str = ""
    notes: tuple[str, ...] = ()

    @property
    def majority(self) -> float:
        """Accuracy on `test` of always answering its most frequent class."""
        labels = [e.label for e in self.test]
        return max(labels.count(i) for i in range(len(self.label_names))) / max(len(labels), 1)

    @property
    def fingerprint(self) -> str:
        """12 hex digits of every text, label and split."""
        digest = hashlib.sha256(repr(self.label_names).encode())
        for split in (self.train, self.validation, self.test):
            for example in split:
                digest.update(f"{example.text}\x00{example.label}\x01".encode("utf-8", "replace"))
            digest.update(b"\x02")
        return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Event:
    """One line of a run's diary. `kind`: start, step, epoch, alarm, note or end."""

    kind: str
    step: int
    time: float  # seconds since 1970
    values: Mapping[str, Any] = field(default_factory=dict)
