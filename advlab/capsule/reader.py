"""One JSON object that came from a stranger, asked for its values with their type and bounds.

Nothing is made before it was checked: an array's size is known before its bytes are read, a text's
length before it is kept. What does not fit is a CapsuleError that says what was expected and what came.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from advlab.errors import CapsuleError
from advlab.language import _

# sizes that an axis may have: tokens, width, classes, steps + 1, radii, draws; a task's own
AXES = {"T": 2048, "D": 16_384, "C": 1000, "S": 10_001, "N": 201, "R": 200, "1": 1}
AXES |= {"P": 2048, "Q": 2048}
MAX_NUMBERS = 4_000_000

Spec = tuple[str, float, float]  # an array's axes, lowest, highest; ±∞ may stand where it is one
# the arrays that files of every format hold
SHARED_NUMBERS: dict[str, Spec] = {
    "losses": ("S", -1e9, np.inf),
    "step_norms": ("ST", 0, 1e9),
    "delta": ("TD", -1e9, 1e9),
    "delta_norm": ("T", 0, 1e9),
    "exit_radius": ("T", 0, np.inf),
    "certificate": ("T", 0, 1e9),
    "perturbable": ("T", 0, 1),
    "curve_eps": ("N", 0, 1e9),
}


@dataclass(frozen=True)
class Part:
    """One JSON object, asked for its values with their type and bounds."""

    found: Any
    where: str

    def __post_init__(self) -> None:
        if not isinstance(self.found, dict):
            raise refused(_("an object in {where}", where=self.where), shown(self.found))

    def value(self, name: str) -> Any:
        if name not in self.found:
            raise refused(_("{name!r} in {where}", name=name, where=self.where), _("nothing there"))
        return self.found[name]

    def part(self, name: str) -> Part:
        return Part(self.value(name), f"{name!r}")

    def text(self, name: str, limit: int) -> str:
        value = self.value(name)
        if not isinstance(value, str) or len(value) > limit:
            raise refused(
                _("{name!r} of at most {limit:,} characters", name=name, limit=limit), shown(value)
            )
        return value

    def texts(self, name: str, limit: int, least: int, most: int) -> list[str]:
        value = self.value(name)
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise refused(
                _(
                    "a list of {least} to {most} texts in {name!r}",
                    least=least,
                    most=most,
                    name=name,
                ),
                shown(value),
            )
        for item in value:
            if not isinstance(item, str) or len(item) > limit:
                raise refused(
                    _("texts of at most {limit} characters in {name!r}", limit=limit, name=name),
                    shown(item),
                )
        return value

    def strings(self, most: int, limit: int) -> dict[str, str]:
        if len(self.found) > most:
            raise refused(
                _("at most {most} entries in {where}", most=most, where=self.where),
                str(len(self.found)),
            )
        return {name[:limit]: self.text(name, limit) for name in self.found}

    def number(self, name: str, low: float, high: float) -> float:
        value = self.value(name)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise refused(
                _("a number from {low:g} to {high:g} in {name!r}", low=low, high=high, name=name),
                shown(value),
            )
        return float(value)

    def number_or_none(self, name: str, low: float, high: float) -> float | None:
        return None if self.value(name) is None else self.number(name, low, high)

    def parts(self, name: str, most: int) -> list[Part]:
        value = self.value(name)
        if not isinstance(value, list) or len(value) > most:
            raise refused(
                _("a list of at most {most} objects in {name!r}", most=most, name=name),
                shown(value),
            )
        return [Part(item, f"{name!r}") for item in value]

    def integer(self, name: str, low: int, high: int) -> int:
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise refused(
                _("a whole number from {low} to {high} in {name!r}", low=low, high=high, name=name),
                shown(value),
            )
        return value

    def array(self, name: str, spec: Spec, sizes: dict[str, int]) -> np.ndarray:
        """An array whose shape fits what is known of its axes; new axes become known.

        `spec`: axes, lowest and highest number. ±∞ may stand where it is a bound, NaN nowhere.
        """
        axes, low, high = spec
        part = self.part(name)
        shape = part.value("shape")
        if not isinstance(shape, list) or len(shape) != len(axes):
            raise refused(
                _("a shape of {n_axes} axes for {name!r}", n_axes=len(axes), name=name),
                shown(shape),
            )
        for axis, size in zip(axes, shape, strict=True):
            whole = isinstance(size, int) and not isinstance(size, bool)
            if not whole or not 0 <= size <= AXES[axis] or size != sizes.setdefault(axis, size):
                raise refused(
                    _(
                        "{size} for axis {axis} of {name!r} (at most {axes})",
                        size=sizes.get(axis) if whole else _("a size"),
                        axis=axis,
                        name=name,
                        axes=AXES[axis],
                    ),
                    shown(size),
                )
        count = math.prod(shape)
        if count > MAX_NUMBERS:
            raise refused(
                _(
                    "at most {max_numbers:,} numbers in {name!r}",
                    max_numbers=MAX_NUMBERS,
                    name=name,
                ),
                f"{count:,}",
            )
        kind = part.value("type")
        if kind not in ("<f4", "<f8"):
            raise refused(_("numbers of type <f4 or <f8 in {name!r}", name=name), shown(kind))
        width = int(kind[2])
        coded = part.text("data", 4 * (-(-count * width // 3)) + 4)
        try:
            raw = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            raise refused(
                _("base64 in {name!r}", name=name), _("other characters, or it is cut off")
            ) from None
        if len(raw) != count * width:
            raise refused(
                _("{count} bytes in {name!r}", count=count * width, name=name), f"{len(raw)}"
            )
        values = np.frombuffer(raw, dtype=kind).reshape(shape).astype(kind[1:])
        if not ((values >= low) & (values <= high)).all():
            raise refused(
                _("numbers from {low:g} to {high:g} in {name!r}", low=low, high=high, name=name),
                _("one that is not"),
            )
        return values


def parsed(text: str) -> Any:
    """The JSON of a text. Refused: numbers that are not finite, a name twice, half a character."""
    try:
        found = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
        json.dumps(found, ensure_ascii=False).encode()
    except CapsuleError:
        raise
    except UnicodeEncodeError:
        raise refused(_("whole characters"), _("half of a surrogate pair")) from None
    except (ValueError, RecursionError):
        raise refused(
            "JSON", _("something else, or JSON that is cut off or nested too deeply")
        ) from None
    return found


def _no_constant(name: str) -> Any:
    raise refused(_("finite numbers"), name)


def _no_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise refused(_("each name once"), _("a name twice in one object"))
    return found


def shown(value: Any) -> str:
    """What came, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def refused(expected: str, came: str) -> CapsuleError:
    """The error that a reader raises."""
    return CapsuleError(expected, came)
