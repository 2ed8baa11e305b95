"""From JSON to records: JSON Lines, an array of objects, or the one list of objects in an object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from advlab.data.scanning import LONGEST_RECORD, Feed, lines
from advlab.errors import DataError
from advlab.language import _

SPACE = re.compile(r"\s*")
LIST_OF_OBJECTS = re.compile(r"\[\s*\{")


def json_lines(
    text: str | Iterable[str], name: str, *, cut: bool = False
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row number, object) of JSON Lines; DataError names the row that is none."""
    if cut and isinstance(text, str):
        text = text[: text.rfind("\n") + 1]
    for number, line in lines(text):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                _(
                    "row {number:,} of {name} is not JSON ({error}); JSON Lines has one "
                    "complete object on each line",
                    number=number,
                    name=name,
                    error=error,
                )
            ) from error
        if not isinstance(value, dict):
            raise DataError(
                _(
                    "row {number:,} of {name} holds {kind}; JSON Lines has one object "
                    '{{"text": …, "label": …}} on each line',
                    number=number,
                    name=name,
                    kind=_kind(value),
                )
            )
        yield number, value


def list_in(text: str) -> tuple[str, int] | None:
    """(key, position past the bracket) of the first list of objects in the JSON object `text`.

    None where it has none, as far as the text goes.
    """
    decoder = json.JSONDecoder()
    position = _past(text, _past(text, 0) + 1)
    try:
        while text.startswith('"', position):
            key, position = decoder.raw_decode(text, position)
            position = _past(text, position)
            if not text.startswith(":", position):
                return None
            position = _past(text, position + 1)
            if LIST_OF_OBJECTS.match(text, position):
                return key, position + 1
            __, position = decoder.raw_decode(text, position)
            position = _past(text, _past(text, position) + 1)  # the comma
    except (ValueError, RecursionError):
        pass
    return None


def json_array(
    text: str | Iterable[str], name: str, *, cut: bool = False
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(item number from 1, object) of a JSON array of objects, read one at a time.

    The array is the text, or stands under a key of the object that the text is.
    """
    decoder, feed = json.JSONDecoder(), Feed(text)
    inside = list_in(feed.text) if feed.text.lstrip().startswith("{") else None
    position = inside[1] if inside else feed.text.index("[") + 1
    number = 0
    while True:
        position = _past(feed.text, position)
        if position >= len(feed.text) and feed.more(position):
            position = 0
            continue
        if feed.text.startswith("]", position):
            if inside and not cut:
                _refuse_second(inside[0], feed, position + 1, name)
            return
        start = position
        if number:
            if not feed.text.startswith(",", position):
                if cut and position >= len(feed.text):
                    return
                raise DataError(
                    _(
                        "{name}: expected a comma or ] after item {number:,} of the array",
                        name=name,
                        number=number,
                    )
                )
            position = _past(feed.text, position + 1)
        try:
            value, position = decoder.raw_decode(feed.text, position)
        except (ValueError, RecursionError) as error:
            if len(feed.text) - start <= LONGEST_RECORD and feed.more(start):
                position = 0
                continue
            if cut:
                return
            raise DataError(
                _(
                    "item {number:,} of {name} is not JSON ({error}); mend it",
                    number=number + 1,
                    name=name,
                    error=error,
                )
            ) from error
        number += 1
        if not isinstance(value, dict):
            raise DataError(
                _(
                    "item {number:,} of {name} is {kind}; expected an object",
                    number=number,
                    name=name,
                    kind=_kind(value),
                )
            )
        yield number, value


def _refuse_second(key: str, feed: Feed, position: int, name: str) -> None:
    """DataError where another list of objects follows: which one is meant?"""
    while not feed.text[position:].strip() and feed.more(position):
        position = 0
    rest = _past(feed.text, position)
    second = list_in("{" + feed.text[rest + 1 :]) if feed.text.startswith(",", rest) else None
    if second:
        raise DataError(
            _(
                "{name} holds more than one list of objects, under {key!r} and {second!r}; "
                "save each as a file of its own",
                name=name,
                key=key,
                second=second[0],
            )
        )


def _past(text: str, position: int) -> int:
    """The position of what is no space."""
    match = SPACE.match(text, position)
    return match.end() if match else position


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {list: _("an array"), dict: _("an object"), str: "a string", bool: _("true or false")}
    return names.get(type(value), "a number")
