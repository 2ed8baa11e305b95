"""Outcomes on disk, found again by what they were made from; a rerun reads what an earlier one wrote.

One file holds one chunk: a model, some labelled texts, an attack, ε and a seed. It is written aside
and renamed into place, so a killed process leaves whole files or none. JSON, never unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.records import Example
from advlab.records.examples import key_of as key_of_example
from advlab.runs.disk import write_aside

if TYPE_CHECKING:
    from advlab.model.victim import Victim

# how much is done, from 0 to 1, and what is being done; what it raises stops the work there
Progress = Callable[[float, str], None]
FORM = 2  # goes up when what an outcome means changes, so that old files are not read


def data_hash(examples: Sequence[Example], head: tuple[str, ...]) -> str:
    """12 hex digits of the texts and their answers, in their order."""
    rows = json.dumps([key_of_example(e, head) for e in examples])
    return hashlib.sha256(rows.encode()).hexdigest()[:12]


def signature(victim: Victim, examples: Sequence[Example]) -> dict[str, Any]:
    """A model and texts with answers as JSON: what every outcome depends on."""
    return {
        "model": victim.hash,
        "tokenizer": victim.tokenizer_hash,
        "max_length": victim.max_length,
        "texts": [key_of_example(e, victim.head) for e in examples],
    }


def key_of(what: Mapping[str, Any]) -> str:
    """64 hex digits of everything that an outcome depends on; `what` must fit JSON."""
    return hashlib.sha256(
        json.dumps({"form": FORM} | dict(what), sort_keys=True).encode()
    ).hexdigest()


@dataclass
class Outcomes:
    """A folder of outcomes; without a folder nothing is kept. `read` and `made` count this use."""

    folder: Path | None = None
    read: int = 0
    made: int = 0

    def kept(self, what: Mapping[str, Any], n: int, make: Callable[[int], list[Any]]) -> list[Any]:
        """The n values that `what` decides: read back, or made with a seed of their own and kept."""
        key = key_of(what)
        found = self.get(key, n)
        if found is None:
            found = make(int(key[:15], 16))
            self.put(key, found)
        return found

    def over(
        self,
        victim: Victim,
        examples: Sequence[Example],
        what: Mapping[str, Any],
        make: Callable[[list[Example], int], list[Any]],
        *,
        size: int = 128,
        progress: Progress = lambda share, what: None,
    ) -> list[Any]:
        """One value for each example, in their order, made (or read back) in chunks of like length.

        `make(chunk, seed)` gives the values of a chunk. `progress` hears ahead of each that has to
        be made; what it raises stops the work with the finished chunks kept.
        """
        values: list[Any] = [None] * len(examples)
        order = sorted(range(len(examples)), key=lambda i: len(examples[i].text))
        for start in range(0, len(order), size):
            part = order[start : start + size]
            chunk = [examples[i] for i in part]

            def made(
                seed: int, chunk: list[Example] = chunk, share: float = start / len(order)
            ) -> list[Any]:
                progress(share, victim.name)
                return make(chunk, seed)

            found = self.kept(signature(victim, chunk) | dict(what), len(chunk), made)
            for i, value in zip(part, found, strict=True):
                values[i] = value
        return values

    def get(self, key: str, n: int) -> list[Any] | None:
        """The n values stored under `key`; None where there is no whole file."""
        if self.folder is None:
            return None
        try:
            found = json.loads(self._path(key).read_bytes())
        except (OSError, ValueError):  # absent, or damaged by something else: made anew
            return None
        if not isinstance(found, dict) or found.get("key") != key:
            return None
        values = found.get("values")
        if not isinstance(values, list) or len(values) != n:
            return None
        self.read += 1
        return values

    def put(self, key: str, values: list[Any]) -> None:
        """Keep the values of one chunk."""
        self.made += 1
        if self.folder is None:
            return
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, json.dumps({"key": key, "values": values}).encode())

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / f"{key}.json"


class NotKeptError(LookupError):
    """Something is not on disk that was only to be read."""


@dataclass
class OnlyKept(Outcomes):
    """Outcomes that are read and never made: `NotKeptError` for the first that is not there."""

    def kept(self, what: Mapping[str, Any], n: int, make: Callable[[int], list[Any]]) -> list[Any]:
        """The n values stored for `what`."""
        found = self.get(key_of(what), n)
        if found is None:
            raise NotKeptError
        return found
